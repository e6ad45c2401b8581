"""Looks into the Bot API's objects that only they need."""

from __future__ import annotations

import contextlib
from datetime import datetime

import msgspec

from bridge.deadlines import from_milliseconds
from bridge.rawjson.fields import JsonObject, whole
from bridge.rawjson.scan import ScanError, members, text_of

_VALUE = msgspec.json.Decoder(object)
_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)


def salvage(raw: bytes, depth: int) -> JsonObject:
    """What can be told of an object that cannot be decoded whole, ``depth`` objects deep.

    A value that cannot be had is None; in texts U+FFFD stands for what is not Unicode, and what
    stands before the place where values can no longer be told apart is kept. MUST NOT raise.
    """
    found: JsonObject = {}
    with contextlib.suppress(ScanError):
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


def moment(fields: JsonObject, key: str) -> datetime | None:
    """The time under ``key``, which stands there in seconds, or None if it is no usable one."""
    value = whole(fields, key)
    return None if value is None else from_milliseconds(value * 1000)
