"""Recording keeps to the recorder's own membership, from its join to its end."""

from __future__ import annotations

from bridge.model import EventKind, Presence
from tests.contracts.connector.scenes import (
    arrive,
    enter,
    enter_again,
    has,
    presences,
    recorded,
)
from tests.contracts.connector.sides import Ability, Side, needs
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake


async def test_nothing_from_before_the_own_join(side: Side, intake: Intake) -> None:
    """Recording begins with the own join, though the platform shows what was before."""
    room = await side.room("History")
    before = {await side.say(room, "before") for _ in range(3)}
    await intake.start(room)
    await enter(side, intake, room)
    after = await side.say(room, "after")
    await intake.until(lambda: after in intake.ids(room))
    assert before.isdisjoint(intake.ids(room))
    first = intake.of(room)[0]
    assert (first.kind, first.body) == (EventKind.MEMBERSHIP, side.came)
    assert ("subject", side.own_id) in first.upstream
    wanted = presences(side, Presence.INVITED, Presence.JOINED)
    assert [sighting.presence for sighting in intake.sightings(room)] == wanted
    assert intake.losses == []


async def test_a_join_followed_by_much(side: Side, intake: Intake) -> None:
    """More since the own join than one delivery holds is fetched, and nothing before it."""
    room = await side.room("Busy")
    before = await side.say(room, "before")
    await intake.start(room)
    await arrive(side, intake, room)
    said = {await side.say(room, f"message {n}") for n in range(130)}
    await intake.until(lambda: said <= intake.ids(room), after_each=intake.restart)
    assert before not in intake.ids(room)
    assert intake.losses == []


async def test_a_new_name_of_ours_is_no_join(side: Side, intake: Intake) -> None:
    """What was said between the own join and a change of the own name is kept."""
    needs(side, Ability.NAMES)
    room = await side.room("Renamed")
    await intake.start(room)
    await arrive(side, intake, room)
    said = await side.say(room, "between")
    await side.rename(room, "Records office")
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    assert said in intake.ids(room)


async def test_the_first_sync_keeps_to_the_own_stay(side: Side, intake: Intake) -> None:
    """Without a cursor, of a group joined before, nothing from before that join is delivered."""
    room = await side.room("Joined before")
    before = await side.say(room, "before")
    await intake.start()
    await side.invite(room)
    await intake.connector.join(room)
    after = await side.say(room, "after")
    intake.approve(room)
    await intake.until(lambda: after in intake.ids(room))
    assert before not in intake.ids(room)
    assert intake.losses == []


async def test_put_out(side: Side, intake: Intake) -> None:
    """A kick is recorded with what was said before it, and told as a removal, with who did it."""
    room = await recorded(side, intake)
    before = await side.say(room, "before the kick")
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    assert before in intake.ids(room)
    last = intake.of(room)[-1]
    assert (last.kind, last.body) == (EventKind.MEMBERSHIP, side.left)
    assert ("subject", side.own_id) in last.upstream
    assert last.sender is not None
    assert intake.sightings(room)[-1].by == last.sender.id


async def test_kept_out(side: Side, intake: Intake) -> None:
    """A ban is recorded and told like a kick."""
    room = await recorded(side, intake)
    await side.ban(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    last = intake.of(room)[-1]
    assert (last.kind, last.body) == (EventKind.MEMBERSHIP, side.banned)


async def test_put_out_and_let_in_again(side: Side, intake: Intake, clock: FakeClock) -> None:
    """What was said while the recorder was out is not recorded; the new join begins anew."""
    room = await recorded(side, intake)
    clock.advance(1)
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    between = await side.say(room, "between")
    await enter_again(side, intake, room)
    assert between not in intake.ids(room)
    assert len(intake.of(room, EventKind.ROSTER)) == 2


async def test_put_out_and_asked_in_while_down(
    side: Side, intake: Intake, clock: FakeClock
) -> None:
    """A kick that was followed by an invitation is recorded; nothing from between is."""
    room = await recorded(side, intake)
    clock.advance(1)
    before = await side.say(room, "before the kick")
    await side.kick(room)
    between = await side.say(room, "between")
    await enter_again(side, intake, room)
    told = [sighting.presence for sighting in intake.sightings(room)]
    stays = (Presence.INVITED, Presence.JOINED, Presence.REMOVED)
    assert told == presences(side, *stays, Presence.INVITED, Presence.JOINED)
    assert before in intake.ids(room)
    assert between not in intake.ids(room)
    assert side.left in [event.body for event in intake.of(room, EventKind.MEMBERSHIP)]
    assert intake.losses == []


async def test_out_and_in_again_while_down(side: Side, intake: Intake) -> None:
    """Of a stay that ended and one that began, all is recorded; nothing from between is."""
    room = await recorded(side, intake)
    before = await side.say(room, "before the kick")
    await side.kick(room)
    between = await side.say(room, "between")
    await side.invite(room)
    await intake.connector.join(room)
    after = await side.say(room, "after")
    await intake.until(lambda: {before, after} <= intake.ids(room))
    assert between not in intake.ids(room)


async def test_a_stay_that_went_by_while_down(side: Side, intake: Intake) -> None:
    """In and out again between two deliveries: what was said in that stay is recorded."""
    room = await side.room("Short stay")
    before = await side.say(room, "before")
    await intake.start(room)
    await arrive(side, intake, room)
    said = await side.say(room, "while in")
    await side.kick(room)
    await intake.until(lambda: has(intake, room, Presence.REMOVED))
    assert said in intake.ids(room)
    assert before not in intake.ids(room)
    assert intake.of(room)[-1].body == side.left


async def test_put_out_after_much(side: Side, intake: Intake) -> None:
    """More before a kick than one delivery holds is fetched nevertheless."""
    room = await recorded(side, intake)
    said = {await side.say(room, f"message {n}") for n in range(120)}
    await side.kick(room)
    after = await side.say(room, "after the kick")
    await intake.until(lambda: said <= intake.ids(room))
    assert has(intake, room, Presence.REMOVED)
    assert after not in intake.ids(room)
    assert intake.losses == []


async def test_an_invitation_is_told(side: Side, intake: Intake) -> None:
    """An invitation tells name and inviter, and yields no events."""
    needs(side, Ability.INVITATIONS)
    await intake.start()
    room = await side.room("Invited")
    await side.invite(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    (sighting,) = intake.sightings(room)
    assert sighting.name == "Invited"
    assert sighting.by is not None
    assert sighting.by.startswith("@clerk")
    assert intake.events == {}
