"""What every journal promises of the timers of groups: what is pending is planned anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bridge import deadlines
from bridge.lifecycle import EntryState
from bridge.model import Batch, Event, EventKind, GroupTimer, NoticeState, Timer
from bridge.protocols import Entry
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    GROUP_ID,
    NOW,
    attachment,
    batch,
    event,
    group,
    placement,
    sighting,
)

RECEIVED, JUDGED, SEALED = EntryState.RECEIVED, EntryState.JUDGED, EntryState.SEALED
PROMPT = NOW + timedelta(seconds=60)


def standing(seconds: float | None, *, group_id: str = GROUP_ID) -> GroupTimer:
    """The group's standing timer, or its end."""
    timer = None if seconds is None else Timer(seconds=seconds, basis="standing")
    return GroupTimer(group_id=group_id, standing=timer)


def told(*timers: GroupTimer, events: tuple[Event, ...] = ()) -> Batch:
    """A delivery that tells timers."""
    return replace(batch(*events), timers=timers)


def own(upstream_id: str, seconds: float) -> Event:
    """A message with a timer of its own."""
    timer = Timer(seconds=seconds, basis="own")
    return replace(event(upstream_id, timer=timer), own_timer=timer)


def after(seconds: float) -> datetime:
    """That long after now."""
    return NOW + timedelta(seconds=seconds)


async def planned(subject: Subject, entry: Entry) -> tuple[datetime, datetime | None]:
    """The deadline an entry has now."""
    found = await subject.entry(entry.seq)
    return found.safe_by, found.expires_at


@pytest.mark.parametrize(
    ("one", "other", "shortest"),
    [(None, None, None), (30.0, None, 30.0), (None, 5.5, 5.5), (30.0, 7.0, 7.0), (7.0, 30.0, 7.0)],
)
async def test_the_register_has_the_shortest(
    subject: Subject, one: float | None, other: float | None, shortest: float | None
) -> None:
    """A group shows what a message said now disappears by, over a restart too."""
    default = None if other is None else Timer(seconds=other, basis="default")
    await subject.journal.append(told(standing(9.0)))
    await subject.journal.append(told(replace(standing(one), default=default)))
    await subject.restart()
    timer = (await subject.group()).timer
    assert (None if timer is None else timer.seconds) == shortest
    if timer is not None:
        assert timer.basis == ("default" if timer.seconds == other else "standing")


async def test_what_is_pending_is_planned_anew(subject: Subject) -> None:
    """Received, judged and sealed entries get the deadline the new timer asks for."""
    entries = [
        *await subject.received(event("$1")),
        await subject.judged(of=event("$2")),
        await subject.sealed(of=event("$3")),
    ]
    await subject.journal.append(told(standing(40.0)))
    for entry in entries:
        assert await planned(subject, entry) == (after(30), after(40))
    await subject.journal.append(told(standing(None)))
    for entry in entries:
        assert await planned(subject, entry) == (PROMPT, None)


async def test_a_delivery_with_its_own_events(subject: Subject) -> None:
    """Events of the same delivery have the deadline they came with."""
    await subject.journal.append(told(standing(40.0), events=(event("$1", timer=20.0),)))
    (entry,) = await subject.claimed(RECEIVED)
    assert entry.expires_at == after(20)


async def test_a_messages_own_timer_holds(subject: Subject) -> None:
    """No change of the group's timer makes a message's own timer longer."""
    (short,) = await subject.received(own("$short", 20.0))
    (long,) = await subject.received(own("$long", 300.0))
    await subject.journal.append(told(standing(100.0)))
    assert await planned(subject, short) == (after(10), after(20))
    assert await planned(subject, long) == (PROMPT, after(100))
    await subject.journal.append(told(standing(None)))
    assert await planned(subject, short) == (after(10), after(20))
    assert await planned(subject, long) == (PROMPT, after(300))


async def test_a_default_plans_nothing_anew(subject: Subject) -> None:
    """What runs only for what is said from now on moves nothing that was said."""
    (entry,) = await subject.received(event("$1"))
    timer = GroupTimer(group_id=GROUP_ID, default=Timer(seconds=10.0, basis="default"))
    await subject.journal.append(told(timer))
    assert await planned(subject, entry) == (PROMPT, None)


