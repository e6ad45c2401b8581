"""Placing, reading and releasing legal holds in the browser; and what falls due."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.console.covered import OWN_GROUPS, WITHOUT_WORDS
from bridge.console.schedule import RetentionClass, Schedule
from bridge.console.veil import PASSED_OVER
from bridge.errors import JournalUnavailableError
from bridge.model import Group, GroupState, Outcome
from bridge.protocols import Label, Placement, PlacementKind
from bridge.protocols.hold_acts import StoreKnows
from bridge.protocols.holds import Holds, HoldScope
from bridge.protocols.people import Role
from storage.catalog import SqliteCatalog
from tests.unit.bridge.console.desk import Browser, Desk, console_over
from tests.unit.bridge.console.told import GID, said, say, tell

FORM = {"authority": "Inquiry chair", "matter": "INQ/7", "why": "s.21 notice"}


def _holds(desk: Desk) -> Holds:
    assert desk.parts.holds is not None
    return desk.parts.holds


async def _placed(browser: Browser, **more: str | list[str]) -> int:
    answer = await browser.post("/holds", {**FORM, "everything": "1", **more})
    assert answer.status_code == 303
    return int(answer.headers["location"].rpartition("/")[2])


def _gid(desk: Desk) -> str:
    return next(each.gid for each in desk.listings.values() if each.group_name)


async def test_a_hold_is_placed_with_its_scope(desk: Desk) -> None:
    """Groups, people by their names, days in the console's zone, and words; the trail first."""
    listing = next(each for each in desk.listings.values() if each.sender_id)
    assert listing.sender_id
    browser = await desk.browser(Role.FOI_OFFICER)
    fields: dict[str, str | list[str]] = {
        "everything": "",
        "groups": [listing.gid],
        "persons": listing.sender_id,
        "from": "2026-07-01",
        "to": "2026-07-31",
        "terms": '"budget" OR flood*',
    }
    number = await _placed(browser, **fields)
    hold = (await _holds(desk).holds(number - 1))[0]
    assert (hold.authority, hold.matter, hold.by, hold.why) == (
        "Inquiry chair",
        "INQ/7",
        "jo",
        "s.21 notice",
    )
    assert hold.scope.gids == (listing.gid,)
    assert listing.sender_id in hold.scope.persons
    assert hold.scope.since is not None
    assert hold.scope.until is not None
    assert hold.scope.since.isoformat() == "2026-06-30T23:00:00+00:00"
    assert hold.scope.until.isoformat() == "2026-07-31T23:00:00+00:00"
    (line,) = await desk.trail()
    assert (line.what, line.subject, line.details) == ("place hold", "INQ/7", "Inquiry chair")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Say what the hold covers"),
        ({"everything": "1", "terms": "budget"}, "not both"),
        ({"everything": "1", "matter": ""}, "for which matter"),
        ({"everything": "1", "authority": " "}, "on whose authority"),
        ({"everything": "1", "why": ""}, "Say why"),
        ({"everything": "1", "why": "x" * 1001}, "longer than"),
        ({"terms": '"open'}, "quotation mark"),
        ({"from": "yesterday"}, "Write days"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "before the first"),
        ({"to": "9999-12-31"}, "Write days"),
        ({"groups": "nowhere"}, "Choose groups"),
        ({"persons": "nobody at all"}, "give the full id"),
        ({"persons": "@nobody"}, "give the full id"),
    ],
)
async def test_what_is_not_understood_holds_nothing(
    desk: Desk, fields: dict[str, str], said: str
) -> None:
    """The page says what is wrong; nothing is left out by a slip, and nothing placed."""
    before = await _holds(desk).holds()
    browser = await desk.browser(Role.FOI_OFFICER)
    answer = await browser.post("/holds", {**FORM, **fields})
    assert answer.status_code == 400
    assert said in answer.text
    assert await _holds(desk).holds() == before


