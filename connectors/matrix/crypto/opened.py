"""From an encrypted event and what was decrypted of it to the event with its content. Pure, total.

Inside stands what the sender wrote; outside, in the clear, what the homeserver can change. So only
the relation is taken from outside, where the inside has none: clients put it there.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.deadlines import sooner
from bridge.model import Crypto, Event, RelationType
from bridge.rawjson.fields import JsonObject, decode, salvage, table, text
from connectors.matrix import timers
from connectors.matrix.content import Reading, read
from connectors.matrix.mapping import as_notice

RELATION = "m.relates_to"
_UNENCRYPTED = frozenset({"m.room.encrypted", "m.room.redaction"})
"""Types that mean nothing inside: nobody acts on them there."""

_KEPT = frozenset({"redacted_by"})


def opened(event: Event, crypto: Crypto, *, own_user: str) -> Event:
    """``event`` with its content, which ``crypto.clear`` holds. MUST NOT raise, for any bytes.

    Of what cannot be content of this event nothing is taken: it stays ``encrypted``, with a
    sentence under ``problem``, and the clear bytes are kept all the same.
    """
    inner = decode(crypto.clear or b"")
    refusal = _refusal(event, inner)
    if inner is None or refusal is not None:
        facts = tuple(fact for fact in event.upstream if fact[0] != "problem")
        problem = _problem(event, refusal)
        return replace(event, crypto=crypto, upstream=(*facts, ("problem", problem)))
    content = _content(event, inner)
    reading = as_notice(
        read(text(inner, "type"), inner, content=content),
        content,
        is_own=event.sender is not None and event.sender.id == own_user,
    )
    sent_at, received_at = event.sent_at, event.observed_at
    own = timers.own(content, default=event.own_timer, sent_at=sent_at, observed_at=received_at)
    return replace(
        event,
        kind=reading.kind,
        body=reading.body,
        relates_to=event.relates_to if _is_rescued(event) else reading.relates_to,
        attachments=reading.attachments,
        timer=sooner(own.timer, event.timer, sent_at=sent_at, received_at=received_at),
        own_timer=own.timer,
        upstream=_facts(event, inner, reading, own.problem),
        crypto=crypto,
    )


def _refusal(event: Event, inner: JsonObject | None) -> str | None:
    if inner is None:
        return "What was decrypted is no JSON object."
    kind = text(inner, "type")
    if kind is None or not isinstance(inner.get("content"), dict):
        return "What was decrypted has no type, or no content."
    if text(inner, "room_id") != event.group_id:
        return "What was decrypted names another room."
    if "state_key" in inner:
        return "What was decrypted claims to be state of the room."
    if kind in _UNENCRYPTED:
        return "What was decrypted is of a type that is never encrypted."
    return None


def _content(event: Event, inner: JsonObject) -> JsonObject:
    content = table(inner, "content")
    if isinstance(content.get(RELATION), dict):
        return content
    if b"relates_to" not in event.raw and b"\\u" not in event.raw:
        return content
    outer = table(decode(event.raw) or salvage(event.raw), "content")
    relation = outer.get(RELATION)
    return {**content, RELATION: relation} if isinstance(relation, dict) else content


def _is_rescued(event: Event) -> bool:
    """It stays related to the entry it belongs to; its own relation stands beside its type."""
    return event.relates_to is not None and event.relates_to.type is RelationType.RESCUED


def _facts(
    event: Event, inner: JsonObject, reading: Reading, timer_problem: str | None
) -> tuple[tuple[str, str], ...]:
    problem, own = _problem(event, reading.problem, timer_problem), reading.relates_to
    return (
        ("type", text(inner, "type") or ""),
        *reading.facts,
        *(fact for fact in event.upstream if fact[0] in _KEPT),
        *((("problem", problem),) if problem else ()),
        *(((own.type.value, own.upstream_id),) if own is not None and _is_rescued(event) else ()),
    )


def _problem(event: Event, *more: str | None) -> str:
    """What was odd before, and what is now; a sentence once."""
    before = (value for name, value in event.upstream if name == "problem")
    return " ".join(dict.fromkeys(filter(None, (*before, *more))))
