"""From the exact bytes of a Matrix event to an :class:`bridge.model.Event`. Pure and total."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bridge.deadlines import from_milliseconds
from bridge.model import CaptureMethod, Event, EventKind, Sender, Timer
from connectors.matrix import timers
from connectors.matrix.content import Reading, read
from connectors.matrix.fields import JsonObject, decode, salvage, table, text
from connectors.matrix.room import RoomState

REDACTED = "redacted_before_delivery"


def map_event(
    raw: bytes,
    *,
    room: RoomState,
    group_id: str,
    own_user: str,
    observed_at: datetime,
    method: CaptureMethod,
    default_retention: float | None,
) -> Event:
    """What happened. MUST NOT raise for any bytes; ``raw`` is kept exactly.

    ``room`` stands as it was when the event was sent; ``default_retention`` is the server's, in
    seconds. What cannot be decoded, or has no id, is ``unparsed``; what is merely odd is mapped.
    """
    fields, upstream_id, reading = _decoded(raw, own_user)
    sender = text(fields, "sender")
    sent_at = from_milliseconds(fields.get("origin_server_ts"))
    return Event(
        group_id=group_id,
        upstream_id=upstream_id,
        kind=reading.kind,
        sender=Sender(id=sender, display_name=room.display_name(sender)) if sender else None,
        sent_at=sent_at,
        observed_at=observed_at,
        body=reading.body,
        relates_to=reading.relates_to,
        attachments=reading.attachments,
        timer=_timer(fields, room, default_retention, sent_at, observed_at),
        upstream=_facts(fields, reading),
        method=method,
        missing=reading.missing,
        raw=raw,
    )


def _decoded(raw: bytes, own_user: str) -> tuple[JsonObject, str, Reading]:
    fields = decode(raw)
    if fields is not None and (upstream_id := text(fields, "event_id")):
        return fields, upstream_id, _read(fields, own_user)
    fields = _header(raw)
    upstream_id = text(fields, "event_id") or f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return fields, upstream_id, Reading(kind=EventKind.UNPARSED)


def _timer(
    fields: JsonObject,
    room: RoomState,
    default: float | None,
    sent_at: datetime | None,
    observed_at: datetime,
) -> Timer | None:
    if text(fields, "state_key") is not None:
        return None
    return timers.running(
        table(fields, "content"),
        kept=room.retention_timer,
        disappears=room.disappearing_timer,
        default=default,
        sent_at=sent_at,
        observed_at=observed_at,
    )


def _read(fields: JsonObject, own_user: str) -> Reading:
    content = table(fields, "content")
    reading = read(text(fields, "type"), fields, content=content)
    if not content and table(table(fields, "unsigned"), "redacted_because"):
        reading.body, reading.missing = None, REDACTED
    elif (
        reading.kind is EventKind.MESSAGE
        and text(fields, "sender") == own_user
        and text(content, "msgtype") == "m.notice"
    ):
        reading.kind = EventKind.NOTICE
    return reading


def _facts(fields: JsonObject, reading: Reading) -> tuple[tuple[str, str], ...]:
    facts = reading.facts
    event_type, state_key = text(fields, "type"), text(fields, "state_key")
    if event_type is not None:
        facts = (("type", event_type), *facts)
    if state_key is not None:
        facts = (*facts, ("state_key", state_key))
    return facts


def _header(raw: bytes) -> JsonObject:
    # Two mangled texts may look alike. Left out of the id, they never make one event of two.
    return {
        key: value
        for key, value in salvage(raw).items()
        if not (isinstance(value, str) and "\ufffd" in value)
    }