async def test_whoever_is_for_certain_groups_holds_those(desk: Desk) -> None:
    """Their hold names groups of theirs; others are not in the list."""
    gid = _gid(desk)
    browser = await desk.browser(Role.FOI_OFFICER, groups=frozenset({gid}))
    assert (await browser.post("/holds", {**FORM, "everything": "1"})).status_code == 400
    other = next(each.gid for each in desk.listings.values() if each.gid != gid)
    assert (await browser.post("/holds", {**FORM, "groups": [other]})).status_code == 400
    assert (await browser.post("/holds", {**FORM, "groups": [gid]})).status_code == 303


async def test_a_hold_says_what_it_covers_and_who_knows_of_it(desk: Desk) -> None:
    """Of the catalog how many messages; of recorder and store how far they are."""
    browser = await desk.browser(Role.HOLD_AUTHORITY)
    number = await _placed(browser)
    answer = await browser.get(f"/holds/{number}")
    assert f"{len(desk.listings)} messages" in answer.text
    assert "The store does not know of this hold" in answer.text
    assert "the act waits until the recorder runs" in answer.text
    act = Placement(
        kind=PlacementKind.HOLD,
        folder="acts/2026/03/01",
        body=b"{}",
        connector="",
        group_id="",
        at=desk.clock.now(),
    )
    await desk.journal.take_act(act, number=number)
    known = StoreKnows(held=5, unheld=2, at=desk.clock.now())
    await desk.journal.store_told(number, known)
    answer = await browser.get(f"/holds/{number}")
    assert "It has written this down in the log" in answer.text
    assert "does not hold 2" in answer.text
    assert not any(each.body in answer.text for each in desk.listings.values() if each.body)


async def _marked(desk: Desk, folder: Path) -> None:
    """Of three messages one is marked as personal."""
    listings = [said(n, body) for n, body in enumerate(("The budget.", "My divorce.", "Ok."), 1)]
    await tell(desk, folder, listings)
    await say(desk, listings[1:2], Label.PERSONAL)


@pytest.mark.parametrize(
    ("role", "counts"),
    [
        (Role.HOLD_AUTHORITY, {"budget": "3 messages", "divorce": "3 messages"}),
        (Role.FOI_OFFICER, {"budget": "1 message", "divorce": "0 messages"}),
        (Role.SENSITIVITY_REVIEWER, {"budget": "1 message", "divorce": "1 message"}),
    ],
)
async def test_a_hold_on_words_tells_nobody_what_they_may_not_read(
    desk: Desk, tmp_path: Path, role: Role, counts: dict[str, str]
) -> None:
    """Not by the catalog's count, nor by the number of objects that the store holds."""
    await _marked(desk, tmp_path)
    placer = await desk.browser(Role.FOI_OFFICER, name="foi")
    looking = await desk.browser(role, Role.HOLD_AUTHORITY)
    for word, count in counts.items():
        number = await _placed(placer, terms=word, everything="")
        known = StoreKnows(held=4711, unheld=0, at=desk.clock.now())
        await desk.journal.store_told(number, known)
        page = (await looking.get(f"/holds/{number}")).text
        assert f"{count}." in page
        assert (WITHOUT_WORDS in page) is (role is Role.HOLD_AUTHORITY)
        assert (PASSED_OVER in page) is (role is Role.FOI_OFFICER)
        assert ("4711" in page) is (role is Role.SENSITIVITY_REVIEWER)
        searched = [line.details for line in await desk.trail() if line.what == "search"]
        assert (f"hold={number}" in searched) is (role is not Role.HOLD_AUTHORITY)


