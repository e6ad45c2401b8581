"""From where on a room is encrypted, and for whom: never again without, once it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from bridge.rawjson.fields import decode, salvage, table, text
from connectors.matrix.envelope import Events, JoinedRoom
from connectors.matrix.place import Backfill, Place
from connectors.matrix.room import RoomState

ENCRYPTION = "m.room.encryption"


def encrypted(events: Events, *, is_now: bool, was_plain: bool = False) -> tuple[bool, ...]:
    """For each of ``events``, in their order, whether the room was encrypted when it came.

    ``is_now`` is of the room as it is known, which may be later than they are: so what stands
    before the event that began the encryption came in a room without. ``was_plain``: it is known
    that the room was unencrypted before the first of them.
    """
    begins = next((at for at, raw in enumerate(events) if _begins(raw)), None)
    if begins is None:
        return (is_now and not was_plain,) * len(events)
    return tuple(at >= begins for at in range(len(events)))


def is_begun(events: Events) -> bool:
    """Whether the encryption began within ``events``."""
    return any(_begins(raw) for raw in events)


def keep_plain(
    place: Place, rooms: Mapping[str, RoomState], approved: frozenset[str], told: Collection[str]
) -> Place:
    """The place with the ``approved`` groups that are known to be unencrypted there.

    A room's state may be later than the place: what it says holds where it is unencrypted even
    so, or where the response has ``told`` of the room.
    """
    plain = tuple(
        group_id
        for group_id in sorted(place.recorded.keys() & approved)
        if (group_id in place.plain and group_id not in told)
        or ((room := rooms.get(group_id)) is not None and room.encryption is False)
    )
    return place if plain == place.plain else msgspec.structs.replace(place, plain=plain)


def before(room: RoomState, place: Place, group_id: str) -> Backfill:
    """What is known of a hole that would begin at ``place``; ``room`` is as it was there."""
    plain = group_id in place.plain or room.encryption is False
    return Backfill(group_id=group_id, until="", disappearing=room.disappearing, plain=plain)


def covered(joined: JoinedRoom, room: RoomState, hole: Backfill) -> tuple[bool, ...]:
    """:func:`encrypted` of a timeline before which there may be a hole."""
    was_plain = hole.plain and not joined.limited
    return encrypted(joined.timeline, is_now=room.encrypted, was_plain=was_plain)


def present(rooms: Mapping[str, RoomState], group_ids: Iterable[str]) -> frozenset[str]:
    """Who is in those of these groups that are encrypted."""
    known = (rooms.get(group_id) for group_id in group_ids)
    return frozenset(
        member.user_id
        for room in known
        if room is not None and room.encrypted
        for member in room.present()
    )


def _begins(raw: bytes) -> bool:
    """Whether this is the room's first setting of it; one that only changes it shows the last."""
    if not ((b"state_key" in raw and ENCRYPTION.encode() in raw) or b"\\u" in raw):
        return False
    event = decode(raw) or salvage(raw)
    if text(event, "type") != ENCRYPTION or text(event, "state_key") != "":
        return False
    unsigned = table(event, "unsigned")
    return not ("prev_content" in unsigned or "replaces_state" in unsigned)