async def test_the_last_timer_of_a_delivery_holds(subject: Subject) -> None:
    """A timer that was changed twice within one delivery counts as it stands at its end."""
    (entry,) = await subject.received(event("$1"))
    await subject.journal.append(told(standing(10.0), standing(40.0)))
    assert await planned(subject, entry) == (after(30), after(40))
    timer = (await subject.group()).timer
    assert timer is not None
    assert timer.seconds == 40.0


async def test_telling_it_again_changes_nothing(subject: Subject) -> None:
    """The same timer told again, as by a repeated delivery, leaves deadlines and pauses alone."""
    await subject.journal.append(told(standing(40.0)))
    entry = await subject.sealed(of=event("$1", timer=40.0))
    until = after(50)
    await subject.journal.fail(entry.seq, error="x", next_try=until)
    before = await subject.entry(entry.seq)
    await subject.journal.append(told(standing(40.0)))
    await subject.journal.append(told(standing(40.0)))
    assert await subject.entry(entry.seq) == before
    assert await subject.seqs(SEALED, now=until - timedelta(milliseconds=1)) == []


async def test_other_groups_keep_theirs(subject: Subject) -> None:
    """A timer is its own group's alone."""
    await subject.admit("!other")
    mine, other = await subject.received(event("$1"), event("$2", group_id="!other"))
    await subject.journal.append(told(standing(10.0, group_id="!other")))
    assert await planned(subject, mine) == (PROMPT, None)
    assert await planned(subject, other) == (after(5), after(10))


async def test_the_same_group_of_another_connector(subject: Subject) -> None:
    """The timer that one account was told is not another account's."""
    await subject.journal.set_group(group(connector="second"), expect=None)
    (entry,) = await subject.received(event("$1"))
    await subject.journal.append(replace(told(standing(10.0)), connector="second"))
    assert await planned(subject, entry) == (PROMPT, None)
    timers = {each.connector: each.timer for each in await subject.journal.groups()}
    assert timers[CONNECTOR] is None
    assert timers["second"] is not None


@pytest.mark.parametrize("group_id", ["!nobody", "!\ud800"])
async def test_an_unknown_group_is_passed_over(subject: Subject, group_id: str) -> None:
    """The timer of a group that nobody listed changes nothing and costs the delivery nothing."""
    (entry,) = await subject.received(event("$1"))
    before = await subject.journal.groups()
    timers = (standing(5.0, group_id=group_id), standing(40.0))
    answer = await subject.journal.append(told(*timers, events=(event("$2"),)))
    assert answer.new == 1
    found = await subject.journal.groups()
    assert [each.group_id for each in found] == [each.group_id for each in before]
    assert await planned(subject, entry) == (after(30), after(40))


async def test_a_group_that_is_first_seen_has_its_timer(subject: Subject) -> None:
    """Sightings come before timers: a group just proposed shows the timer told with it."""
    delivery = replace(
        told(standing(30.0, group_id="!new")), sightings=(sighting(group_id="!new", name="New"),)
    )
    await subject.journal.append(delivery)
    assert (await subject.group("!new")).timer == Timer(seconds=30.0, basis="standing")


async def test_the_timer_outlives_other_changes(subject: Subject) -> None:
    """A sighting and a settled notice leave the timer; a writer with a stale group is refused."""
    due = group("!due", notice=NoticeState.DUE)
    await subject.journal.set_group(due, expect=None)
    await subject.journal.append(told(standing(30.0, group_id="!due")))
    await subject.journal.append(batch(sightings=[sighting(group_id="!due", name="New")]))
    await subject.journal.settle_notice(
        due, notice=NoticeState.POSTED, note="", act=placement(group_id="!due")
    )
    found = await subject.group("!due")
    assert (found.name, found.notice) == ("New", NoticeState.POSTED)
    assert found.timer == Timer(seconds=30.0, basis="standing")
    assert not await subject.journal.set_group(replace(found, note="x"), expect=due)
    assert await subject.journal.set_group(replace(found, timer=None), expect=found)
    assert (await subject.group("!due")).timer is None


async def test_closed_streams_are_planned_anew(subject: Subject) -> None:
    """What is pending of a stream that ended still disappears from the platform."""
    entry = await subject.sealed(of=event("$1"))
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.journal.append(told(standing(40.0)))
    assert await planned(subject, entry) == (after(30), after(40))


async def test_what_is_at_rest_keeps_its_deadline(subject: Subject) -> None:
    """Stored and discarded entries have no deadline to move."""
    stored = await subject.stored(of=event("$1"))
    discarded = await subject.sealed(DISCARD, of=event("$2"))
    await subject.journal.append(told(standing(10.0)))
    assert await subject.entry(stored.seq) == stored
    assert await subject.entry(discarded.seq) == discarded


