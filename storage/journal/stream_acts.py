"""The acts that begin and end a stream."""

from __future__ import annotations

from datetime import datetime

from bridge import keys
from bridge.canonical import act_bytes
from bridge.canonical.json import Json, base64url_text, rfc3339
from bridge.model import Group
from bridge.protocols import EarlierStream, Placement, PlacementKind
from storage.journal.rows import StreamRow


def open_act(
    group: Group,
    *,
    stream: str,
    gid: str,
    stream_key: bytes,
    salt: bytes,
    at: datetime,
    previous: EarlierStream | None = None,
) -> Placement:
    """The act of a stream's beginning; ``previous`` is the one whose place it takes."""
    named = {"name": group.name} if group.name else {}
    details: dict[str, Json] = {
        "stream": stream,
        "stream_key": base64url_text(stream_key),
        "gid": gid,
        "platform": group.platform,
        "group": {"id": group.group_id, **named},
        "previous": _previous(previous) if previous else None,
    }
    return Placement(
        kind=PlacementKind.OPEN,
        folder=keys.act_folder(at),
        body=act_bytes(salt=salt, kind="open", at=at, by="bridge", details=details),
        connector=group.connector,
        group_id=group.group_id,
        at=at,
        stream=stream,
    )


def _previous(earlier: EarlierStream) -> dict[str, Json]:
    since: dict[str, Json] = {"from": rfc3339(earlier.since)} if earlier.since else {}
    return {
        "stream": earlier.stream,
        "last_n": earlier.last_n,
        **since,
        "to": rfc3339(earlier.until),
    }


def close_act(stream: StreamRow, *, total: int, salt: bytes, at: datetime) -> Placement:
    """The act of a stream's end, with the number of its events."""
    return Placement(
        kind=PlacementKind.CLOSE,
        folder=keys.act_folder(at),
        body=act_bytes(
            salt=salt,
            kind="close",
            at=at,
            by="bridge",
            details={"stream": stream.id, "total": total},
        ),
        connector=stream.connector,
        group_id=stream.group_id,
        at=at,
        stream=stream.id,
        total=total,
    )
