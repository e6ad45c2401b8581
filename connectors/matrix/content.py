"""What the content of each type of Matrix event says, in the words of the record format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.model import Attachment, EventKind, Relation, RelationType
from bridge.rawjson.fields import JsonObject, count, table, text, texts
from connectors.matrix import polls, timers
from connectors.matrix.crypto.attachments import secret_of
from connectors.matrix.relations import Facts, relation


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was read of one event's content. Lives only while the event is mapped."""

    kind: EventKind
    body: str | None = None
    relates_to: Relation | None = None
    attachments: tuple[Attachment, ...] = ()
    facts: Facts = ()
    missing: str | None = None
    problem: str | None = None


def read(event_type: str | None, event: JsonObject, *, content: JsonObject) -> Reading:
    """Read ``content`` as its type says. MUST NOT raise, whatever the shape of the event.

    State that lacks its ``state_key`` is no state: anyone may send such an event, so it is
    ``unknown``.
    """
    if event_type is None:
        return Reading(kind=EventKind.UNKNOWN, body=text(content, "body"))
    reader = _READERS.get(event_type)
    if reader is not None:
        return reader(content)
    if event_type == "m.room.redaction":
        return _redaction(event, content)
    if text(event, "state_key") is not None:
        if event_type == "m.room.member":
            return _membership(event, content)
        reader = _STATE.get(event_type)
        if reader is not None:
            return reader(content)
    if event_type.startswith(_CALLS):
        return _related(EventKind.CALL, None, content)
    if event_type.startswith(_LOCATIONS):
        return _location(content)
    return _related(EventKind.UNKNOWN, text(content, "body"), content)


def _related(kind: EventKind, body: str | None, content: JsonObject) -> Reading:
    relates_to, facts = relation(content)
    return Reading(kind=kind, body=body, relates_to=relates_to, facts=facts)


def _message(content: JsonObject) -> Reading:
    relates_to, facts = relation(content)
    kind = EventKind.MESSAGE
    if relates_to is not None and relates_to.type is RelationType.EDIT:
        kind = EventKind.EDIT
        content = table(content, "m.new_content") or content
    body = text(content, "body")
    msgtype = text(content, "msgtype")
    reading = Reading(kind=kind, body=body, relates_to=relates_to, facts=facts)
    if msgtype is None:
        return reading
    reading.facts = (("msgtype", msgtype), *facts)
    if msgtype == "m.location":
        if kind is EventKind.MESSAGE:
            reading.kind = EventKind.LOCATION
        reading.facts += _fact("geo_uri", text(content, "geo_uri"))
    elif msgtype not in _TEXTUAL:
        _attach(reading, content)
    return reading


def _attach(reading: Reading, content: JsonObject) -> None:
    url, secret = text(content, "url"), None
    if not url:
        file = table(content, "file")
        url, secret = text(file, "url"), secret_of(file)
        if not url:
            return
        reading.facts += (("file_encrypted", "true"),)
    info = table(content, "info")
    reading.attachments = (
        Attachment(
            url=url,
            name=text(content, "filename") or text(content, "body"),
            declared_type=text(info, "mimetype"),
            size=count(info, "size"),
            secret=secret,
        ),
    )


def _sticker(content: JsonObject) -> Reading:
    reading = _related(EventKind.STICKER, text(content, "body"), content)
    _attach(reading, content)
    return reading


def _reaction(content: JsonObject) -> Reading:
    related = table(content, "m.relates_to")
    target = text(related, "event_id")
    return Reading(
        kind=EventKind.REACTION,
        body=text(related, "key"),
        relates_to=_to(RelationType.REACTION, target),
    )


def _redaction(event: JsonObject, content: JsonObject) -> Reading:
    target = text(event, "redacts") or text(content, "redacts")
    return Reading(
        kind=EventKind.REDACTION,
        body=text(content, "reason"),
        relates_to=_to(RelationType.REDACTION, target),
    )


def _poll(content: JsonObject) -> Reading:
    reading = _related(EventKind.POLL, None, content)
    if reading.relates_to is not None and reading.relates_to.type is RelationType.EDIT:
        reading.kind = EventKind.EDIT
        content = table(content, "m.new_content") or content
    reading.body = polls.question_and_answers(content)
    return reading


