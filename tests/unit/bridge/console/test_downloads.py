"""Downloads of a selection: whole, resumable, the same bytes each time, and in the trail."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import tarfile
from pathlib import Path

import bagit
import httpx
import pytest

from bridge import keys
from bridge.canonical import dumps
from bridge.notekeys import parse_verifier
from bridge.protocols.people import Role
from storage.translog.proof import TlogProof
from tests.unit.bridge.console.desk import Browser, Desk
from tests.unit.bridge.console.proving import begun, kept, with_media

CASE = "FOI 2026/0042"


async def prepared(desk: Desk, browser: Browser, fields: dict[str, str | list[str]]) -> str:
    """The address of a download that is ready."""
    answer = await browser.post("/downloads", {"why": CASE, **fields})
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    assert path.startswith("/downloads/")
    await desk.parts.exports.settled(path.rpartition("/")[2])
    return str(path)


def extracted(body: bytes, folder: Path) -> Path:
    """The bag in a tar archive. Blocks."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        archive.extractall(folder, filter="data")
    (bag,) = folder.iterdir()
    return bag


def validated(bag: Path) -> None:
    """Have a foreign tool read every byte of it. Blocks."""
    bagit.Bag(str(bag)).validate()


async def test_all_that_is_kept_is_a_valid_bag(desk: Desk, tmp_path: Path) -> None:
    """A foreign BagIt tool finds every file as it should be; the records are the objects."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"selection": "outcome=capture&outcome=review"})
    answer = await browser.get(f"{path}/bag.tar")
    assert (answer.status_code, len(answer.content)) == (200, int(answer.headers["content-length"]))
    bag = await asyncio.to_thread(extracted, answer.content, tmp_path / "bag")
    await asyncio.to_thread(validated, bag)
    for each in kept(desk):
        name = keys.stem_of(each.key or "")
        data = await asyncio.to_thread((bag / "data/records" / f"{name}.json").read_bytes)
        assert hashlib.sha256(data).hexdigest() == each.sha256
    lines = (await asyncio.to_thread((bag / "data/records.jsonl").read_bytes)).splitlines()
    assert len(lines) == len(kept(desk))
    said = json.loads(await asyncio.to_thread((bag / "data/manifest.json").read_bytes))
    assert (said["by"], said["why"], said["records"]) == ("jo", CASE, len(lines))


async def test_each_proof_in_a_bag_leads_to_its_checkpoint(desk: Desk, tmp_path: Path) -> None:
    """With the key in the bag, the proofs, the records and the checkpoint say one thing."""
    listing = with_media(desk)
    browser = await desk.browser(Role.FOI_OFFICER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(listing.key or "")]})
    answer = await browser.get(f"{path}/bag.tar")
    bag = await asyncio.to_thread(extracted, answer.content, tmp_path / "bag")

    def read() -> tuple[str, list[bytes], bytes]:
        data = bag / "data"
        proofs = [each.read_bytes() for each in sorted((data / "proofs").iterdir())]
        return (data / "verifier.key").read_text(), proofs, (data / "checkpoint").read_bytes()

    key, proofs, checkpoint = await asyncio.to_thread(read)
    verifier = parse_verifier(key.strip())
    assert verifier.line == desk.archive.public_key
    assert len(proofs) == 2
    for body in proofs:
        proof = TlogProof.parse(body)
        assert proof.checkpoint == checkpoint
        proof.verify(proof.extra or b"", verifier)
        assert (listing.sha256 or "").encode() in (proof.extra or b"")


async def test_a_download_that_broke_off_goes_on(desk: Desk) -> None:
    """Any range of bytes is that of the whole, also after the proof of who asks is over."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    stems = [keys.stem_of(each.key or "") for each in kept(desk)[:5]]
    path = await prepared(
        desk, browser, {"stem": [*stems, keys.stem_of(with_media(desk).key or "")]}
    )
    whole = (await browser.get(f"{path}/bag.tar")).content
    desk.clock.advance(700)
    for start, stop in [(0, 1), (511, 513), (3000, 9001), (len(whole) - 1025, len(whole))]:
        answer = await browser.get(f"{path}/bag.tar", range=f"bytes={start}-{stop - 1}")
        assert (answer.status_code, answer.content) == (206, whole[start:stop])
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    tail = await browser.get(f"{path}/bag.tar", range="bytes=-700")
    assert tail.content == whole[-700:]
    cut = len(whole) // 3
    rest = await browser.get(
        f"{path}/bag.tar", range=f"bytes={cut}-", if_range=tail.headers["etag"]
    )
    assert whole[:cut] + rest.content == whole


