"""How a recorder comes into a group, on either server."""

from __future__ import annotations

from bridge.model import Batch, EventKind, Presence
from tests.contracts.connector.sides import Side
from tests.fakes.intake import Intake


async def recorded(side: Side, intake: Intake, name: str = "Flood cell") -> str:
    """A room that the recorder was invited to, joined, and has begun to record."""
    room = await side.room(name)
    await intake.start(room)
    await enter(side, intake, room)
    return room


async def enter(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder to an approved room and see it in."""
    await side.invite(room)
    await intake.until(lambda: has(intake, room, Presence.INVITED))
    await intake.connector.join(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))


async def enter_again(side: Side, intake: Intake, room: str) -> None:
    """Invite the recorder once more and see it in."""
    rosters = len(intake.of(room, EventKind.ROSTER))
    told = len(intake.sightings(room))
    await side.invite(room)
    await intake.until(lambda: len(intake.sightings(room)) > told)
    await intake.connector.join(room)
    await intake.until(lambda: len(intake.of(room, EventKind.ROSTER)) > rosters)


def has(intake: Intake, room: str, presence: Presence) -> bool:
    """Whether such a sighting came."""
    return any(sighting.presence is presence for sighting in intake.sightings(room))


def identities(batch: Batch) -> list[tuple[str, str]]:
    """What a batch brings, rosters apart: they are of the moment."""
    events = [event for event in batch.events if event.kind is not EventKind.ROSTER]
    return [(event.group_id, event.upstream_id) for event in events]