async def test_a_hold_is_counted_in_the_groups_of_who_looks(desk: Desk, tmp_path: Path) -> None:
    """How much there is of it in others they do not learn."""
    await tell(desk, tmp_path, [said(1), said(2)])
    number = await _placed(await desk.browser(Role.FOI_OFFICER))
    mine = await desk.browser(Role.HOLD_AUTHORITY, name="al", groups=frozenset({GID}))
    page = (await mine.get(f"/holds/{number}")).text
    assert "2 messages." in page
    assert OWN_GROUPS in page
    other = await desk.browser(Role.HOLD_AUTHORITY, name="bo", groups=frozenset({"f" * 16}))
    assert "0 messages." in (await other.get(f"/holds/{number}")).text


async def test_somebody_else_releases_it(desk: Desk) -> None:
    """Not who placed it; with a reason; and once. Both deeds stand in the trail."""
    placer = await desk.browser(Role.HOLD_AUTHORITY)
    number = await _placed(placer)
    path = f"/holds/{number}/release"
    assert "somebody else has to release it" in (await placer.get(f"/holds/{number}")).text
    assert (await placer.post(path, {"why": "over"})).status_code == 400
    other = await desk.browser(Role.HOLD_AUTHORITY, name="al")
    await other.get(f"/holds/{number}")
    assert (await other.post(path, {"why": " "})).status_code == 400
    assert (await _holds(desk).releases()) == ()
    assert (await other.post(path, {"why": "The inquiry ended"})).status_code == 303
    assert (await other.post(path, {"why": "The inquiry ended"})).status_code == 409
    (released,) = await _holds(desk).releases()
    assert (released.hold, released.by, released.why) == (number, "al", "The inquiry ended")
    lines = [(line.who, line.allowed) for line in await desk.trail() if line.what == "release hold"]
    assert lines == [("jo", False), ("al", True), ("al", True)]
    assert "The inquiry ended" in (await other.get(f"/holds/{number}")).text


async def test_whoever_is_for_certain_groups_releases_holds_of_those(desk: Desk) -> None:
    """Not one that covers more."""
    number = await _placed(await desk.browser(Role.HOLD_AUTHORITY))
    gid = _gid(desk)
    other = await desk.browser(Role.HOLD_AUTHORITY, name="al", groups=frozenset({gid}))
    answer = await other.post(f"/holds/{number}/release", {"why": "over"})
    assert answer.status_code == 400
    assert await _holds(desk).releases() == ()


async def test_a_release_asks_again_who_one_is(desk: Desk) -> None:
    """After ten minutes the password is asked for first, and nothing is released."""
    number = await _placed(await desk.browser(Role.HOLD_AUTHORITY))
    other = await desk.browser(Role.HOLD_AUTHORITY, name="al")
    desk.clock.advance(601)
    answer = await other.post(f"/holds/{number}/release", {"why": "over"})
    assert answer.headers["location"] == f"/prove?next=%2Fholds%2F{number}"
    assert await _holds(desk).releases() == ()


@pytest.mark.parametrize("number", ["0", "99", "x", "1e0", "-1"])
async def test_a_hold_that_is_none_is_not_there(desk: Desk, number: str) -> None:
    """Whatever stands for its number."""
    browser = await desk.browser(Role.HOLD_AUTHORITY)
    assert (await browser.get(f"/holds/{number}")).status_code == 404
    assert (await browser.post(f"/holds/{number}/release", {"why": "x"})).status_code == 404


async def test_holds_are_placed_without_recorder_and_catalog(desk: Desk) -> None:
    """A hold must not wait for what is broken elsewhere."""
    desk.parts.ledger.found = JournalUnavailableError("none")  # type: ignore[attr-defined]
    browser = await desk.browser(Role.HOLD_AUTHORITY)
    number = await _placed(browser)
    answer = await browser.get(f"/holds/{number}")
    assert "Its journal cannot be read" in answer.text
    gone = SqliteCatalog(desk.root / "none.db")
    desk.app = await asyncio.to_thread(console_over, replace(desk.parts, catalog=gone))
    other = await desk.browser(Role.HOLD_AUTHORITY, name="al")
    number = await _placed(other)
    assert (await other.get(f"/holds/{number}")).status_code == 200
    assert (await other.get("/holds")).status_code == 200
    await gone.aclose()


