"""From the exact bytes of a Matrix event to an :class:`bridge.model.Event`. Pure and total."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bridge.deadlines import from_milliseconds, sooner
from bridge.keys import EARLIEST, FURTHEST_AHEAD
from bridge.model import CaptureMethod, Crypto, Event, EventKind, GroupTimer, Sender, Timer
from bridge.rawjson.fields import JsonObject, decode, salvage, table, text
from connectors.matrix.content import Reading, read
from connectors.matrix.room import RoomState
from connectors.matrix.timers import TimerSetting
from connectors.matrix.timers import own as own_timer

REDACTED = "redacted_before_delivery"
_PLAIN = frozenset({EventKind.REDACTION, EventKind.REACTION, EventKind.UNPARSED})


def map_event(
    raw: bytes,
    *,
    room: RoomState,
    timers: GroupTimer,
    encrypted: bool,
    own_user: str,
    observed_at: datetime,
    method: CaptureMethod,
) -> Event:
    """What happened. MUST NOT raise for any bytes; ``raw`` is kept exactly.

    ``room``, ``timers`` and whether it is ``encrypted`` stand as they did when the event was sent.
    What cannot be decoded, or has no id, is ``unparsed``; what is merely odd is mapped, with a
    sentence under ``problem``.
    """
    fields, upstream_id, reading = _decoded(raw, own_user)
    sender = text(fields, "sender")
    sent_at = from_milliseconds(fields.get("origin_server_ts"))
    own, standing = _timers(fields, timers, sent_at, observed_at)
    problems = (reading.problem, own.problem, _oddness(sent_at, observed_at))
    return Event(
        group_id=timers.group_id,
        upstream_id=upstream_id,
        kind=reading.kind,
        sender=Sender(id=sender, display_name=room.display_name(sender)) if sender else None,
        sent_at=sent_at,
        observed_at=observed_at,
        body=reading.body,
        relates_to=reading.relates_to,
        attachments=reading.attachments,
        timer=sooner(own.timer, standing, sent_at=sent_at, received_at=observed_at),
        own_timer=own.timer,
        upstream=_facts(fields, reading, problems),
        method=method,
        missing=reading.missing,
        crypto=_crypto(fields, reading, is_room_encrypted=encrypted),
        raw=raw,
    )


def _timers(
    fields: JsonObject, timers: GroupTimer, sent_at: datetime | None, observed_at: datetime
) -> tuple[TimerSetting, Timer | None]:
    """The event's own timer and the group's standing one; state of a room has none."""
    if text(fields, "state_key") is not None:
        return TimerSetting(), None
    content = table(fields, "content")
    own = own_timer(content, default=timers.default, sent_at=sent_at, observed_at=observed_at)
    return own, timers.standing


def _crypto(fields: JsonObject, reading: Reading, *, is_room_encrypted: bool) -> Crypto | None:
    """How it was encrypted, or that it should have been.

    Redacted, there is nothing left to decrypt.
    """
    if reading.kind is EventKind.ENCRYPTED:
        content = table(fields, "content")
        if reading.missing is not None:
            return None
        return Crypto(algorithm=text(content, "algorithm"), session=text(content, "session_id"))
    is_plain = is_room_encrypted and text(fields, "state_key") is None
    return Crypto(plain_in_encrypted=True) if is_plain and reading.kind not in _PLAIN else None


def identify(raw: bytes) -> tuple[str, datetime | None, bool]:
    """Id, sending time, and whether the id is the platform's own, as :func:`map_event` has it."""
    fields = decode(raw)
    if fields is None or not text(fields, "event_id"):
        fields = _header(raw)
    sent_at = from_milliseconds(fields.get("origin_server_ts"))
    upstream_id = text(fields, "event_id")
    return upstream_id or _digest(raw), sent_at, bool(upstream_id)


def _decoded(raw: bytes, own_user: str) -> tuple[JsonObject, str, Reading]:
    fields = decode(raw)
    if fields is not None and (upstream_id := text(fields, "event_id")):
        return fields, upstream_id, _read(fields, own_user)
    fields = _header(raw)
    upstream_id = text(fields, "event_id") or _digest(raw)
    return fields, upstream_id, Reading(kind=EventKind.UNPARSED)


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _oddness(sent_at: datetime | None, observed_at: datetime) -> str | None:
    """What is wrong with the sending time, by the rule that files records by day."""
    if sent_at is None:
        return "The origin_server_ts is no usable time."
    if sent_at < EARLIEST:
        return "The origin_server_ts lies before 1990."
    if sent_at > observed_at + FURTHEST_AHEAD:
        return "The origin_server_ts lies over a day ahead of the receipt."
    return None


def _read(fields: JsonObject, own_user: str) -> Reading:
    content = table(fields, "content")
    reading = read(text(fields, "type"), fields, content=content)
    because = table(table(fields, "unsigned"), "redacted_because")
    if because:
        reading.facts += _fact("redacted_by", text(because, "event_id"))
    if because and not content:
        reading.body, reading.missing = None, REDACTED
        return reading
    return as_notice(reading, content, is_own=text(fields, "sender") == own_user)


def as_notice(reading: Reading, content: JsonObject, *, is_own: bool) -> Reading:
    """What we said ourselves is no message of the group's."""
    is_message = reading.kind is EventKind.MESSAGE
    if is_own and is_message and text(content, "msgtype") == "m.notice":
        reading.kind = EventKind.NOTICE
    return reading


def _facts(
    fields: JsonObject, reading: Reading, problems: tuple[str | None, ...]
) -> tuple[tuple[str, str], ...]:
    return (
        *_fact("type", text(fields, "type")),
        *reading.facts,
        *_fact("state_key", text(fields, "state_key")),
        *_fact("problem", " ".join(filter(None, problems)) or None),
    )


def _fact(name: str, value: str | None) -> tuple[tuple[str, str], ...]:
    return () if value is None else ((name, value),)


def _header(raw: bytes) -> JsonObject:
    # Two mangled texts may look alike. Left out of the id, they never make one event of two.
    return {
        key: value
        for key, value in salvage(raw).items()
        if not (isinstance(value, str) and "\ufffd" in value)
    }
