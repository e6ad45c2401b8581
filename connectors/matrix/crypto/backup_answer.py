"""Room keys picked one by one out of an answer that may be larger than memory allows.

``{"rooms": {room: {"sessions": {session: {…}}}}}``, or the inner object of one room. Values are
read whole, and are small; what holds them is only walked through.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator

from bridge.errors import ConnectorUnavailableError
from connectors.matrix.crypto.backup_ports import BackupEntry

LARGEST_VALUE = 256 * 1024
"""Characters of a value that is read; one of a backup has about a thousand."""

STEP = 16 * 1024
"""Bytes that are taken at a time, at least."""

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


async def entries(
    chunks: AsyncIterator[bytes], *, room_id: str | None
) -> AsyncGenerator[BackupEntry, None]:
    """The keys in an answer, of all rooms or of ``room_id`` alone.

    Raises:
        ConnectorUnavailableError: the answer is none that can be read. What came before counts.
    """
    walk = _Walk(chunks)
    if room_id is not None:
        async for entry in _sessions(walk, room_id):
            yield entry
        return
    async for name in walk.members():
        if name != "rooms":
            await walk.value()
            continue
        async for room in walk.members():
            async for entry in _sessions(walk, room):
                yield entry


async def _sessions(walk: _Walk, room_id: str) -> AsyncGenerator[BackupEntry, None]:
    async for name in walk.members():
        if name != "sessions":
            await walk.value()
            continue
        async for session_id in walk.members():
            value = await walk.value()
            data = value if isinstance(value, dict) else {}
            yield BackupEntry(room_id=room_id, session_id=session_id, data=data)


class _Walk:
    """Where we are in the text. No more of it is held than a value and a chunk."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._at = 0
        self._is_all = False

    async def members(self) -> AsyncGenerator[str, None]:
        """The names in the object here. After each the caller MUST take its value."""
        await self._take("{")
        if await self._peek() == "}":
            self._at += 1
            return
        while True:
            name = await self.value()
            if not isinstance(name, str):
                raise _unreadable()
            await self._take(":")
            yield name
            if await self._peek() == "}":
                self._at += 1
                return
            await self._take(",")

    async def value(self) -> object:
        """The value here."""
        await self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                end = len(self._text)
            # At the very end of what is here a number, too, may be only begun.
            if end < len(self._text):
                self._at = end
                return value
            if self._is_all or len(self._text) - self._at > LARGEST_VALUE:
                raise _unreadable()
            await self._more()

    async def _take(self, character: str) -> None:
        if await self._peek() != character:
            raise _unreadable()
        self._at += 1

    async def _peek(self) -> str:
        """The next character that is no white space; '' at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space is not None else self._at
            if self._at < len(self._text) or self._is_all:
                return self._text[self._at : self._at + 1]
            await self._more()

    async def _more(self) -> None:
        # In steps of some size: a value is read again from its beginning with each.
        parts, size = [self._text[self._at :]], 0
        while size < STEP and not self._is_all:
            chunk = await anext(self._chunks, b"")
            self._is_all = not chunk
            parts.append(self._decode(chunk, self._is_all))
            size += len(chunk)
        self._text = "".join(parts)
        self._at = 0


def _unreadable() -> ConnectorUnavailableError:
    return ConnectorUnavailableError(
        "The homeserver's answer about the key backup cannot be read.",
        hint="Check [[matrix]] homeserver, and any proxy before it.",
    )
