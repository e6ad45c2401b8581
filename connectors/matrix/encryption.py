"""From where on a room is encrypted, and for whom: never again without, once it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connectors.matrix.envelope import Events
from connectors.matrix.fields import decode, salvage, table, text
from connectors.matrix.room import RoomState

ENCRYPTION = "m.room.encryption"


def encrypted(events: Events, *, is_now: bool) -> tuple[bool, ...]:
    """For each of ``events``, in their order, whether the room was encrypted when it came.

    ``is_now`` is of the room as it is known, which may be later than they are: so what stands
    before the event that began the encryption came in a room without.
    """
    begins = next((at for at, raw in enumerate(events) if _begins(raw)), None)
    if begins is None:
        return (is_now,) * len(events)
    return tuple(at >= begins for at in range(len(events)))


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
