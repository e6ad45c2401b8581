"""Nothing is yielded of groups that are not approved."""

from __future__ import annotations

import asyncio

from bridge.model import EventKind, Presence
from tests.contracts.connector.scenes import enter, has, recorded
from tests.contracts.connector.sides import FakeSide, Side
from tests.fakes.intake import Intake


async def test_only_approved_groups(side: Side, intake: Intake) -> None:
    """Events of another group are counted, nothing else, and the group is proposed once."""
    room = await recorded(side, intake)
    other = await side.room("Other")
    await side.invite(other)
    await intake.until(lambda: has(intake, other, Presence.INVITED))
    await intake.connector.join(other)
    await intake.until(lambda: has(intake, other, Presence.JOINED))
    counted = intake.unlisted
    for n in range(3):
        await side.say(other, f"private {n}")
    last = await side.say(room, "last")
    await intake.until(lambda: last in intake.ids(room))
    assert intake.of(other) == []
    assert intake.unlisted == counted + 3
    (invited, joined) = intake.sightings(other)
    assert (invited.name, joined.presence) == ("Other", Presence.JOINED)


async def test_approval_matches_by_exact_id(side: Side, intake: Intake) -> None:
    """An id that is the beginning of another, or differs in case, approves nothing."""
    room = await side.room("Exact")
    await side.invite(room)
    await intake.start(room[:-1], room.upper(), f"{room}x")
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    await side.say(room, "not for the record")
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    assert intake.events == {}


async def test_approval_takes_effect_at_once(side: Side, intake: Intake) -> None:
    """Approved while the platform is waited for, a group's events come without that wait."""
    room = await side.room("Later")
    await side.invite(room)
    await intake.start()
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    waiting = asyncio.create_task(intake.take())
    if isinstance(side, FakeSide):
        await side.server.polling.wait()
    intake.approve(room)
    async with asyncio.timeout(15):
        given_up = await waiting
        await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    if isinstance(side, FakeSide):
        assert [each for each in intake.batches if not each.answered] == [given_up]


async def test_approved_after_the_join_it_begins_then(side: Side, intake: Intake) -> None:
    """Nothing from before the approval is recorded; the roster says who is there."""
    room = await side.room("Approved late")
    await side.invite(room)
    await intake.start()
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    early = await side.say(room, "early")
    await intake.until(lambda: intake.unlisted > 0)
    await intake.take() if intake.unlisted < 2 else None
    intake.approve(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    late = await side.say(room, "late")
    await intake.until(lambda: late in intake.ids(room))
    assert early not in intake.ids(room)
    assert len(intake.of(room, EventKind.ROSTER)) == 1
    assert intake.sightings(room)[-1].unreadable is False
    assert intake.losses == []


async def test_approval_withdrawn(side: Side, intake: Intake) -> None:
    """A group that is approved no longer yields nothing; approved again, it knows its state."""
    room = await recorded(side, intake)
    other = await recorded_too(side, intake, room)
    intake.approve(other)
    hidden = await side.say(room, "while not approved")
    await side.set(room, "m.room.retention", {"max_lifetime": 90_000})
    marker = await side.say(other, "marker")
    await intake.until(lambda: marker in intake.ids(other))
    intake.approve(room, other)
    told = await intake.take()
    assert [(s.group_id, s.unreadable) for s in told.sightings] == [(room, False)]
    again = await side.say(room, "approved again")
    await intake.until(lambda: again in intake.ids(room))
    assert hidden not in intake.ids(room)
    (event,) = [event for event in intake.of(room) if event.upstream_id == again]
    assert event.timer is not None
    assert event.timer.seconds == 90.0


async def recorded_too(side: Side, intake: Intake, *rooms: str) -> str:
    """One more recorded room."""
    other = await side.room("Second")
    intake.approve(*rooms, other)
    await enter(side, intake, other)
    return other


async def test_approved_and_withdrawn_before_the_first_delivery(side: Side, intake: Intake) -> None:
    """An approval that is gone again by the next delivery yields nothing."""
    room = await recorded(side, intake)
    intake.approve()
    await intake.restart()
    intake.approve(room)
    intake.approve()
    known = len(intake.events)
    await side.say(room, "not approved")
    await intake.until(lambda: intake.unlisted > 0)
    assert len(intake.events) == known
