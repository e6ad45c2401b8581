"""Who may do what in a room: power levels, as loosely as rooms have them."""

from __future__ import annotations

import math

from bridge.rawjson.fields import JsonObject, table, text, texts

PINNED = "m.room.pinned_events"
CREATOR_LEVEL = 100
STATE_LEVEL = 50

_CREATORS_RULE_FROM = 12
_CREATORS_RULE_UNSTABLE = "org.matrix.hydra"


def creators(create: JsonObject) -> frozenset[str]:
    """The creators of a room, from its ``m.room.create`` event."""
    content = table(create, "content")
    named = {text(create, "sender"), *texts(content, "additional_creators")}
    return frozenset(user_id for user_id in named if user_id)


def creators_stand_above(create: JsonObject) -> bool:
    """Whether the room's version gives its creators infinite power."""
    version = text(table(create, "content"), "room_version") or "1"
    if version.isascii() and version.isdecimal():
        return len(version) > 4 or int(version) >= _CREATORS_RULE_FROM
    return version.startswith(_CREATORS_RULE_UNSTABLE)


def level(fields: JsonObject, key: str) -> float | None:
    """A power level: a number or, in old rooms, a text that holds a whole number."""
    value = fields.get(key)
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, int | float):
        # Beyond any real level; keeps huge integers out of float arithmetic.
        return float(max(min(value, 2**53), -(2**53)))
    return None


def user_level(levels: JsonObject | None, create: JsonObject, user_id: str) -> float:
    """The power of a user; ``levels`` is the content of the power levels, None without any."""
    if user_id in creators(create) and creators_stand_above(create):
        return math.inf
    if levels is None:
        return CREATOR_LEVEL if user_id == text(create, "sender") else 0
    own = level(table(levels, "users"), user_id)
    if own is None:
        own = level(levels, "users_default")
    return 0 if own is None else own


def state_level(levels: JsonObject | None, event_type: str) -> float:
    """The power needed to set state of ``event_type``."""
    if levels is None:
        return 0
    needed = level(table(levels, "events"), event_type)
    if needed is None:
        needed = level(levels, "state_default")
    return STATE_LEVEL if needed is None else needed
