"""One record: everything that is known of it, what was proved, and its bytes to take away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.app.proofs import LogProofs, Opened
from bridge.errors import ConfigError, ObjectStoreUnavailableError
from bridge.model import Outcome
from bridge.notekeys import parse_verifier
from bridge.protocols import ObjectBody
from bridge.protocols.holds import Hold, HoldScope
from bridge.protocols.office import Label
from bridge.protocols.people import Role
from storage.objects import LocalObjectStore
from storage.translog.proof import TlogProof
from tests.unit.bridge.console.desk import Desk, console_over
from tests.unit.bridge.console.proving import kept, path_of, with_media
from tests.unit.bridge.console.told import say


async def test_a_record_says_in_words_what_was_proved(desk: Desk) -> None:
    """Digest, leaf, checkpoint, its key and time, and that nobody outside is known here."""
    listing = with_media(desk)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(path_of(listing))).text
    assert "Verified against the log" in page
    assert f"its SHA-256 digest, {listing.sha256}, is the one that stands in leaf" in page
    assert f"included in the checkpoint of {desk.archive.size} leaves, whose newest leaf" in page
    verifier = parse_verifier(desk.archive.public_key)
    assert f"signed by the key {verifier.name}+{verifier.key_hash:08x}" in page
    assert "cosigned a checkpoint of" in page
    assert "its signature was verified, and the log extends that checkpoint" in page
    assert "No time-stamping authority has dated" in page
    assert "Kept at least until" in page


async def test_every_record_of_the_archive_is_proved(desk: Desk) -> None:
    """Whatever its kind, area and relation, the page is there and says that it fits."""
    browser = await desk.browser(Role.READER)
    for listing in kept(desk):
        page = await browser.get(path_of(listing))
        assert page.status_code == 200
        assert "Not proved" not in page.text, listing.key
    assert {line.what for line in await desk.trail()} == {"view record"}


async def test_a_view_stands_in_the_trail_before_anything_is_read(desk: Desk) -> None:
    """One line with the stem, whoever it was."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.READER)
    await browser.get(path_of(listing))
    (line,) = await desk.trail()
    assert (line.who, line.what, line.subject) == ("jo", "view record", path_of(listing)[9:])


@pytest.mark.parametrize("body", [b"{}", None])
async def test_an_object_that_fails_its_proof_is_shown_red(desk: Desk, body: bytes | None) -> None:
    """Changed or gone: never hidden, the alarm raised, and what the catalog has still there."""
    listing = next(each for each in kept(desk) if each.sender_id and each.body)
    await asyncio.to_thread(desk.replace, listing.key or "", body)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(path_of(listing))).text
    assert '<strong class="govuk-tag govuk-tag--red">Not proved</strong>' in page
    assert "What does not fit" in page
    assert listing.sender_id is not None
    assert listing.sender_id in page
    what = [(line.what, line.subject) for line in await desk.trail()]
    assert what == [
        ("view record", path_of(listing)[9:]),
        ("record unproved", path_of(listing)[9:]),
    ]
    if body is not None:
        assert "not the one that the index lists" in page
        assert (await browser.get(f"{path_of(listing)}/object")).content == body


async def test_a_tile_that_was_changed_is_told(desk: Desk) -> None:
    """Then the path to the root does not hold, and the page says which leaf."""
    for stored in desk.archive.objects:
        if stored.key.startswith("log/0/tile/0/"):
            changed = bytes(len(stored.body))
            await asyncio.to_thread(desk.replace, stored.key, changed)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(path_of(kept(desk)[0]))).text
    assert "root_mismatch" in page


