"""Cuts an object or array that a strict JSON parser refuses into the exact bytes of its parts.

One pass, no recursion, linear in the length. Only quotes, brackets and commas are looked at, so
that odd numbers, odd bytes and any depth cost nobody but themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_BLANKS = b" \t\r\n"
# An unclosed text reaches to the end, and no second look is taken at what it holds.
_TEXT = rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)'
_MARK = re.compile(_TEXT + rb"|[,{}\[\]]", re.DOTALL)
_KEY = re.compile(rb"[ \t\r\n]*(" + _TEXT + rb")[ \t\r\n]*:", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CLOSING = {b"{": b"}", b"[": b"]"}


class PiecesError(ValueError):
    """The quotes or brackets do not match up, so the parts cannot be told apart."""


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each key of the object with the exact bytes of its value, in order.

    Raises:
        PiecesError: it is no object, or its members cannot be told apart from here on.
    """
    for part in _parts(data, b"{"):
        key = _KEY.match(part)
        if key is None:
            raise PiecesError("a key was expected")
        yield text_of(key[1]), part[key.end() :].strip(_BLANKS)


def elements(data: bytes) -> Iterator[bytes]:
    """The exact bytes of each element of the array, in order.

    Raises:
        PiecesError: it is no array, or its elements cannot be told apart from here on.
    """
    return _parts(data, b"[")


def text_of(token: bytes) -> str:
    """The text of a quoted JSON string. What is not Unicode in it becomes U+FFFD."""
    quoted = token.decode("utf-8", "replace")
    try:
        return _SURROGATE.sub("\ufffd", str(json.loads(quoted, strict=False)))
    except ValueError:
        return quoted[1:-1]


def _parts(data: bytes, opening: bytes) -> Iterator[bytes]:
    data = data.strip(_BLANKS)
    if not data.startswith(opening):
        raise PiecesError("it is no object" if opening == b"{" else "it is no array")
    closers: list[bytes] = []
    start = 1
    for found in _MARK.finditer(data):
        mark = found[0]
        if mark[:1] == b'"':
            if len(mark) < 2 or not mark.endswith(b'"') or _is_cut(mark):
                raise PiecesError("it ends inside a text")
        elif mark in _CLOSING:
            closers.append(_CLOSING[mark])
        elif mark != b",":
            if mark != closers.pop():
                raise PiecesError("its brackets do not match")
            if not closers:
                yield from _part(data, start, found.start())
                _finish(data, found.end())
                return
        elif len(closers) == 1:
            yield from _part(data, start, found.start())
            start = found.end()
    raise PiecesError("it ends too early")


def _part(data: bytes, start: int, end: int) -> Iterator[bytes]:
    if part := data[start:end].strip(_BLANKS):
        yield part


def _finish(data: bytes, end: int) -> None:
    if end != len(data):
        raise PiecesError("something follows the end")


def _is_cut(mark: bytes) -> bool:
    """Whether the last quote is an escaped one, so that the text did not end there."""
    inner = mark[:-1]
    return (len(inner) - len(inner.rstrip(b"\\"))) % 2 == 1
