"""Events as a homeserver sends them, and the values every test of the mapping shares."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

from hypothesis import strategies as st

from bridge.canonical import CaptureTool, RecordFrame, record_bytes
from bridge.canonical.json import Json
from bridge.model import CaptureMethod, Event, Relation, RelationType
from connectors.matrix.mapping import map_event
from connectors.matrix.room import RoomState
from connectors.matrix.timers import server_default

ROOM = "!permits:town.example"
CLERK = "@clerk:town.example"
MAYOR = "@mayor:town.example"
RECORDER = "@recorder:town.example"
SENT_MS = 1_750_000_000_000
SENT_AT = datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
SEEN_AT = datetime(2025, 6, 15, 15, 6, 41, tzinfo=UTC)

FRAME = RecordFrame(
    salt=bytes(32),
    stream="00" * 8,
    n=0,
    platform="matrix",
    group_name=None,
    target_n=None,
    roster_n=None,
    media=(),
    tool=CaptureTool(connector="town", version="0"),
)


def dumps(document: Json) -> bytes:
    """JSON as a homeserver writes it: compact, in UTF-8."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def event(kind: str, content: Json, **fields: Json) -> bytes:
    """An event sent by the clerk; ``fields`` add to it or replace."""
    return dumps(
        {
            "content": content,
            "event_id": "$first",
            "origin_server_ts": SENT_MS,
            "sender": CLERK,
            "type": kind,
            "unsigned": {"age": 1000},
            **fields,
        }
    )


def state(kind: str, content: Json, key: str = "", **fields: Json) -> bytes:
    """A state event."""
    return event(kind, content, state_key=key, **fields)


def message(body: Json, **content: Json) -> bytes:
    """A text message."""
    return event("m.room.message", {"msgtype": "m.text", "body": body, **content})


def room_of(*events: bytes) -> RoomState:
    """A room that these events have made."""
    room = RoomState()
    for raw in events:
        room.apply(raw)
    return room


def mapped(
    raw: bytes, *, room: RoomState | None = None, default_retention: float | None = None
) -> Event:
    """The mapped event, checked: exact bytes kept, and a record can be made of it."""
    room = room or RoomState()
    found = map_event(
        raw,
        room=room,
        timers=room.timers(ROOM, server_default(default_retention)),
        encrypted=room.encrypted,
        own_user=RECORDER,
        observed_at=SEEN_AT,
        method=CaptureMethod.LIVE,
    )
    assert found.raw == raw
    assert found.group_id == ROOM
    assert found.upstream_id
    assert record_bytes(found, FRAME)
    return found


def related(rel_type: str, **more: Json) -> Json:
    """A relation to the event `$target`."""
    return {"rel_type": rel_type, "event_id": "$target", **more}


def to_target(kind: RelationType) -> Relation:
    """The relation as mapped."""
    return Relation(type=kind, upstream_id="$target")


def facts(found: Event) -> dict[str, str]:
    """The platform's facts but for the type."""
    return {name: value for name, value in found.upstream if name != "type"}


def texts(longest: int = 12) -> st.SearchStrategy[str]:
    """Texts that UTF-8 can carry."""
    return st.text(st.characters(codec="utf-8"), max_size=longest)


def scalars() -> st.SearchStrategy[Json]:
    """Values that JSON of the platform may hold where another was expected."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(12),
    )


def values() -> st.SearchStrategy[Json]:
    """JSON of any shape."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(texts(8), inner, max_size=4)
        ),
        max_leaves=12,
    )


def written(document: Json, chance: random.Random) -> str:
    """``document`` as JSON with white space and escapes wherever they are allowed."""
    gap = chance.choice(["", "", " ", "\n\t ", "\r\n"])
    if isinstance(document, str):
        return gap + _quoted(document, chance) + gap
    if isinstance(document, dict):
        members = (
            gap + _quoted(key, chance) + gap + ":" + written(value, chance)
            for key, value in document.items()
        )
        return gap + "{" + ",".join(members) + gap + "}" + gap
    if isinstance(document, list):
        return gap + "[" + ",".join(written(value, chance) for value in document) + gap + "]" + gap
    return gap + json.dumps(document) + gap


def _quoted(text: str, chance: random.Random) -> str:
    inner = "".join(
        "".join(f"\\u{unit:04x}" for unit in _units(char))
        if chance.random() < 0.2
        else json.dumps(char, ensure_ascii=chance.random() < 0.5)[1:-1]
        for char in text
    )
    return f'"{inner}"'


def _units(char: str) -> list[int]:
    data = char.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
