"""Nothing is yielded of groups that are not approved."""

from __future__ import annotations

import asyncio

from bridge.model import EventKind, Presence
from tests.contracts.connector.scenes import arrive, enter, has, presences, recorded
from tests.contracts.connector.sides import Ability, Side, SynapseSide
from tests.fakes.intake import Intake
from tests.patience import PATIENCE


async def test_only_approved_groups(side: Side, intake: Intake) -> None:
    """Events of another group are counted, nothing else, and the group is proposed once."""
    room = await recorded(side, intake)
    other = await side.room("Other")
    await arrive(side, intake, other)
    await intake.until(lambda: has(intake, other, Presence.JOINED))
    counted = intake.unlisted
    for n in range(3):
        await side.say(other, f"private {n}")
    last = await side.say(room, "last")
    await intake.until(lambda: last in intake.ids(room))
    assert intake.of(other) == []
    assert intake.unlisted == counted + 3
    told = intake.sightings(other)
    wanted = presences(side, Presence.INVITED, Presence.JOINED)
    assert [sighting.presence for sighting in told] == wanted
    assert told[0].name == "Other"


async def test_approval_matches_by_exact_id(side: Side, intake: Intake) -> None:
    """An id that is the beginning of another, or differs in case, approves nothing."""
    room = await side.room("Exact")
    await intake.start(*side.near(room))
    await arrive(side, intake, room)
    await side.say(room, "not for the record")
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    assert intake.events == {}


async def test_approval_takes_effect_at_once(side: Side, intake: Intake) -> None:
    """Approved while the platform is waited for, a group's events come without that wait."""
    room = await side.room("Later")
    await intake.start()
    await arrive(side, intake, room)
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    waiting = asyncio.create_task(intake.take())
    await side.polled()
    intake.approve(room)
    async with asyncio.timeout(PATIENCE):
        given_up = await waiting
        await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    if not isinstance(side, SynapseSide):
        assert [each for each in intake.batches if not each.answered] == [given_up]


async def test_approved_after_the_join_it_begins_then(side: Side, intake: Intake) -> None:
    """Nothing from before the approval is recorded; the roster says who is there."""
    room = await side.room("Approved late")
    await intake.start()
    await arrive(side, intake, room)
    await intake.until(lambda: has(intake, room, Presence.JOINED))
    known = intake.unlisted
    early = await side.say(room, "early")
    await intake.until(lambda: intake.unlisted > known)
    intake.approve(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    late = await side.say(room, "late")
    await intake.until(lambda: late in intake.ids(room))
    assert early not in intake.ids(room)
    assert len(intake.of(room, EventKind.ROSTER)) == 1
    assert intake.sightings(room)[-1].obstacle == ""
    assert intake.losses == []


async def test_approval_withdrawn(side: Side, intake: Intake) -> None:
    """A group that is approved no longer yields nothing; approved again, it knows its state."""
    room = await recorded(side, intake)
    other = await recorded_too(side, intake, room)
    intake.approve(other)
    hidden = await side.say(room, "while not approved")
    has_timers = Ability.TIMERS in side.abilities
    if has_timers:
        await side.set_timer(room, 90)
    marker = await side.say(other, "marker")
    await intake.until(lambda: marker in intake.ids(other))
    intake.approve(room, other)
    told = await intake.take()
    assert [(s.group_id, s.obstacle) for s in told.sightings] == [(room, "")]
    again = await side.say(room, "approved again")
    await intake.until(lambda: again in intake.ids(room))
    assert hidden not in intake.ids(room)
    (event,) = [event for event in intake.of(room) if event.upstream_id == again]
    assert (None if event.timer is None else event.timer.seconds) == (90.0 if has_timers else None)


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
