"""Updates as the Bot API sends them, and the checked mapping of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bridge.canonical.json import Json
from bridge.canonical.record import record_bytes
from bridge.model import Event, GroupTimer, Relation, RelationType, Timer
from connectors.telegram.mapping import Setting, map_update
from connectors.telegram.update import open_update
from tests.unit.connectors.matrix.payloads import FRAME as OTHER_FRAME
from tests.unit.connectors.matrix.payloads import dumps

CHAT = -1_001_234_567_890
GROUP = str(CHAT)
BOT = 7_000_000_001
UPDATE_ID = 870_000_001
DATE = 1_750_000_000
SENT_AT = datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
SEEN_AT = datetime(2025, 6, 15, 15, 6, 41, tzinfo=UTC)
DAY = Timer(seconds=86_400.0, basis="message_auto_delete_time")
FRAME = replace(OTHER_FRAME, platform="telegram")

CLERK: dict[str, Json] = {
    "id": 5_000_000_042,
    "is_bot": False,
    "first_name": "Ann",
    "last_name": "Clerk",
    "username": "clerk",
}
MAYOR: dict[str, Json] = {"id": 43, "is_bot": False, "first_name": "Max"}
RECORDER: dict[str, Json] = {"id": BOT, "is_bot": True, "first_name": "Recorder"}
HERE: dict[str, Json] = {"id": CHAT, "title": "Permits", "type": "supergroup"}
NEWS: dict[str, Json] = {"id": -1_009, "title": "Town news", "username": "news", "type": "channel"}


def update(kind: str, subject: Json, **fields: Json) -> bytes:
    """An update of this kind; ``fields`` stand beside it, or instead of its id."""
    return dumps({"update_id": UPDATE_ID, kind: subject, **fields})


def content(**fields: Json) -> dict[str, Json]:
    """A message by the clerk; ``fields`` add to it or replace."""
    return {"message_id": 15, "from": CLERK, "chat": HERE, "date": DATE, **fields}


def message(**fields: Json) -> bytes:
    """An update with a new message by the clerk."""
    return update("message", content(**fields))


def setting(
    *, group_id: str = GROUP, default: Timer | None = None, poll_message: str | None = None
) -> Setting:
    """What the connector knows beside an update."""
    timers = GroupTimer(group_id=group_id, default=default)
    return Setting(timers=timers, own_id=BOT, poll_message=poll_message)


def all_mapped(raw: bytes, known: Setting | None = None) -> tuple[Event, ...]:
    """The mapped events, checked: exact bytes kept, and a record can be made of each."""
    known = known or setting()
    found = map_update(open_update(raw), known, SEEN_AT)
    assert found
    for event in found:
        assert event.raw == raw
        assert event.group_id == known.timers.group_id
        assert event.upstream_id
        assert len(dict(event.upstream)) == len(event.upstream)
        assert record_bytes(event, FRAME)
    assert len({(event.upstream_id, event.revision) for event in found}) == len(found)
    return found


def mapped(raw: bytes, known: Setting | None = None) -> Event:
    """The one event of an update."""
    (found,) = all_mapped(raw, known)
    return found


def facts(found: Event) -> dict[str, str]:
    """The platform's facts but for those that every update has."""
    return {key: value for key, value in found.upstream if key not in {"type", "update_id"}}


def to_message(kind: RelationType, number: int, chat: int = CHAT) -> Relation:
    """A relation to a message of the group, as mapped."""
    return Relation(type=kind, upstream_id=f"{chat}:{number}")
