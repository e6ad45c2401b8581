"""What a room's state, or an invitation to it, tells of the group itself."""

from __future__ import annotations

from datetime import datetime

from bridge.model import Presence, Sighting
from bridge.rawjson.fields import decode, text
from connectors.matrix.envelope import Events
from connectors.matrix.room import RoomState
from connectors.matrix.stay import own_leaver, own_membership

ENCRYPTED = "the room is encrypted, and this recorder has no keys"
_OBSTACLES = {True: ENCRYPTED, False: "", None: None}


def joined(group_id: str, room: RoomState, at: datetime, *, has_keys: bool) -> Sighting:
    """A group that we are in. ``has_keys``: what is encrypted there can be read by us."""
    return Sighting(
        group_id=group_id,
        presence=Presence.JOINED,
        at=at,
        name=room.name,
        obstacle="" if has_keys else _OBSTACLES[room.encryption],
        successor=room.successor,
    )


def left(group_id: str, events: Events, own_user: str, at: datetime) -> Sighting:
    """A group that we are in no longer, and who ended that."""
    by = own_leaver(events, own_user)
    presence = Presence.LEFT if by == own_user else Presence.REMOVED
    return Sighting(group_id=group_id, presence=presence, at=at, by=by)


def invited(
    group_id: str, state: Events, own_user: str, at: datetime, *, has_keys: bool
) -> Sighting:
    """A group that we are asked into, and by whom."""
    room = RoomState()
    by = None
    for raw in state:
        room.apply(raw)
        if own_membership(raw, own_user) == "invite":
            by = text(decode(raw) or {}, "sender")
    return Sighting(
        group_id=group_id,
        presence=Presence.INVITED,
        at=at,
        name=room.name,
        by=by,
        # What an invitation shows is not all of it.
        obstacle=ENCRYPTED if room.encrypted and not has_keys else None,
    )
