"""JSON objects of unknown shape, and typed looks into them."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TypeAlias

import msgspec

from bridge.deadlines import from_milliseconds
from connectors.telegram.pieces import PiecesError, members, text_of

JsonObject: TypeAlias = dict[str, object]

_OBJECT = msgspec.json.Decoder(JsonObject)
_VALUE = msgspec.json.Decoder(object)
_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)
_EMPTY: JsonObject = {}


def decode(raw: bytes) -> JsonObject | None:
    """The object, its texts clean Unicode, or None where ``raw`` is not plainly one."""
    try:
        return _OBJECT.decode(raw)
    except _REFUSALS:
        return None


def salvage(raw: bytes, depth: int) -> JsonObject:
    """What can be told of an object that :func:`decode` refuses, ``depth`` objects deep.

    A value that cannot be had is None; in texts U+FFFD stands for what is not Unicode, and what
    stands before the place where values can no longer be told apart is kept. MUST NOT raise.
    """
    found: JsonObject = {}
    with contextlib.suppress(PiecesError):
        for key, token in members(raw):
            found[key] = _salvaged(token, depth)
    return found


def _salvaged(token: bytes, depth: int) -> object:
    try:
        return _VALUE.decode(token)
    except _REFUSALS:
        if token[:1] == b"{":
            return salvage(token, depth - 1) if depth > 1 else None
        quoted = len(token) > 1 and token[:1] == b'"' == token[-1:]
        return text_of(token) if quoted else None


def text(fields: JsonObject, key: str) -> str | None:
    """The text under ``key``, or None."""
    value = fields.get(key)
    return value if isinstance(value, str) else None


def table(fields: JsonObject, key: str) -> JsonObject:
    """The object under ``key``, or an empty one."""
    value = fields.get(key)
    return value if isinstance(value, dict) else _EMPTY


def tables(fields: JsonObject, key: str) -> tuple[JsonObject, ...]:
    """The objects in the array under ``key``; other elements are left out."""
    return tuple(element for element in _array(fields, key) if isinstance(element, dict))


def wholes(fields: JsonObject, key: str) -> tuple[int, ...]:
    """The whole numbers in the array under ``key``; other elements are left out."""
    return tuple(number for each in _array(fields, key) if (number := _whole(each)) is not None)


def whole(fields: JsonObject, key: str) -> int | None:
    """The whole number of at most 64 bits under ``key``, or None."""
    return _whole(fields.get(key))


def count(fields: JsonObject, key: str) -> int | None:
    """The whole number under ``key`` that canonical JSON can carry, if there is one."""
    value = whole(fields, key)
    return None if value is None or not 0 <= value < 2**53 else value


def moment(fields: JsonObject, key: str) -> datetime | None:
    """The time under ``key``, which stands there in seconds, or None if it is no usable one."""
    value = whole(fields, key)
    return None if value is None else from_milliseconds(value * 1000)


def says(fields: JsonObject, key: str) -> bool:
    """Whether there is something under ``key``."""
    value = fields.get(key)
    return value is not None and value is not False


def _array(fields: JsonObject, key: str) -> list[object]:
    value = fields.get(key)
    return value if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value