async def test_a_promoted_discard_keeps_its_own(subject: Subject) -> None:
    """The deadline of a promotion comes from its decision, not from the group's timer."""
    entry = await subject.sealed(DISCARD, of=event("$1"))
    await subject.promote(entry)
    await subject.journal.append(told(standing(10.0)))
    assert await planned(subject, entry) == (LATER, None)


async def test_the_nearest_deadline_comes_first(subject: Subject) -> None:
    """Claims follow the new order, the hopeless ones last."""
    await subject.admit("!other")
    first, second = await subject.received(
        event("$1", timer=30.0), event("$2", group_id="!other", timer=100.0)
    )
    await subject.journal.append(told(standing(12.0, group_id="!other")))
    assert [entry.seq for entry in await subject.claimed(RECEIVED, now=NOW)] == [
        second.seq,
        first.seq,
    ]
    subject.journal.release([first.seq, second.seq])
    found = await subject.journal.claim(RECEIVED, now=NOW, limit=9, feasible=after(13))
    assert [entry.seq for entry in found] == [first.seq, second.seq]


async def test_orders_are_planned_anew(subject: Subject) -> None:
    """Waiting downloads follow their message's new deadline, also once it was stored without."""
    await subject.admit("!other")
    await subject.received(
        event("$1", timer=30.0, attachments=[attachment("a")]),
        event("$2", group_id="!other", attachments=[attachment("b")]),
    )
    kept = await subject.stored(of=event("$3", group_id="!other", attachments=[attachment("c")]))
    await subject.journal.append(told(standing(10.0, group_id="!other")))
    found = [await subject.order(now=NOW) for _ in range(3)]
    assert [(order.attachment.name, order.due) for order in found] == [
        ("b", after(5)),
        ("c", after(5)),
        ("a", after(20)),
    ]
    assert found[1].seq == kept.seq


async def test_an_order_that_rests_is_due_when_time_is_short(subject: Subject) -> None:
    """A pause that was measured by a later deadline ends with it; no other change ends one."""
    await subject.received(event("$1", attachments=[attachment()]))
    order = await subject.order(now=NOW)
    await subject.journal.download_failed(order, why="x", at=NOW, next_try=after(50))
    await subject.journal.append(told(standing(90.0)))
    assert await subject.journal.claim_download(now=NOW) is None
    await subject.journal.append(told(standing(20.0)))
    again = await subject.order(now=NOW)
    assert (again.id, again.attempts, again.due) == (order.id, 1, after(10))


async def test_a_finished_download_is_left_alone(subject: Subject) -> None:
    """What came is not asked for again."""
    _, order = await subject.with_order()
    await subject.downloaded(order)
    await subject.journal.append(told(standing(10.0)))
    assert await subject.journal.claim_download(now=LATER) is None


async def test_a_failed_entry_is_due_when_time_is_short(subject: Subject) -> None:
    """An entry that rests after a failure is tried at once under a nearer deadline."""
    entry = await subject.sealed(of=event("$1"))
    await subject.journal.fail(entry.seq, error="x", next_try=after(50))
    await subject.journal.append(told(standing(20.0)))
    (claimed,) = await subject.claimed(SEALED, now=NOW)
    assert (claimed.seq, claimed.attempts) == (entry.seq, 1)


@pytest.mark.parametrize(("seconds", "half"), [(20.0, 5.0), (None, 30.0)])
async def test_the_wait_for_media_follows(
    subject: Subject, seconds: float | None, half: float
) -> None:
    """A judged entry waits for its media half the new time, be it shorter or longer."""
    judged = event("$1", timer=40.0, attachments=[attachment()])
    entry = await subject.judged(of=judged)
    assert await subject.seqs(JUDGED, now=after(15)) == [entry.seq]
    await subject.journal.append(told(standing(seconds)))
    assert await subject.seqs(JUDGED, now=after(half) - timedelta(milliseconds=1)) == []
    assert await subject.seqs(JUDGED, now=after(half)) == [entry.seq]


@pytest.mark.parametrize("state", [RECEIVED, JUDGED, SEALED])
async def test_who_waits_is_woken(subject: Subject, state: EntryState) -> None:
    """Whoever waits for work looks again after a timer was told."""
    await subject.claimed(state)
    task = asyncio.create_task(subject.journal.work(state, seconds=600))
    await asyncio.sleep(0)
    await subject.journal.append(told(standing(20.0)))
    await task


