"""The review queue in the long run: a backlog keeps nothing out of it, nor does time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge import keys
from bridge.console.queue import MOST, SAMPLE, Item
from bridge.model import EventKind, Outcome, RelationType
from bridge.protocols import Entry, Journal, Label
from bridge.protocols.catalog import ListedMedium, ListedReason, ListedRelation, Listing
from bridge.protocols.people import Role
from tests.contracts.journal.encrypted import key
from tests.contracts.journal.encrypted import shut as encrypted
from tests.fakes.samples import CONNECTOR, batch, group, proof, sealing, verdict
from tests.unit.bridge.console.desk import Browser, Desk
from tests.unit.bridge.console.told import GID, said, say, tell

MONDAY = datetime(2026, 6, 1, 8, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
_STEMS = re.compile(r'href="/review/([0-9a-f-]+)\?')


def waiting(n: int, at: datetime, *, code: str = "DOUBT", gid: str = GID) -> Listing:
    """A message that waits for a person."""
    listing = said(n, f"Text {n}.", at=at)
    key = (listing.key or "").replace("records/", "review/").replace(GID, gid)
    reasons = (ListedReason(code=code, rule="r"),)
    return replace(listing, gid=gid, outcome=Outcome.REVIEW, key=key, reasons=reasons)


def shut(n: int, at: datetime) -> Listing:
    """A message that waits and is still encrypted."""
    listing = waiting(n, at, code="ENCRYPTED")
    return replace(listing, kind=EventKind.ENCRYPTED, upstream_id=f"$c{n}", body=None)


def opened(n: int, of: Listing, outcome: Outcome) -> Listing:
    """The content of a ciphertext, as the catalog has it by what was decided."""
    listing = said(n, at=TUESDAY + timedelta(hours=n % 10))
    if outcome is Outcome.DISCARD:
        bare = replace(listing, outcome=outcome, key=None, sha256=None, kind=None, body=None)
        return replace(bare, upstream_id=None, observed_at=None, sender_id=None, sender_name=None)
    relation = ListedRelation(type=RelationType.DECRYPTED, upstream_id=of.upstream_id or "", n=of.n)
    return replace(
        listing,
        outcome=outcome,
        upstream_id=of.upstream_id,
        revision="decrypted",
        relates_to=relation,
    )


async def listed(browser: Browser, path: str = "/review") -> list[str]:
    """The stems of a list."""
    answer = await browser.get(path)
    assert answer.status_code == 200
    return _STEMS.findall(answer.text)


def stem(listing: Listing) -> str:
    """The name of its page."""
    return keys.stem_of(listing.key or "")


async def opened_in(journal: Journal) -> Entry:
    """The entry of a ciphertext that was stored, and whose content came later."""
    await journal.set_group(group(), expect=None)
    await journal.append(batch(encrypted("$c1")))
    (found,) = await journal.unopened(CONNECTOR, limit=1)
    await journal.judge([(found.seq, verdict(Outcome.REVIEW))])
    judged = await journal.entry(found.seq)
    assert judged is not None
    await journal.seal([sealing(judged)])
    sealed = await journal.entry(found.seq)
    assert sealed is not None
    await journal.store([proof(sealed)])
    await journal.decrypted([key(sealed)])
    return sealed


@pytest.mark.parametrize("what", ["drawn", "opened"])
async def test_what_waits_is_listed_behind_all_that_does_not(
    desk: Desk, tmp_path: Path, what: str
) -> None:
    """Neither samples of discards nor ciphertexts that were opened fill the list of what waits."""
    make = shut if what == "opened" else waiting
    before = [make(n, MONDAY + timedelta(seconds=n)) for n in range(MOST)]
    contents = [opened(1000 + each.n, each, Outcome.CAPTURE) for each in before]
    if what == "drawn":
        drawn = (ListedReason(code="AUDIT", rule="lot"),)
        before, contents = [replace(each, reasons=drawn) for each in before], []
    last = waiting(5000, TUESDAY)
    await tell(desk, tmp_path, [*before, *contents, last])
    browser = await desk.browser(Role.REVIEWER)
    assert await listed(browser) == [stem(last)]


async def test_the_oldest_days_are_listed_whole(desk: Desk, tmp_path: Path) -> None:
    """The day on which the list is full stands in it to its end; the page says there is more."""
    monday = [waiting(n, MONDAY + timedelta(seconds=n)) for n in range(MOST + 20)]
    tuesday = [waiting(5000 + n, TUESDAY + timedelta(seconds=n)) for n in range(3)]
    await tell(desk, tmp_path, [*monday, *tuesday])
    browser = await desk.browser(Role.REVIEWER)
    assert set(await listed(browser)) == {stem(each) for each in monday}
    assert "There are more." in (await browser.get("/review")).text
    await say(desk, monday[:21])
    assert set(await listed(browser)) == {stem(each) for each in [*monday[21:], *tuesday]}


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_a_ciphertext_that_was_opened_waits_for_nobody(
    desk: Desk, tmp_path: Path, outcome: Outcome
) -> None:
    """Whatever was decided of its content; one that is still encrypted waits."""
    entry = await opened_in(desk.journal)
    closed = shut(2, MONDAY)
    first = shut(entry.n, MONDAY)
    if outcome is Outcome.DISCARD:
        first = replace(first, stream=entry.stream.id)
    content = opened(9, first, outcome)
    await tell(desk, tmp_path, [first, closed, content])
    browser = await desk.browser(Role.REVIEWER)
    found = await listed(browser)
    assert stem(first) not in found
    assert stem(closed) in found


async def test_a_sample_is_decided_whatever_waits_in_other_groups(
    desk: Desk, tmp_path: Path
) -> None:
    """What was drawn of a group counts, also where an older backlog fills the list of all."""
    other = "ff112233445566aa"
    older = [waiting(n, MONDAY + timedelta(seconds=n)) for n in range(MOST)]
    alike = [waiting(5000 + n, TUESDAY + timedelta(seconds=n), gid=other) for n in range(9)]
    await tell(desk, tmp_path, [*older, *alike])
    browser = await desk.browser(Role.REVIEWER)
    path = f"/review/many?group={other}&code=DOUBT"
    for _ in range(SAMPLE):
        first, *_ = re.findall(r'href="/review/([0-9a-f-]+)"', (await browser.get(path)).text)
        fields = {"action": "discard", "why": "alike", "last": "0"}
        assert (await browser.post(f"/review/{first}", fields)).status_code == 303
    assert (await browser.get(path)).text.count('name="item"') == len(alike) - SAMPLE


@pytest.mark.parametrize("code", ["UNDECIDED", "HOLD"])
async def test_a_mark_is_lifted_also_from_what_became_a_record(
    desk: Desk, tmp_path: Path, code: str
) -> None:
    """By those who review what is sensitive, who may not discard it any more; then all see it."""
    kept = replace(said(1), reasons=(ListedReason(code=code, rule="r"),), part=1)
    await tell(desk, tmp_path, [kept])
    await say(desk, [kept], Label.ESCALATED)
    manager = await desk.browser(Role.RECORDS_MANAGER)
    sam = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    path, record = f"/review/{stem(kept)}", f"/records/{stem(kept)}"
    assert (await manager.get(record)).status_code == 404
    assert await listed(manager) == await listed(sam) == []
    assert await listed(sam, "/review?list=sensitive") == [stem(kept)]
    page = (await sam.get(path)).text
    assert 'value="keep"' in page
    assert 'value="discard"' not in page
    fields = {"why": "It is no private matter", "last": "1", "list": "sensitive"}
    assert (await sam.post(path, {**fields, "action": "discard"})).status_code == 400
    assert (await sam.post(path, {**fields, "action": "keep"})).status_code == 303
    assert await listed(sam, "/review?list=sensitive") == []
    assert (await manager.get(record)).status_code == 200
    page = (await sam.get(path)).text
    assert "It is a record. It may still be marked" in page
    assert 'value="keep"' not in page
    assert (await sam.post(path, {**fields, "last": "2", "action": "keep"})).status_code == 400


async def test_a_record_may_be_marked(desk: Desk, tmp_path: Path) -> None:
    """Nothing else is said of it any more; from its page, by who may review, and only once."""
    kept = said(1)
    await tell(desk, tmp_path, [kept])
    reviewer = await desk.browser(Role.REVIEWER)
    path, record = f"/review/{stem(kept)}", f"/records/{stem(kept)}"
    assert f'href="{path}"' in (await reviewer.get(record)).text
    reader = await desk.browser(Role.READER, name="rea")
    assert f'href="{path}"' not in (await reader.get(record)).text
    page = (await reviewer.get(path)).text
    offered = re.findall(r'name="action"[^>]* value="(\w+)"', page)
    assert offered == ["personal", "party", "escalate"]
    fields = {"why": "A family matter", "last": "0"}
    assert (await reviewer.post(path, {**fields, "action": "keep"})).status_code == 400
    assert (await reviewer.post(path, {**fields, "action": "personal"})).status_code == 303
    assert (await reviewer.post(path, {**fields, "action": "party"})).status_code == 404
    assert (await reader.get(record)).status_code == 404
    sam = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    assert await listed(sam, "/review?list=sensitive") == [stem(kept)]


def _parts(message: Listing) -> list[Listing]:
    """An edit of a message, an attachment that came late, and its content decrypted later."""
    found = []
    for n, kind in enumerate((RelationType.EDIT, RelationType.MEDIA, RelationType.DECRYPTED), 2):
        relation = ListedRelation(type=kind, upstream_id=message.upstream_id or "", n=message.n)
        part = waiting(n, MONDAY + timedelta(minutes=n))
        medium = ListedMedium(i=0, declared_type="image/png", name="decree.png")
        found.append(replace(part, body=f"Divorce {n}", media=(medium,), relates_to=relation))
    return found


async def test_a_mark_holds_for_all_of_a_message(desk: Desk, tmp_path: Path) -> None:
    """Its versions, files and content are shown, listed and found no more; a reply to it is."""
    message = replace(waiting(1, MONDAY), body="My divorce")
    reply = ListedRelation(type=RelationType.REPLY, upstream_id=message.upstream_id or "", n=1)
    answer = replace(waiting(9, MONDAY), body="Sorry to hear", relates_to=reply)
    parts = _parts(message)
    await tell(desk, tmp_path, [message, *parts, answer])
    reviewer = await desk.browser(Role.REVIEWER)
    sam = await desk.browser(Role.SENSITIVITY_REVIEWER, name="sam")
    assert "4 found" in (await reviewer.get("/search?q=divorce")).text
    await say(desk, [message], Label.PERSONAL)
    assert "0 found" in (await reviewer.get("/search?q=divorce")).text
    assert "0 found" in (await reviewer.get("/search?type=image")).text
    assert "4 found" in (await sam.get("/search?q=divorce")).text
    day = (await reviewer.get(f"/groups/{GID}/{message.day}")).text
    assert "ivorce" not in day
    assert "decree" not in day
    assert "Sorry to hear" in day
    assert await listed(reviewer) == [stem(answer)]
    assert set(await listed(sam)) == {stem(each) for each in (*parts, answer)}
    for each in parts:
        for path in (f"/review/{stem(each)}", f"/records/{stem(each)}"):
            assert (await reviewer.get(path)).status_code == 404
            assert (await sam.get(path)).status_code == 200


@pytest.mark.parametrize("marked", ["message", "edit"])
async def test_a_mark_holds_for_what_belongs_to_a_version(
    desk: Desk, tmp_path: Path, marked: str
) -> None:
    """The file of an edit that came late, and its text where that was fetched again."""
    message = replace(waiting(1, MONDAY), body="My divorce", upstream_id="$first")
    parts = _parts(message)[:1]
    edit = parts[0] = replace(parts[0], upstream_id="$edit")
    for n, kind in enumerate((RelationType.MEDIA, RelationType.RESCUED), 3):
        relation = ListedRelation(type=kind, upstream_id="$edit", n=edit.n)
        part = replace(waiting(n, MONDAY + timedelta(minutes=n)), body=f"Divorce {n}")
        parts.append(replace(part, upstream_id="$edit", revision=f"+{n}", relates_to=relation))
    await tell(desk, tmp_path, [message, *parts])
    await say(desk, [message if marked == "message" else edit], Label.PERSONAL)
    reviewer = await desk.browser(Role.REVIEWER)
    for each in (message, *parts):
        assert (await reviewer.get(f"/records/{stem(each)}")).status_code == 404
    assert "0 found" in (await reviewer.get("/search?q=divorce")).text


async def test_after_a_mark_the_next_is_one_that_may_be_seen(desk: Desk, tmp_path: Path) -> None:
    """Not a version of what was marked just now."""
    message = replace(waiting(1, MONDAY), body="My divorce")
    other = waiting(9, TUESDAY)
    await tell(desk, tmp_path, [message, _parts(message)[0], other])
    reviewer = await desk.browser(Role.REVIEWER)
    fields = {"action": "personal", "why": "A family matter", "last": "0"}
    answer = await reviewer.post(f"/review/{stem(message)}", fields)
    assert answer.headers["location"] == f"/review/{stem(other)}?list=waiting"
    fields["action"] = "discard"
    answer = await reviewer.post(f"/review/{stem(other)}", fields)
    assert answer.headers["location"] == "/review?list=waiting"


async def test_a_mark_is_seen_at_once_and_so_is_its_end(desk: Desk, tmp_path: Path) -> None:
    """Whatever was known of marks a moment before."""
    message = replace(waiting(1, MONDAY), body="My divorce")
    await tell(desk, tmp_path, [message])
    reviewer = await desk.browser(Role.REVIEWER)
    for label, count in ((Label.PERSONAL, 0), (None, 1), (Label.PARTY, 0)):
        await say(desk, [message], label)
        assert f"{count} found" in (await reviewer.get("/search?q=divorce")).text


def test_alike_is_what_has_the_same_reason() -> None:
    """However it came before a person: by lot, or because of what followed it."""
    reasons = (ListedReason(code="HINDSIGHT", rule="r"), ListedReason(code="ADVICE", rule="r"))
    raised = Item(listing=replace(waiting(1, MONDAY), reasons=reasons), group="", due=None)
    usual = Item(listing=waiting(2, MONDAY, code="ADVICE"), group="", due=None)
    assert raised.lot == usual.lot
