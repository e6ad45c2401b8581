"""How a Matrix event refers to another."""

from __future__ import annotations

from bridge.model import Relation, RelationType
from bridge.rawjson.fields import JsonObject, table, text

Facts = tuple[tuple[str, str], ...]

_TYPES = {
    "m.replace": RelationType.EDIT,
    "m.annotation": RelationType.REACTION,
    "m.thread": RelationType.THREAD,
    "m.reference": RelationType.REPLY,
}


def relation(content: JsonObject) -> tuple[Relation | None, Facts]:
    """The relation in ``m.relates_to``, and the thread it stands in where it is a real reply."""
    related = content.get("m.relates_to")
    if not isinstance(related, dict):
        return None, ()
    target = text(related, "event_id")
    reply = text(table(related, "m.in_reply_to"), "event_id")
    found = _TYPES.get(text(related, "rel_type") or "")
    if found is RelationType.THREAD and target and reply:
        # A reply within a thread, unless it is there for clients that know no threads.
        if related.get("is_falling_back") is not True:
            return Relation(type=RelationType.REPLY, upstream_id=reply), (("thread", target),)
        return Relation(type=RelationType.THREAD, upstream_id=target), ()
    if found is not None and target:
        return Relation(type=found, upstream_id=target), ()
    if reply:
        return Relation(type=RelationType.REPLY, upstream_id=reply), ()
    return None, ()
