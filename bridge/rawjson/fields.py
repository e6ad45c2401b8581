"""JSON objects of unknown shape, and typed looks into them."""

from __future__ import annotations

import contextlib
from typing import TypeAlias

import msgspec

from bridge.rawjson.scan import ScanError, Scanner, text_of

JsonObject: TypeAlias = dict[str, object]

UNREADABLE = object()
"""Stands for a value that is there and cannot be decoded."""

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


def salvage(raw: bytes) -> JsonObject:
    """What can be told of an object that :func:`decode` refuses.

    Members at the top and in ``content`` are decoded one by one; :data:`UNREADABLE` stands for
    those that cannot be, and in texts U+FFFD for what is not Unicode. MUST NOT raise.
    """
    tokens = _members(raw)
    found = {key: _salvaged(token) for key, token in tokens.items()}
    if found.get("content") is UNREADABLE:
        content = _members(tokens["content"])
        found["content"] = {key: _salvaged(token) for key, token in content.items()}
    return found


def _members(raw: bytes) -> dict[str, bytes]:
    # What stands before the place where values can no longer be told apart is kept.
    found: dict[str, bytes] = {}
    scanner = Scanner(raw)
    with contextlib.suppress(ScanError):
        for key in scanner.members():
            found[key] = scanner.value()
    return found


def _salvaged(token: bytes) -> object:
    try:
        return _VALUE.decode(token)
    except _REFUSALS:
        quoted = len(token) > 1 and token[:1] == b'"' == token[-1:]
        return text_of(token) if quoted else UNREADABLE


def text(fields: JsonObject, key: str) -> str | None:
    """The text under ``key``, or None."""
    value = fields.get(key)
    return value if isinstance(value, str) else None


def table(fields: JsonObject, key: str) -> JsonObject:
    """The object under ``key``, or an empty one."""
    value = fields.get(key)
    return value if isinstance(value, dict) else _EMPTY


def texts(fields: JsonObject, key: str) -> tuple[str, ...]:
    """The texts in the array under ``key``; other elements are left out."""
    value = fields.get(key)
    if not isinstance(value, list):
        return ()
    return tuple(element for element in value if isinstance(element, str))


def tables(fields: JsonObject, key: str) -> tuple[JsonObject, ...]:
    """The objects in the array under ``key``; other elements are left out."""
    value = fields.get(key)
    if not isinstance(value, list):
        return ()
    return tuple(element for element in value if isinstance(element, dict))


def wholes(fields: JsonObject, key: str) -> tuple[int, ...]:
    """The whole numbers in the array under ``key``; other elements are left out."""
    value = fields.get(key)
    if not isinstance(value, list):
        return ()
    return tuple(number for each in value if (number := _whole(each)) is not None)


def whole(fields: JsonObject, key: str) -> int | None:
    """The whole number of at most 64 bits under ``key``, or None."""
    return _whole(fields.get(key))


def count(fields: JsonObject, key: str) -> int | None:
    """The whole number under ``key`` that canonical JSON can carry, if there is one."""
    value = whole(fields, key)
    return None if value is None or not 0 <= value < 2**53 else value


def says(fields: JsonObject, key: str) -> bool:
    """Whether there is something under ``key``."""
    value = fields.get(key)
    return value is not None and value is not False


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value
