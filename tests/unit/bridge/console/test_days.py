"""A group's day: told apart, in a zone of one's choice, in pages, edits at their message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.console.conversation import arranged
from bridge.console.schedule import RetentionClass, Schedule
from bridge.console.zones import days_of, filed_days, zone_named
from bridge.model import Outcome, RelationType
from bridge.protocols.catalog import ListedReason
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Desk
from tests.unit.bridge.console.proving import path_of
from tests.unit.bridge.console.told import GID, STREAM, about, said, shapes, tell

DAY = f"/groups/{GID}/2026-06-01"


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
async def test_a_message_may_be_dated_to_the_ends_of_the_calendar(
    desk: Desk, tmp_path: Path, at: datetime, zone: str
) -> None:
    """Whoever writes it says when; every page that shows it is there."""
    dated = replace(said(1), sent_at=at)
    desk.parts = replace(desk.parts, zone=ZoneInfo(zone))
    await tell(desk, tmp_path, [dated, said(2)])
    browser = await desk.browser(Role.READER)
    for path in (DAY, f"{DAY}?tz={zone}", path_of(dated), "/search?q=Agreed"):
        answer = await browser.get(path)
        assert answer.status_code == 200, path
    assert "number 1</span>" in (await browser.get(DAY)).text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_a_day_may_be_at_the_ends_of_the_calendar(
    desk: Desk, tmp_path: Path, day: str
) -> None:
    """Where one is listed, all pages that count days are there."""
    schedule = Schedule(usual=RetentionClass(name="", days=2555))
    desk.parts = replace(desk.parts, schedule=schedule)
    await tell(desk, tmp_path, [replace(said(1), day=day), said(2)])
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for path in ("/overview", "/retention", DAY, f"{DAY}?tz=Asia/Tokyo", f"{DAY}?tz=Etc/GMT%2b5"):
        assert (await browser.get(path)).status_code == 200, path


async def test_what_was_decided_is_told_apart(desk: Desk, tmp_path: Path) -> None:
    """By a word each: significant, context, review, not kept with its reason, and damaged."""
    context = (ListedReason(code="CONTEXT", rule="near"),)
    social = (ListedReason(code="SOCIAL", rule="lunch"),)
    listings = [
        said(1),
        replace(said(2), reasons=context),
        replace(said(3), outcome=Outcome.REVIEW),
        replace(said(4, None), outcome=Outcome.DISCARD, reasons=social, key=None, sha256=None),
        replace(said(5, None), damaged=True),
    ]
    await tell(desk, tmp_path, listings)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(DAY)).text
    found, _ = shapes(page)
    names = [each.attributes["class"] for each in found if each.tag == "article"]
    assert [name.split("--")[1] for name in names] == [
        "capture",
        "context",
        "review",
        "discard",
        "damaged",
    ]
    assert "SOCIAL" in page
    assert (await desk.trail())[-1].what == "view day"


def test_what_happened_to_a_message_stands_with_it() -> None:
    """Edits, an edit of an edit, a removal, and reactions by their sign; replies stand alone."""
    turns = arranged(
        [
            said(1),
            about(said(2, "Agreed!"), 1, RelationType.EDIT),
            about(said(3, "👍"), 1, RelationType.REACTION),
            about(said(4, "👍"), 2, RelationType.REACTION),
            about(said(5, "Agreed!!"), 2, RelationType.EDIT),
            about(said(6, None), 1, RelationType.REDACTION),
            replace(about(said(7), 1, RelationType.EDIT), relates_to=None),
            about(said(8, "🎉"), 99, RelationType.REACTION),
        ]
    )
    assert [turn.listing.n for turn in turns] == [1, 7, 8]
    assert [each.n for each in turns[0].later] == [2, 5, 6]
    assert [(each.sign, len(each.given)) for each in turns[0].reactions] == [("👍", 2)]
    assert turns[0].numbers() == {1, 2, 3, 4, 5, 6}


def test_two_streams_of_one_day_are_not_mixed() -> None:
    """A number means something in its own stream only."""
    other = replace(about(said(1, "Other"), 1, RelationType.EDIT), stream="f" * 16, n=2)
    assert len(arranged([said(1), other])) == 2


async def test_an_edit_is_shown_at_its_message(desk: Desk, tmp_path: Path) -> None:
    """Both texts stand there; the reaction is one line with who gave it."""
    edit = about(said(2, "Agreed at noon."), 1, RelationType.EDIT)
    reaction = about(said(3, "👍"), 1, RelationType.REACTION)
    await tell(desk, tmp_path, [said(1), edit, reaction])
    browser = await desk.browser(Role.READER)
    found, text = shapes((await browser.get(DAY)).text)
    assert sum(each.tag == "article" for each in found) == 1
    assert "Agreed at noon." in text
    assert "👍 1 (Ann" in " ".join(text.split())
    ids = [each.attributes["id"] for each in found if each.attributes.get("id", "")[:1] == "n"]
    assert {f"n{n}-{STREAM}" for n in (1, 2, 3)} <= set(ids)


async def test_a_huge_day_has_pages(desk: Desk, tmp_path: Path) -> None:
    """250 messages each; a number leads to its page, where it is marked."""
    await tell(desk, tmp_path, [said(n, f"Text {n}") for n in range(1101)])
    browser = await desk.browser(Role.READER)
    first, last = (await browser.get(DAY)).text, (await browser.get(f"{DAY}?page=5")).text
    assert (first.count("<article"), last.count("<article")) == (250, 101)
    assert "Messages 1001 to 1101 of 1101." in last
    there = (await browser.get(f"{DAY}?n=750")).text
    assert "Messages 751 to 1000 of 1101." in there
    found, _ = shapes(there)
    marked = [
        each.attributes["id"] for each in found if "--here" in each.attributes.get("class", "")
    ]
    assert marked == [f"n750-{STREAM}"]
    assert "Number 5000 does not stand on this day." in (await browser.get(f"{DAY}?n=5000")).text


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=4",
        "page=x",
        "page=-1",
        "page=٣",
        "page=99999999999999999999",
        "n=1e3",
        "n=-5",
        "tz=Mars/Base",
        "tz=../../etc/passwd",
        "tz=Europe/",
        "tz=%00",
        f"tz={'x' * 5000}",
        "tz=posixrules/../UTC",
    ],
)
async def test_a_choice_that_cannot_be_is_refused_in_words(
    desk: Desk, tmp_path: Path, query: str
) -> None:
    """Never an exception, and the way back to the whole day."""
    await tell(desk, tmp_path, [said(n) for n in range(3)])
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"{DAY}?{query}")
    assert answer.status_code == 400
    assert "There is a problem" in answer.text


@pytest.mark.parametrize("day", ["2026-13-01", "yesterday", "2026-6-1", "0000-00-00", "%00"])
async def test_a_day_that_is_none(desk: Desk, tmp_path: Path, day: str) -> None:
    """There is no such page."""
    await tell(desk, tmp_path, [said(1)])
    browser = await desk.browser(Role.READER)
    assert (await browser.get(f"/groups/{GID}/{day}")).status_code == 404


async def test_a_long_day_is_still_one_page(desk: Desk, tmp_path: Path) -> None:
    """Up to 500 messages need no second one."""
    await tell(desk, tmp_path, [said(n) for n in range(500)])
    browser = await desk.browser(Role.READER)
    page = (await browser.get(DAY)).text
    assert page.count("<article") == 500
    assert "Next page" not in page


async def test_a_day_in_a_zone_is_that_of_its_clocks(desk: Desk, tmp_path: Path) -> None:
    """What was said at 23:30 in UTC stands on the next day in Tokyo, with Tokyo's time."""
    late = said(2, "Tide", at=datetime(2026, 6, 1, 23, 30, tzinfo=UTC))
    await tell(desk, tmp_path, [said(1, "Noon"), late])
    browser = await desk.browser(Role.READER)
    filed = (await browser.get(DAY)).text
    assert "Noon" in filed
    assert "Tide" in filed
    assert "2 June 2026, 00:30:00 BST" in filed
    here = (await browser.get(f"{DAY}?tz=Asia/Tokyo")).text
    assert "Noon" in here
    assert "Tide" not in here
    assert "1 June 2026, 21:00:01 JST" in here
    assert f"/groups/{GID}/2026-06-02?tz=Asia%2FTokyo" in here
    assert "Tide" in (await browser.get(f"/groups/{GID}/2026-06-02?tz=Asia/Tokyo")).text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_the_ends_of_the_calendar(desk: Desk, tmp_path: Path, day: str) -> None:
    """A day that has no neighbour is shown empty as filed, and refused in words in a zone."""
    await tell(desk, tmp_path, [said(1)])
    browser = await desk.browser(Role.READER)
    assert (await browser.get(f"/groups/{GID}/{day}")).status_code == 200
    assert (await browser.get(f"/groups/{GID}/{day}?tz=Asia/Tokyo")).status_code in {200, 400}
    assert (await browser.get(f"/groups/{GID}/{day}?tz=America/New_York")).status_code in {200, 400}


