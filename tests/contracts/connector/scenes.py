"""How a recorder comes into a group, on either server."""

from __future__ import annotations

from bridge.model import Batch, EventKind, Presence
from tests.contracts.connector.sides import Ability, Side
from tests.fakes.intake import Intake


async def recorded(side: Side, intake: Intake, name: str = "Flood cell") -> str:
    """A room that the recorder was invited to, joined, and has begun to record."""
    room = await side.room(name)
    await intake.start(room)
    await enter(side, intake, room)
    return room


async def enter(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder to an approved room and see it in."""
    await arrive(side, intake, room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))


async def arrive(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder, and have it join; what it is told of its join is not taken yet."""
    told = len(intake.sightings(room))
    await side.invite(room)
    if Ability.INVITATIONS in side.abilities:
        await intake.until(lambda: len(intake.sightings(room)) > told)
        await intake.connector.join(room)


async def enter_again(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder once more and see it in."""
    rosters = len(intake.of(room, EventKind.ROSTER))
    await arrive(side, intake, room)
    await intake.until(lambda: len(intake.of(room, EventKind.ROSTER)) > rosters)


def presences(side: Side, *presences: Presence) -> list[Presence]:
    """What is told of a stay: without invitations, where the platform has none."""
    has_invitations = Ability.INVITATIONS in side.abilities
    return [each for each in presences if has_invitations or each is not Presence.INVITED]


def has(intake: Intake, room: str, presence: Presence) -> bool:
    """Whether such a sighting came."""
    return any(sighting.presence is presence for sighting in intake.sightings(room))


def identities(batch: Batch) -> list[tuple[str, str]]:
    """What a batch brings, rosters apart: they are of the moment."""
    events = [event for event in batch.events if event.kind is not EventKind.ROSTER]
    return [(event.group_id, event.upstream_id) for event in events]
