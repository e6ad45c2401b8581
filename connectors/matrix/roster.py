"""Who is in a room, as an event of our own making."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from bridge.model import Event, EventKind
from connectors.matrix.delivered import Delivery
from connectors.matrix.room import RoomState

ROSTER_EVERY = timedelta(days=1)
_MS = timedelta(milliseconds=1)


def add_rosters(
    delivery: Delivery, rooms: Mapping[str, RoomState], at: datetime, approved: frozenset[str]
) -> None:
    """Tell who is here: at our join, and at most once a day after changes."""
    now_ms = (at - datetime.fromtimestamp(0, at.tzinfo)) // _MS
    for group_id in delivery.place.stale:
        last = delivery.place.recorded.get(group_id)
        room = rooms.get(group_id)
        if last is None or room is None or not room.is_whole or group_id not in approved:
            continue
        if last and now_ms - last < ROSTER_EVERY // _MS:
            continue
        delivery.events.append(roster(group_id, room, at))
        delivery.place = msgspec.structs.replace(
            delivery.place,
            recorded={**delivery.place.recorded, group_id: now_ms},
            stale=tuple(g for g in delivery.place.stale if g != group_id),
        )


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
