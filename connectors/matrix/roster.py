"""Who is in a room, as an event of our own making."""

from __future__ import annotations

from datetime import datetime

from bridge.model import Event, EventKind
from connectors.matrix.room import RoomState


def roster(group_id: str, room: RoomState, at: datetime) -> Event:
    """Who is here at this time; ``raw`` is the exact events that say so."""
    members = room.present()
    names = sorted(member.display_name or member.user_id for member in members)
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(
        group_id=group_id,
        upstream_id=f"roster:{stamp}",
        kind=EventKind.ROSTER,
        observed_at=at,
        body="\n".join(names),
        upstream=(("members", str(len(members))),),
        raw=room.roster_bytes(),
    )
