"""Finds where values begin and end in bytes that a strict JSON parser refuses.

One pass, no recursion, linear in the length. What is not asked for is stepped over by quotes and
brackets alone, so that odd numbers, odd bytes and any depth cost nobody but themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(rb"[ \t\r\n]*")
_NULL = re.compile(rb"null(?=[ \t\r\n,\]}])")
# A text without escapes is stepped over whole; of others only the quote matches.
_DELIMITER = re.compile(rb'"(?:[^"\\]*")?|[,{}\[\]]')
_BRACKET = re.compile(rb'"(?:[^"\\]*")?|[{}\[\]]')
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = b" \t\r\n"

_QUOTE, _COMMA, _COLON, _BACKSLASH = b'",:\\'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"


class ScanError(ValueError):
    """The quotes or brackets do not match up, so values cannot be told apart."""


def text_of(token: bytes) -> str:
    """The text of a quoted JSON string. What is not Unicode in it becomes U+FFFD."""
    inner = token[1:-1].decode("utf-8", "replace")
    try:
        return _SURROGATE.sub("\ufffd", _unescaped(inner))
    except ValueError:
        return inner


def _unescaped(inner: str) -> str:
    return str(json.loads(f'"{inner}"', strict=False)) if "\\" in inner else inner


class Scanner:
    """Walks a document. ``pos`` is where the next value or delimiter begins."""

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def peek(self) -> int:
        """The next byte that is no white space, or -1 at the end."""
        found = _SPACE.match(self.data, self.pos)
        if found is not None:
            self.pos = found.end()
        return self.data[self.pos] if self.pos < len(self.data) else -1

    def members(self) -> Iterator[str]:
        """The keys of the object here; null counts as an empty one.

        After each key the caller MAY read the value with another method; otherwise it is skipped.

        Raises:
            ScanError: there is no object here, or its members cannot be told apart.
        """
        if self._enter(_OPEN_OBJECT, "an object"):
            while (byte := self.peek()) != _CLOSE_OBJECT:
                if byte == _COMMA:
                    self.pos += 1
                    continue
                if byte != _QUOTE:
                    raise ScanError("it ends too early" if byte < 0 else "a key was expected")
                key = self._string()
                if self.peek() != _COLON:
                    raise ScanError("a key has no value")
                self.pos += 1
                self.peek()
                start = self.pos
                yield key
                if self.pos == start:
                    self._skip()
            self.pos += 1

    def elements(self) -> Iterator[bytes]:
        """The exact bytes of each element of the array here; null counts as an empty one.

        Raises:
            ScanError: there is no array here, or its elements cannot be told apart.
        """
        if self._enter(_OPEN_ARRAY, "an array"):
            while (byte := self.peek()) != _CLOSE_ARRAY:
                if byte == _COMMA:
                    self.pos += 1
                elif value := self.value():
                    yield value
                else:
                    raise ScanError("an array does not end where it should")
            self.pos += 1

    def value(self) -> bytes:
        """The exact bytes of the value here, up to the next delimiter."""
        self.peek()
        start = self.pos
        self._skip()
        return self.data[start : self.pos].rstrip(_BLANKS)

    def text(self) -> str | None:
        """The text here, or None where the value is no string or no Unicode."""
        token = self.value()
        if len(token) < 2 or token[0] != _QUOTE or token[-1] != _QUOTE:
            return None
        try:
            text = _unescaped(token[1:-1].decode())
        except ValueError:
            return None
        return None if _SURROGATE.search(text) else text

    def finish(self) -> None:
        """Make sure that nothing follows the document.

        Raises:
            ScanError: something does.
        """
        if self.peek() != -1:
            raise ScanError("something follows the end")

    def _enter(self, opening: int, what: str) -> bool:
        if self.peek() == opening:
            self.pos += 1
            return True
        null = _NULL.match(self.data, self.pos)
        if null is None:
            raise ScanError(f"{what} was expected")
        self.pos = null.end()
        return False

    def _string(self) -> str:
        start = self.pos
        self.pos = self._string_end(start)
        return text_of(self.data[start : self.pos])

    def _string_end(self, start: int) -> int:
        data = self.data
        quote = data.find(b'"', start + 1)
        while quote != -1:
            back = quote
            while data[back - 1] == _BACKSLASH:
                back -= 1
            if (quote - back) % 2 == 0:
                return quote + 1
            quote = data.find(b'"', quote + 1)
        raise ScanError("it ends inside a text")

    def _skip(self) -> None:
        data, at = self.data, self.pos
        closers = bytearray()
        while True:
            found = (_BRACKET if closers else _DELIMITER).search(data, at)
            if found is None:
                raise ScanError("it ends inside a value")
            at = found.start()
            byte = data[at]
            if byte == _QUOTE:
                at = found.end() if found.end() > at + 1 else self._string_end(at)
                continue
            if byte in (_OPEN_OBJECT, _OPEN_ARRAY):
                closers.append(_CLOSE_OBJECT if byte == _OPEN_OBJECT else _CLOSE_ARRAY)
            elif not closers:
                self.pos = at
                return
            elif byte != closers.pop():
                raise ScanError("its brackets do not match")
            at += 1


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each key of the object with the exact bytes of its value, in order.

    Raises:
        ScanError: it is no object, or its members cannot be told apart from here on.
    """
    scanner = Scanner(data)
    for key in scanner.members():
        yield key, scanner.value()
    scanner.finish()


def elements(data: bytes) -> Iterator[bytes]:
    """The exact bytes of each element of the array, in order.

    Raises:
        ScanError: it is no array, or its elements cannot be told apart from here on.
    """
    scanner = Scanner(data)
    yield from scanner.elements()
    scanner.finish()