def _poll_answer(content: JsonObject) -> Reading:
    return _related(EventKind.POLL_ANSWER, polls.selections(content), content)


def _poll_end(content: JsonObject) -> Reading:
    return _related(EventKind.POLL, polls.plain(content), content)


def _encrypted(content: JsonObject) -> Reading:
    reading = _related(EventKind.ENCRYPTED, None, content)
    for name in ("algorithm", "session_id", "device_id", "sender_key"):
        reading.facts += _fact(name, text(content, name))
    return reading


def _location(content: JsonObject) -> Reading:
    place = table(content, "m.location") or table(content, "org.matrix.msc3488.location")
    uri = text(place, "uri")
    described = polls.plain(content) or text(place, "description") or text(content, "description")
    reading = _related(EventKind.LOCATION, described or uri, content)
    reading.facts += _fact("geo_uri", uri)
    return reading


def _membership(event: JsonObject, content: JsonObject) -> Reading:
    membership, reason = text(content, "membership"), text(content, "reason")
    body = f"{membership}: {reason}" if membership and reason else membership
    before = text(table(table(event, "unsigned"), "prev_content"), "membership")
    facts = _fact("membership", membership) + _fact("subject", text(event, "state_key"))
    facts += _fact("membership_before", before)
    return Reading(kind=EventKind.MEMBERSHIP, body=body, facts=facts)


def _pin(content: JsonObject) -> Reading:
    return Reading(kind=EventKind.PIN, body="\n".join(texts(content, "pinned")))


def _retention(content: JsonObject) -> Reading:
    return _timer(timers.retention(content))


def _disappearing(content: JsonObject) -> Reading:
    return _timer(timers.disappearing(content))


def _timer(setting: timers.TimerSetting) -> Reading:
    return Reading(kind=EventKind.TIMER, body=str(setting), problem=setting.problem)


def _tombstone(content: JsonObject) -> Reading:
    facts = _fact("successor", text(content, "replacement_room"))
    return Reading(kind=EventKind.GROUP, body=text(content, "body"), facts=facts)


def _group(key: str | None) -> Reader:
    def group(content: JsonObject) -> Reading:
        return Reading(kind=EventKind.GROUP, body=text(content, key) if key else None)

    return group


def _fact(name: str, value: str | None) -> Facts:
    return () if value is None else ((name, value),)


def _to(kind: RelationType, target: str | None) -> Relation | None:
    return Relation(type=kind, upstream_id=target) if target else None


Reader = Callable[[JsonObject], Reading]

_TEXTUAL = frozenset({"m.text", "m.notice", "m.emote", "m.server_notice"})
_CALLS = ("m.call.", "m.call", "org.matrix.msc3401.", "m.rtc.", "org.matrix.msc4075.")
_LOCATIONS = ("m.beacon", "org.matrix.msc3672.", "m.location", "org.matrix.msc3488.location")

_READERS: dict[str, Reader] = {
    "m.room.message": _message,
    "m.room.encrypted": _encrypted,
    "m.reaction": _reaction,
    "m.sticker": _sticker,
    **dict.fromkeys(polls.START, _poll),
    **dict.fromkeys(polls.RESPONSE, _poll_answer),
    **dict.fromkeys(polls.END, _poll_end),
}

_STATE: dict[str, Reader] = {
    "m.room.pinned_events": _pin,
    "m.room.tombstone": _tombstone,
    timers.RETENTION: _retention,
    timers.DISAPPEARING: _disappearing,
    "m.room.name": _group("name"),
    "m.room.topic": _group("topic"),
    "m.room.avatar": _group("url"),
    "m.room.create": _group("room_version"),
    "m.room.canonical_alias": _group("alias"),
    "m.room.join_rules": _group("join_rule"),
    "m.room.history_visibility": _group("history_visibility"),
    "m.room.guest_access": _group("guest_access"),
    "m.room.encryption": _group("algorithm"),
    "m.room.power_levels": _group(None),
    "m.room.server_acl": _group(None),
}