async def test_the_timer_of_a_late_medium(subject: Subject) -> None:
    """A medium that came after the seal is planned anew by its message's own timer."""
    entry = await subject.sealed(of=replace(own("$1", 50.0), attachments=(attachment(),)))
    await subject.downloaded(await subject.order(now=NOW))
    (late,) = [each for each in await subject.claimed(RECEIVED) if each.seq != entry.seq]
    assert late.event.kind is EventKind.MEDIA
    await subject.journal.append(told(standing(None)))
    assert await planned(subject, late) == (after(40), after(50))


async def _late(subject: Subject, *, of: Event, stored: bool, timer: GroupTimer) -> Entry:
    """The entry of a medium that came once its message was sealed and its timer told anew."""
    told_of = replace(of, attachments=(attachment(),))
    entry = await (subject.stored(of=told_of) if stored else subject.sealed(of=told_of))
    await subject.journal.append(told(timer))
    await subject.restart()
    await subject.downloaded(await subject.order(now=NOW), at=after(1))
    (late,) = [each for each in await subject.claimed(RECEIVED) if each.seq != entry.seq]
    return late


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("was", "now", "safe", "ends"),
    [(20.0, 40.0, 30, 40), (40.0, 20.0, 10, 20), (None, 40.0, 30, 40), (20.0, None, 61, None)],
)
async def test_a_late_medium_has_the_timer_that_holds_now(
    subject: Subject,
    was: float | None,
    now: float | None,
    safe: float,
    ends: float | None,
    *,
    stored: bool,
) -> None:
    """It is planned by what ends its message when it comes, not by what did when that was said."""
    late = await _late(subject, of=event("$1", timer=was), stored=stored, timer=standing(now))
    assert (late.safe_by, late.expires_at) == (after(safe), None if ends is None else after(ends))
    assert late.event.timer == standing(now).standing
    await subject.journal.append(told(standing(now)))
    assert await planned(subject, late) == (late.safe_by, late.expires_at)


async def test_a_late_medium_keeps_its_messages_own_timer(subject: Subject) -> None:
    """The group's timer comes on top of the message's own; of both the first to end counts."""
    late = await _late(subject, of=own("$1", 20.0), stored=True, timer=standing(40.0))
    assert (late.expires_at, late.event.timer) == (after(20), own("$1", 20.0).timer)


async def test_a_late_medium_of_state_has_no_timer(subject: Subject) -> None:
    """What a message that is state of its group offers stays, as that does."""
    said = replace(event("$1"), upstream=(("type", "x"), (deadlines.STATE_FACT, "")))
    late = await _late(subject, of=said, stored=True, timer=standing(40.0))
    assert (late.expires_at, late.event.timer) == (None, None)
    await subject.journal.append(told(standing(20.0)))
    assert await planned(subject, late) == (late.safe_by, None)


async def test_state_is_not_removed_by_a_timer(subject: Subject) -> None:
    """Whatever its kind, what the platform calls state of the group has no new deadline."""
    said = replace(event("$1", kind=EventKind.UNKNOWN), upstream=((deadlines.STATE_FACT, ""),))
    (entry,) = await subject.received(said)
    await subject.journal.append(told(standing(20.0)))
    assert await planned(subject, entry) == (PROMPT, None)


@pytest.mark.parametrize("basis", ["standing", "\ud800"])
async def test_a_late_medium_knows_what_its_timer_comes_from(subject: Subject, basis: str) -> None:
    """The rule and the start of the group's timer outlast a restart, whatever it is called."""
    timer = Timer(seconds=40.0, basis=basis, from_receipt=True)
    told_now = GroupTimer(group_id=GROUP_ID, standing=timer)
    late = await _late(subject, of=event("$1"), stored=True, timer=told_now)
    basis = basis.encode("utf-8", "replace").decode()
    assert late.event.timer == replace(timer, basis=basis)
    assert late.expires_at == after(41)


async def test_more_than_a_page_is_planned_anew(subject: Subject) -> None:
    """A change reaches everything that is pending, however much it is."""
    await subject.journal.append(batch(*(event(f"${i}", raw=b"{}") for i in range(1203))))
    await subject.journal.append(told(standing(40.0)))
    found = await subject.claimed(RECEIVED, limit=9999)
    assert len(found) == 1203
    assert {entry.expires_at for entry in found} == {after(40)}