async def test_a_large_attachment_is_left_to_its_download(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says that it was not read."""
    monkeypatch.setattr("bridge.app.proofs.LARGEST_READ", 10)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(path_of(with_media(desk)))).text
    assert "Verified against the log" in page
    assert "not read for this page" in page


class DownStore(LocalObjectStore):
    """A store that does not answer."""

    async def get(self, key: str) -> bytes | None:
        """Nothing."""
        raise ObjectStoreUnavailableError("The store does not answer.")

    async def body(self, key: str) -> ObjectBody | None:
        """Nothing."""
        raise ObjectStoreUnavailableError("The store does not answer.")


async def test_a_store_that_is_down_is_said_and_the_index_still_shown(desk: Desk) -> None:
    """The page says that nothing was verified; downloads say why they cannot be had."""
    store = DownStore(desk.root, desk.archive.tenant)
    desk.app = await asyncio.to_thread(console_over, replace(desk.parts, store=store))
    listing = next(each for each in kept(desk) if each.sender_id and each.media)
    browser = await desk.browser(Role.READER)
    answer = await browser.get(path_of(listing))
    assert answer.status_code == 200
    assert "The store is not to be had now: The store does not answer." in answer.text
    assert "the object itself was not read" in answer.text
    assert listing.sender_id is not None
    assert listing.sender_id in answer.text
    for ending in ("object", "raw/source", "media/0"):
        assert (await browser.get(f"{path_of(listing)}/{ending}")).status_code == 503
    await store.aclose()


def _unmount(root: Path) -> None:
    root.rename(root.with_name("away"))
    root.mkdir()


async def test_a_folder_that_went_away_is_said_and_nothing_called_missing(desk: Desk) -> None:
    """A disk that is not mounted: no record is called changed, and no alarm is raised."""
    listing = with_media(desk)
    browser = await desk.browser(Role.READER)
    assert "The stored object was verified" in (await browser.get(path_of(listing))).text
    await asyncio.to_thread(_unmount, desk.root)
    answer = await browser.get(path_of(listing))
    assert "The store is not to be had now" in answer.text
    assert "Mount its disk" in answer.text
    assert "Not proved" not in answer.text
    for ending in ("object", "raw/source", "media/0", "proof"):
        assert (await browser.get(f"{path_of(listing)}/{ending}")).status_code == 503
    assert "record unproved" not in {line.what for line in await desk.trail()}


async def test_a_console_without_a_usable_key_says_so(desk: Desk) -> None:
    """Neither without one nor with one that cannot be read is anything called verified."""

    def opened() -> Opened:
        raise ConfigError("The key file is missing.", hint="Put it there.")

    browser = await desk.browser(Role.READER)
    for proofs in (None, LogProofs(opened, desk.clock)):
        desk.app = await asyncio.to_thread(console_over, replace(desk.parts, proofs=proofs))
        other = desk.visitor()
        other.cookies = browser.cookies
        page = await other.get(path_of(kept(desk)[0]))
        assert page.status_code == 200
        assert "Not verified" in page.text
        assert (await other.get(f"{path_of(kept(desk)[0])}/proof")).status_code == 503


@pytest.mark.parametrize(
    "stem", ["nothing", "..%2f..%2fetc%2fpasswd", "%00", "091534312-000000000000-0000000000000000"]
)
async def test_a_record_that_is_not_there(desk: Desk, stem: str) -> None:
    """A foreign or malformed stem is no page, whatever is asked of it."""
    browser = await desk.browser(Role.READER)
    for ending in ("", "/proof", "/object", "/raw/source", "/media/0"):
        assert (await browser.get(f"/records/{stem}{ending}")).status_code == 404


async def test_what_is_not_kept_has_no_page(desk: Desk) -> None:
    """Its row stands in the day, and no address leads to it."""
    gone = next(each for each in desk.listings.values() if each.outcome is Outcome.DISCARD)
    browser = await desk.browser(Role.READER)
    day = (await browser.get(f"/groups/{gone.gid}/{gone.day}")).text
    assert "Not kept" in day


@pytest.mark.parametrize("kind", ["stored", "seen"])
async def test_a_proof_can_be_checked_without_us(desk: Desk, kind: str) -> None:
    """The file verifies with the log's key, and its leaf has the object's digest."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"{path_of(listing)}/proof?leaf={kind}")
    assert f"{path_of(listing)[9:]}.{kind}.tlog-proof" in answer.headers["content-disposition"]
    proof = TlogProof.parse(answer.content)
    proof.verify(proof.extra or b"", parse_verifier(desk.archive.public_key))
    assert (listing.sha256 or "").encode() in (proof.extra or b"")


async def test_the_proof_is_what_is_asked_for(desk: Desk) -> None:
    """A browser gets the page with the commands, a program JSON, anything else the file."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.READER)
    path = f"{path_of(listing)}/proof"
    page = await browser.get(path, accept="text/html,*/*")
    assert "sha256sum" in page.text
    assert desk.archive.public_key.strip() in page.text.replace("&#43;", "+")
    document = (await browser.get(path, accept="application/json")).json()
    assert (document["standing"], document["sha256"]) == ("proved", listing.sha256)
    assert [each["kind"] for each in document["leaves"]] == ["stored", "seen"]
    stored = await browser.get(path)
    assert stored.text == document["leaves"][0]["proof"]
    assert (await browser.get(f"{path}?leaf=other")).status_code == 404


async def test_a_record_shows_what_happened_to_it(desk: Desk) -> None:
    """A message has its edits, removals and reactions; and each of them leads back to it."""
    related = next(
        each
        for each in kept(desk)
        if each.relates_to
        and any(other.upstream_id == each.relates_to.upstream_id for other in kept(desk))
    )
    assert related.relates_to is not None
    message = next(
        each for each in kept(desk) if each.upstream_id == related.relates_to.upstream_id
    )
    browser = await desk.browser(Role.READER)
    assert path_of(related) in (await browser.get(path_of(message))).text
    assert path_of(message) in (await browser.get(path_of(related))).text


async def test_the_policy_in_force_explains_the_codes(desk: Desk) -> None:
    """What a code means and leads to, and that another policy decided if one did."""
    from bridge.app.policies import DEFAULT, shipped_policy

    policy = await asyncio.to_thread(shipped_policy, DEFAULT)
    desk.app = await asyncio.to_thread(console_over, replace(desk.parts, policy=policy))
    listing = next(each for each in kept(desk) if each.reasons)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(path_of(listing))).text
    assert policy.codes[listing.reasons[0].code].description[:20] in page


async def test_what_is_marked_as_sensitive_is_for_others(desk: Desk) -> None:
    """A mark closes the record, hides its words in the day, and keeps it out of downloads."""
    listing = next(each for each in kept(desk) if each.body)
    await say(desk, [listing], Label.PERSONAL)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for ending in ("", "/proof", "/object", "/raw/source", "/media/0"):
        assert (await browser.get(path_of(listing) + ending)).status_code == 404
    day = (await browser.get(f"/groups/{listing.gid}/{listing.day}")).text
    parts = [
        each
        for each in desk.listings.values()
        if (each.message, each.day) == (listing.message, listing.day)
    ]
    assert day.count("Marked as sensitive: not shown to your role.") == len(parts)
    assert path_of(listing) not in day
    fields = {"why": "FOI 7", "stem": path_of(listing)[9:]}
    path = (await browser.post("/downloads", fields)).headers["location"]
    await desk.parts.exports.settled(path.rpartition("/")[2])
    assert "1 records are marked as sensitive" in (await browser.get(path)).text
    assert (await browser.get(f"{path}/records.jsonl")).content == b""
    other = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    assert (await other.get(path_of(listing))).status_code == 200


async def test_a_record_names_the_holds_over_it(desk: Desk) -> None:
    """Number, matter and authority; and that there is none where there is none."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.RECORDS_MANAGER)
    assert "No legal hold covers it now." in (await browser.get(path_of(listing))).text
    assert desk.parts.holds is not None
    hold = Hold(
        authority="Inquiry chair <b>",
        matter="INQ/7",
        scope=HoldScope(gids=(listing.gid,)),
        by="al",
        at=desk.clock.now(),
        why="a notice",
    )
    number = await desk.parts.holds.place(hold)
    page = (await browser.get(path_of(listing))).text
    assert f"Hold {number}</a>" in page
    assert "INQ/7" in page
    assert "Inquiry chair &lt;b&gt;" in page
