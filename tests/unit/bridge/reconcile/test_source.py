"""What a platform still holds was seen, or it is known why not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bridge.errors import ConnectorRejectedError
from bridge.model import GroupState, Loss, Presence
from bridge.protocols import PastEvent
from bridge.reconcile import DayReport, Found
from tests.fakes import samples
from tests.unit.bridge.house import House
from tests.unit.bridge.reconcile.scene import (
    back_up,
    compared_with_source,
    counts,
    finding,
    lose_journal,
    reconciler_of,
    restore,
)

NOW = samples.NOW
DAY = "2026-03-01"


def _past(name: str, *, minutes: float = 0, excuse: str | None = None) -> PastEvent:
    """An event that the platform holds; ``minutes`` before now."""
    return PastEvent(upstream_id=name, sent_at=_ago(minutes), excuse=excuse)


def _ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def _day(
    upstream: int, journalled: int, excused: int = 0, reasons: dict[str, int] | None = None
) -> DayReport:
    return DayReport(
        day=DAY,
        upstream=upstream,
        journalled=journalled,
        excused=excused,
        missing=upstream - journalled - excused,
        reasons=reasons or {},
    )


@pytest.fixture
async def house(house: House) -> House:
    """Two events were journalled, and the platform was heard last at this moment."""
    await house.admit()
    await house.hear(samples.event("$1"), samples.event("$2"))
    await house.journal.heard("matrix", at=NOW)
    return house


async def _gap(
    house: House, why: str, *, since: datetime | None = None, until: datetime | None = None
) -> None:
    loss = Loss(group_id=samples.GROUP_ID, why=why, since=since, until=until)
    await house.journal.record_gap("matrix", loss, at=NOW)


async def _days(house: House, *past: PastEvent) -> list[DayReport]:
    """The days of the one group, as compared."""
    house.connector.past[samples.GROUP_ID] = past
    (group,) = (await compared_with_source(house)).groups
    assert group.trouble == ""
    return group.days


async def test_everything_was_seen(house: House) -> None:
    """Delivered and journalled, day by day, newest first."""
    old = samples.event("$0", sent_at=NOW - timedelta(days=2))
    await house.hear(old)
    house.connector.past[samples.GROUP_ID] = (
        _past("$2"),
        _past("$1", minutes=1),
        _past("$0", minutes=2 * 24 * 60),
    )
    report = await compared_with_source(house)
    assert (report.fits, report.subject) == (True, "source")
    (group,) = report.groups
    assert (group.connector, group.id, group.name) == ("matrix", samples.GROUP_ID, "Flood cell")
    assert [(day.day, day.upstream, day.journalled) for day in group.days] == [
        (DAY, 2, 2),
        ("2026-02-27", 1, 1),
    ]
    assert report.checked == {"events": 3, "groups": 1}


async def test_what_nobody_explains_is_a_finding(house: House) -> None:
    """Neither journalled nor excused nor in a gap: named by its id, and the command exits 1."""
    assert await _days(house, _past("$2"), _past("$never", minutes=3), _past("$1")) == [
        _day(3, 2, reasons={"unexplained": 1})
    ]
    report = await compared_with_source(house)
    assert counts(report) == {Found.UNEXPLAINED: 1}
    assert finding(report, Found.UNEXPLAINED).examples == ["$never"]
    assert not report.fits


async def test_an_event_without_a_time_is_in_no_gap(house: House) -> None:
    """It is counted under no day, and not explained away."""
    await _gap(house, "interrupted", since=_ago(60), until=NOW)
    house.connector.past[samples.GROUP_ID] = (PastEvent(upstream_id="$x", sent_at=None),)
    report = await compared_with_source(house)
    assert report.groups[0].days[0].day == "unknown"
    assert counts(report) == {Found.UNEXPLAINED: 1}


async def test_an_excuse_of_the_connector_counts_apart(house: House) -> None:
    """What need not be in the journal is no loss."""
    days = await _days(house, _past("$out", excuse="said outside"), _past("$2"))
    assert days == [_day(2, 1, 1, {"said outside": 1})]
    assert (await compared_with_source(house)).fits


async def test_what_was_sent_since_is_on_its_way(house: House) -> None:
    """Newer than our last word of the platform: it comes with the next delivery."""
    days = await _days(house, _past("$new", minutes=-1), _past("$2"))
    assert days == [_day(2, 1, 1, {"sent since the platform was last heard": 1})]


async def test_a_gap_explains_what_it_covers(house: House) -> None:
    """By its cause; what lies outside of its times is not explained by it."""
    await _gap(house, "interrupted", since=_ago(10), until=_ago(5))
    days = await _days(
        house, _past("$a", minutes=4), _past("$b", minutes=5), _past("$c", minutes=11)
    )
    assert days == [_day(3, 0, reasons={"interrupted": 1, "unexplained": 2})]


async def test_the_two_marks_of_a_pause_are_one_gap(house: House) -> None:
    """Between beginning and end, and not after it."""
    await _gap(house, "paused", since=_ago(20))
    await _gap(house, "paused", until=_ago(10))
    days = await _days(house, _past("$a", minutes=5), _past("$b", minutes=15))
    assert days == [_day(2, 0, reasons={"paused": 1, "unexplained": 1})]


async def test_a_pause_that_lasts_covers_all_since(house: House) -> None:
    """A beginning without an end."""
    await _gap(house, "paused", since=_ago(20))
    days = await _days(house, _past("$a", minutes=5), _past("$b", minutes=25))
    assert days == [_day(2, 0, reasons={"paused": 1, "unexplained": 1})]


async def test_a_gap_of_unknown_beginning_reaches_to_the_next_event_we_have(house: House) -> None:
    """What is older than that is not explained by it."""
    await _gap(house, "history_refused", until=_ago(3))
    days = await _days(
        house,
        _past("$a", minutes=2),
        _past("$2", minutes=4),
        _past("$b", minutes=5),
        _past("$c", minutes=6),
        _past("$1", minutes=7),
        _past("$d", minutes=8),
    )
    assert days == [_day(6, 2, reasons={"history_refused": 2, "unexplained": 2})]


async def test_a_lost_journal_explains_what_is_older_than_the_new_stream(house: House) -> None:
    """What it had nobody knows; what was fetched back of its time changes nothing of that."""
    await house.settle()
    await lose_journal(house)
    await house.admit()
    house.later(hours=2)
    assert await reconciler_of(house).glance() == 1
    now = house.clock.now()
    await house.journal.append(samples.batch(samples.event("$1", sent_at=_ago(60)), cursor=None))
    await house.journal.heard("matrix", at=now)
    days = await _days(
        house, _past("$2"), _past("$x", minutes=1), _past("$1", minutes=60), _past("$0", minutes=90)
    )
    assert days == [_day(4, 1, reasons={"journal_replaced": 3})]
    assert (await compared_with_source(house)).fits


async def test_a_restored_journal_explains_only_its_unknown_time(house: House) -> None:
    """Until its last word it was in order: what is missing of that time was never journalled."""
    await house.settle()
    await house.journal.heard("matrix", at=_ago(-5))
    copy = await back_up(house)
    later = house.later(hours=2)
    event = samples.event("$3", sent_at=later, observed_at=later)
    await house.journal.append(samples.batch(event, cursor=None))
    await house.settle()
    await restore(house, copy)
    assert await reconciler_of(house).glance() == 1
    await house.journal.heard("matrix", at=later)
    days = await _days(house, _past("$3", minutes=-60), _past("$0", minutes=90))
    assert days == [_day(2, 0, reasons={"journal_replaced": 1, "unexplained": 1})]


async def test_an_attachments_gap_explains_no_message(house: House) -> None:
    """It has no times, and is not of a message."""
    await _gap(house, "media_not_obtained")
    assert (await _days(house, _past("$a", minutes=5)))[0].reasons == {"unexplained": 1}


@pytest.mark.parametrize(
    "why", ["undecryptable", "not_rescued", "redacted_before_delivery", "paid_media_preview"]
)
@pytest.mark.parametrize("since", [10, None])
async def test_a_gap_of_one_event_explains_no_other(
    house: House, why: str, since: float | None
) -> None:
    """Its event is in the journal; what another lacks of the same time has no cause by that."""
    await _gap(house, why, since=None if since is None else _ago(since), until=_ago(1))
    assert (await _days(house, _past("$a", minutes=5)))[0].reasons == {"unexplained": 1}


async def test_a_source_that_refuses_costs_its_group_alone(house: House) -> None:
    """It stands in the report, with the platform's own words."""
    other = samples.group("!other:example.org")
    await house.admit(other)
    house.connector.past[samples.GROUP_ID] = (_past("$2"),)
    house.connector.past[other.group_id] = ConnectorRejectedError("You are not in this room.")
    report = await compared_with_source(house)
    assert [group.trouble for group in report.groups] == ["", "You are not in this room."]
    assert counts(report) == {Found.NOT_COMPARED: 1}
    assert not report.fits


async def test_groups_that_we_are_not_in_are_not_asked_for(house: House) -> None:
    """Nobody can page the history of a group from outside."""
    states = {
        "!a:example.org": (GroupState.REMOVED, Presence.REMOVED),
        "!b:example.org": (GroupState.CLOSED, Presence.JOINED),
        "!c:example.org": (GroupState.APPROVED, None),
        "!d:example.org": (GroupState.PAUSED, Presence.JOINED),
    }
    for group_id, (state, presence) in states.items():
        await house.admit(samples.group(group_id, state=state, presence=presence))
    report = await compared_with_source(house)
    assert [group.id for group in report.groups] == ["!d:example.org", samples.GROUP_ID]


async def test_a_connector_that_is_gone_is_said(house: House) -> None:
    """Its table was taken out of the settings."""
    house.connectors.clear()
    (group,) = (await compared_with_source(house)).groups
    assert "matrix" in group.trouble