async def test_every_offset_of_a_small_bag_can_be_resumed(desk: Desk) -> None:
    """Wherever it broke off: headers, records, attachments, padding, the end."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(with_media(desk).key or "")]})
    whole = (await browser.get(f"{path}/bag.tar")).content
    for start in range(0, len(whole), 997):
        answer = await browser.get(f"{path}/bag.tar", range=f"bytes={start}-{start + 40}")
        assert answer.content == whole[start : start + 41]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=99999999999-", 416),
        ("bytes=-0", 416),
        ("bytes=5-2", 200),
        ("bytes=0-1,5-9", 200),
        ("bytes=-", 200),
        ("rows=1-2", 200),
    ],
)
async def test_a_range_that_is_none(desk: Desk, asked: str, status: int) -> None:
    """What is past the end is refused with the size; what is no range gets the whole."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(kept(desk)[0].key or "")]})
    answer = await browser.get(f"{path}/bag.tar", range=asked)
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"].startswith("bytes */")


async def test_another_version_of_a_download_is_not_resumed(desk: Desk) -> None:
    """If-Range of something else gives the whole."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(kept(desk)[0].key or "")]})
    answer = await browser.get(f"{path}/bag.tar", range="bytes=5-", if_range='"other"')
    assert answer.status_code == 200


async def test_nothing_is_downloaded_without_a_proof_of_who_asks(desk: Desk) -> None:
    """Neither prepared nor fetched once the last proof is over; and the way there leads back."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    stem = keys.stem_of(kept(desk)[0].key or "")
    path = await prepared(desk, browser, {"stem": [stem]})
    desk.clock.advance(700)
    answer = await browser.post("/downloads", {"why": CASE, "stem": [stem]})
    assert answer.headers["location"] == f"/prove?next=%2Fdownloads%3Fstem%3D{stem}"
    for ending in ("bag.tar", "records.jsonl", "table.csv"):
        answer = await browser.get(f"{path}/{ending}")
        assert answer.headers["location"].startswith("/prove?next=")
    # A range is no way round: nothing of this download was sent yet.
    assert (await browser.get(f"{path}/bag.tar", range="bytes=0-")).status_code == 303


async def test_each_download_stands_in_the_trail_before_it_is_sent(desk: Desk) -> None:
    """Who, what and what for: when it is prepared, and each time something is fetched."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(kept(desk)[0].key or "")]})
    for ending in ("bag.tar", "records.jsonl", "table.csv"):
        assert (await browser.get(f"{path}/{ending}")).status_code == 200
    lines = [(line.what, line.subject) for line in await desk.trail()]
    name = path.rpartition("/")[2]
    assert lines == [("prepare download", "1 records by name"), *[("download", name)] * 3]
    assert all(CASE in line.details for line in await desk.trail())


async def test_a_reason_is_required(desk: Desk) -> None:
    """Without one, or with one that nobody reads to its end, nothing is prepared."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    stem = keys.stem_of(kept(desk)[0].key or "")
    for why in ("", "   ", "x" * 501):
        answer = await browser.post("/downloads", {"why": why, "stem": [stem]})
        assert answer.status_code == 400
        assert "Say what it is for" in answer.text
    assert desk.parts.exports.of("jo") == ()


@pytest.mark.parametrize("selection", ["", "q=%22", "from=yesterday", "tz=Mars/Base"])
async def test_a_selection_that_is_none(desk: Desk, selection: str) -> None:
    """Nothing chosen, or a search that cannot be understood: said in words."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    answer = await browser.post("/downloads", {"why": CASE, "selection": selection})
    assert answer.status_code == 400
    assert "There is a problem" in answer.text


async def test_who_is_for_one_group_takes_away_nothing_of_another(desk: Desk) -> None:
    """By name it is not known, and that they asked is told; a search finds only theirs."""
    gids = sorted({each.gid for each in kept(desk)})
    browser = await desk.browser(Role.FOI_OFFICER, groups=frozenset(gids[:1]))
    other = next(each for each in kept(desk) if each.gid != gids[0])
    fields = {"why": CASE, "stem": keys.stem_of(other.key or "")}
    assert (await browser.post("/downloads", fields)).status_code == 400
    assert [line.what for line in await desk.trail() if not line.allowed] == ["denied"]
    path = await prepared(desk, browser, {"selection": "outcome=capture&outcome=review"})
    lines = (await browser.get(f"{path}/records.jsonl")).content.splitlines()
    assert len(lines) == sum(each.gid == gids[0] for each in kept(desk))


async def test_a_download_is_its_owners_only(desk: Desk) -> None:
    """Somebody else with the same rights does not find it."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(kept(desk)[0].key or "")]})
    other = await desk.browser(Role.RECORDS_MANAGER, name="al")
    for ending in ("", "/bag.tar", "/records.jsonl", "/table.csv"):
        assert (await other.get(path + ending)).status_code == 404