@pytest.mark.parametrize(
    ("zone", "filed"),
    [
        ("UTC", ["2026-03-29"]),
        ("Europe/London", ["2026-03-29"]),
        ("Asia/Tokyo", ["2026-03-28", "2026-03-29"]),
        ("America/New_York", ["2026-03-29", "2026-03-30"]),
    ],
)
def test_the_days_by_which_a_day_is_filed(zone: str, filed: list[str]) -> None:
    """Also where clocks change on it: London has 23 hours on 29 March 2026."""
    days = filed_days(date(2026, 3, 29), ZoneInfo(zone))
    assert [each.isoformat() for each in days] == filed
    assert all(date(2026, 3, 29) in days_of(each, ZoneInfo(zone)) for each in days)


def test_only_names_of_the_list_are_zones() -> None:
    """No path leads out of it."""
    assert zone_named("Europe/London") == ZoneInfo("Europe/London")
    assert zone_named("../../../etc/localtime") is None


async def test_a_day_is_closed_to_who_is_for_another_group(desk: Desk, tmp_path: Path) -> None:
    """Nothing is there for them, and that they asked stands in the trail."""
    await tell(desk, tmp_path, [said(1)])
    browser = await desk.browser(Role.READER, groups=frozenset({"f" * 16}))
    assert (await browser.get(DAY)).status_code == 404
    assert [line.what for line in await desk.trail()] == ["denied"]


async def test_neighbouring_days_are_a_step_away(desk: Desk, tmp_path: Path) -> None:
    """The nearest ones on which something was said."""
    days = [
        said(n, at=datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(days=7 * n)) for n in (0, 1, 2)
    ]
    await tell(desk, tmp_path, days)
    browser = await desk.browser(Role.READER)
    page = (await browser.get(f"/groups/{GID}/2026-06-08")).text
    assert "Earlier: 2026-06-01" in page
    assert "Later: 2026-06-15" in page
