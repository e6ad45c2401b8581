"""The recorder's own coming and going, as a timeline shows it."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.rawjson.fields import JsonObject, decode, table, text
from connectors.matrix.envelope import Events

GONE = frozenset({"leave", "ban"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Which events of a timeline fall into our membership (``ours``, one for each event).

    ``begins_within``: a join of ours stands in it with nothing of ours before.
    """

    ours: tuple[bool, ...]
    begins_within: bool


def own_stay(timeline: Events, user_id: str, *, is_new: bool) -> Stay:
    """What of ``timeline`` is ours: from a join on, up to and with the end of our membership.

    Of a group that is new to us only what follows the latest join.
    """
    moves = {i: move for i, raw in enumerate(timeline) if (move := own_move(raw, user_id))}
    if is_new:
        joins = [i for i, move in moves.items() if move == "join"]
        start = joins[-1] if joins else 0
        return Stay(ours=tuple(i >= start for i in range(len(timeline))), begins_within=bool(joins))
    begins_within = next(iter(moves.values()), "") == "join"
    inside = not begins_within
    ours = []
    for i in range(len(timeline)):
        move = moves.get(i)
        ours.append(inside or move == "join")
        inside = inside if move is None else move == "join"
    return Stay(ours=tuple(ours), begins_within=begins_within)


def is_replayed(timeline: Events, user_id: str, known: bytes | None) -> bool:
    """Whether our first join in ``timeline`` is the one we know already: it is delivered again."""
    if known is None:
        return False
    joins = (raw for raw in timeline if own_move(raw, user_id) == "join")
    event_id = text(decode(next(joins, b"")) or {}, "event_id")
    return event_id is not None and event_id == text(decode(known) or {}, "event_id")


def own_membership(raw: bytes, user_id: str) -> str | None:
    """The membership that an event gives to ``user_id``, if it does."""
    event = _own(raw, user_id)
    return None if event is None else text(table(event, "content"), "membership")


def own_join(state: Events, user_id: str, *, is_new: bool) -> str | None:
    """The id of the join that ``state`` tells of, where it lies within the response.

    Of a group that is not new, a mere change of our name is none.
    """
    found = None
    for raw in state:
        event = _own(raw, user_id)
        if event is not None and (is_new or own_move(raw, user_id) == "join"):
            found = text(event, "event_id")
    return found


def own_leaver(events: Events, user_id: str) -> str | None:
    """Who ended our membership: the sender of the event that says so."""
    by = None
    for raw in events:
        event = _own(raw, user_id)
        if event is not None and text(table(event, "content"), "membership") in GONE:
            by = text(event, "sender")
    return by


def own_move(raw: bytes, user_id: str) -> str | None:
    """``join`` or ``leave`` where our membership begins or ends; a new name is neither."""
    event = _own(raw, user_id)
    if event is None:
        return None
    membership = text(table(event, "content"), "membership")
    if membership in GONE:
        return "leave"
    before = table(table(event, "unsigned"), "prev_content")
    return "join" if membership == "join" and text(before, "membership") != "join" else None


def _own(raw: bytes, user_id: str) -> JsonObject | None:
    if b"m.room.member" not in raw:
        return None
    event = decode(raw) or {}
    own = text(event, "type") == "m.room.member" and text(event, "state_key") == user_id
    return event if own else None