async def test_an_object_that_changes_under_a_download_breaks_it_off(desk: Desk) -> None:
    """The browser never has all of it, and an alarm is raised."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(listing.key or "")]})
    await asyncio.to_thread(desk.replace, listing.key or "", b"{}")
    promised, sent, whole = await begun(desk, browser, f"{path}/bag.tar")
    assert not whole
    assert len(sent) < promised
    assert (await desk.trail())[-1].what == "record unproved"


async def test_what_does_not_fit_the_log_is_taken_along_and_named(
    desk: Desk, tmp_path: Path
) -> None:
    """Tampered before it was prepared: the page says so, the bag has the bytes and the finding."""
    listing, gone = kept(desk)[0], kept(desk)[1]
    await asyncio.to_thread(desk.replace, listing.key or "", b"{}")
    await asyncio.to_thread(desk.replace, gone.key or "", None)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    stems = [keys.stem_of(each.key or "") for each in (listing, gone)]
    path = await prepared(desk, browser, {"stem": stems})
    page = (await browser.get(path)).text
    assert "2 of the records" in page
    assert "1 have no object" in page
    assert [line.subject for line in await desk.trail() if line.what == "record unproved"] == stems
    answer = await browser.get(f"{path}/bag.tar")
    bag = await asyncio.to_thread(extracted, answer.content, tmp_path / "bag")
    await asyncio.to_thread(validated, bag)
    rows = [
        json.loads(line)
        for line in (await asyncio.to_thread((bag / "data/rows.jsonl").read_bytes)).splitlines()
    ]
    assert [(row["proved"], row.get("is_left_out", False)) for row in rows] == [
        ("unproved", False),
        ("unproved", True),
    ]
    assert "not those whose digest" in rows[0]["remarks"][0]


async def test_a_table_runs_nothing(desk: Desk) -> None:
    """A record whose text is a formula is a text in the table, and unaltered as JSON."""
    listing = kept(desk)[0]
    body = dumps({"body": '=HYPERLINK("http://x")', "sender": {"id": "@x", "display_name": "+1"}})
    await asyncio.to_thread(desk.replace, listing.key or "", body)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(listing.key or "")]})
    assert (await browser.get(f"{path}/records.jsonl")).content == body + b"\n"
    answer = await browser.get(f"{path}/table.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0]["text"].startswith("'=")
    assert rows[0]["sender"] == "'+1"
    attachment(answer)


def attachment(answer: httpx.Response) -> None:
    """A browser saves it and runs nothing of it."""
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_form_says_what_would_be_taken(desk: Desk) -> None:
    """By a search how many were found; by name how many; and nothing is sent for it."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    page = (await browser.get("/downloads?outcome=capture")).text
    assert "events were found by this search" in page
    stem = keys.stem_of(kept(desk)[0].key or "")
    assert "1 record chosen by name" in (await browser.get(f"/downloads?stem={stem}")).text


async def test_a_head_says_how_long_it_is(desk: Desk) -> None:
    """Length and that it can be resumed, without a byte of content or a line in the trail."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(kept(desk)[0].key or "")]})
    before = await desk.trail()
    answer = await browser.send("HEAD", f"{path}/bag.tar")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) % 512 == 0
    assert answer.headers["accept-ranges"] == "bytes"
    assert await desk.trail() == before


async def test_downloads_are_kept_for_a_day(desk: Desk) -> None:
    """Then they are given up, and prepared again by whoever still wants them."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(kept(desk)[0].key or "")]})
    desk.clock.advance(24 * 3600 + 1)
    again = await desk.browser(Role.RECORDS_MANAGER)
    assert "None in the last 24 hours" in (await again.get("/downloads")).text
    assert (await again.get(f"{path}/bag.tar")).status_code == 404