@pytest.mark.parametrize("name", ["@minister:example.org", "5550001", "-1009999999999"])
@pytest.mark.parametrize("catalog", ["there", "away"])
async def test_a_hold_reaches_whoever_nothing_was_kept_of(
    desk: Desk, name: str, catalog: str
) -> None:
    """A full id is taken as it is, whether or not a catalog knows of it."""
    gone = SqliteCatalog(desk.root / "none.db")
    if catalog == "away":
        desk.app = await asyncio.to_thread(console_over, replace(desk.parts, catalog=gone))
    number = await _placed(
        await desk.browser(Role.FOI_OFFICER), everything="", persons=f"{name}\n{name}"
    )
    assert (await _holds(desk).holds(number - 1))[0].scope.persons == (name,)
    await gone.aclose()


async def test_a_released_hold_says_what_the_store_still_holds(desk: Desk) -> None:
    """As read back: what other holds cover, or nothing."""
    number = await _placed(await desk.browser(Role.HOLD_AUTHORITY))
    other = await desk.browser(Role.HOLD_AUTHORITY, name="al")
    await other.post(f"/holds/{number}/release", {"why": "over"})
    for held, told in [(3, "The store held 3 objects of it"), (0, "holds nothing for it any more")]:
        known = StoreKnows(held=held, unheld=4, at=desk.clock.now())
        await desk.journal.store_told(number, known)
        answer = await other.get(f"/holds/{number}")
        assert told in answer.text
        assert "does not hold 4" not in answer.text


async def test_words_of_strangers_stay_words(desk: Desk) -> None:
    """A matter that is markup, or turns the direction, is shown as text."""
    browser = await desk.browser(Role.HOLD_AUTHORITY)
    number = await _placed(browser, matter="<script>x</script>\u202e")
    for path in ("/holds", f"/holds/{number}"):
        text = (await browser.get(path)).text
        assert "<script>x" not in text
        assert "U+202E" in text


async def test_retention_says_what_falls_due_and_what_is_held(desk: Desk) -> None:
    """Classes with their groups, months with their counts; a held group is marked."""
    listing = next(each for each in desk.listings.values() if each.platform)
    group = Group(
        connector=listing.platform,
        platform=listing.platform,
        group_id=listing.group_id,
        name="Flood cell",
        state=GroupState.ACTIVE,
    )
    await desk.journal.set_group(group, expect=None)
    short = RetentionClass(name="short", days=365, authority="DfE/12")
    schedule = Schedule(
        usual=RetentionClass(name="", days=2555),
        classes=(short,),
        named={(group.connector, group.group_id): "short"},
    )
    parts = replace(desk.parts, schedule=schedule)
    desk.app = await asyncio.to_thread(console_over, parts)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    answer = await browser.get("/retention")
    assert "DfE/12" in answer.text
    assert "Flood cell" in answer.text
    assert "on hold</strong>" not in answer.text
    year = int(listing.day[:4])
    assert f">{year + 1}-" in answer.text
    assert f">{year + 6}-" in answer.text or f">{year + 7}-" in answer.text
    await _placed(browser, everything="", groups=[listing.gid])
    assert "on hold</strong>" in (await browser.get("/retention")).text
    captured = sum(each.outcome is Outcome.CAPTURE for each in desk.listings.values())
    assert captured


async def test_a_scope_that_is_everything_is_said_to_be(desk: Desk) -> None:
    """Whoever reads the hold need not conclude it from what is missing."""
    browser = await desk.browser(Role.HOLD_AUTHORITY)
    number = await _placed(browser)
    assert (await _holds(desk).standing())[-1].scope == HoldScope()
    assert "Everything, in all groups." in (await browser.get(f"/holds/{number}")).text
