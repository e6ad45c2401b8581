"""Objects and long downloads on their way to a browser, checked while they go.

The last part of an object is held back until its digest fits: a browser never has the whole of one
that is not what it should be, and sees that its download broke off.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import BinaryIO, Final

from bridge.console.handles import opened
from bridge.console.reels import Piece, Reel, Source
from bridge.errors import ObjectStoreError
from bridge.protocols import ObjectBody, ObjectStore

CHUNK: Final = 256 * 1024
SANDBOX: Final = "sandbox; default-src 'none'"
"""The policy of what strangers wrote, should a browser show it after all."""

_RANGE: Final = re.compile(r"bytes=(?P<first>[0-9]{0,19})-(?P<last>[0-9]{0,19})")


class MismatchError(ObjectStoreError):
    """An object has other bytes than it should. Raised before the last of them is sent."""

    hint = "Run `muniment verify`; see docs/operations.md, Alarms."


class RangeError(ValueError):
    """A range that is not in the contents."""


def span_of(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last of a Range header; None: the whole is meant.

    Raises:
        RangeError: there are no such bytes.
    """
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or not (found["first"] or found["last"]):
        return None
    if not found["first"]:
        first, last = max(size - int(found["last"]), 0), size - 1
    else:
        first = int(found["first"])
        last = min(int(found["last"] or size - 1), size - 1)
        if found["last"] and int(found["last"]) < first:
            return None
    if first > last or first >= size:
        raise RangeError(f"bytes {asked} of {size}")
    return first, last + 1


async def record_bytes(store: ObjectStore, source: Source) -> bytes:
    """The bytes of a record.

    Raises:
        MismatchError: they are not those with this digest, or are not there.
        ObjectStoreError: the store does not answer.
    """
    body = await store.get(source.key)
    if body is None or hashlib.sha256(body).hexdigest() != source.sha256:
        raise _mismatch(source)
    return body


async def weighed(store: ObjectStore, key: str) -> tuple[str, int] | None:
    """SHA-256 and size of the bytes that stand under a key now; None: none do.

    What the store keeps as their digest is not asked: the bytes may have changed under it.

    Raises:
        ObjectStoreError: the store does not answer.
    """
    body = await store.body(key)
    if body is None:
        return None
    source = Source(key, body.digest.hex)
    file = await opened(partial(_open, body, source))
    digest, size = hashlib.sha256(), 0
    try:
        while chunk := await asyncio.to_thread(_read, file, source):
            digest.update(chunk)
            size += len(chunk)
    finally:
        file.close()
    return digest.hexdigest(), size


async def medium_bytes(
    store: ObjectStore, source: Source, *, skip: int = 0, as_kept: bool = True
) -> AsyncIterator[bytes]:
    """The bytes of an attachment from ``skip`` on, in parts.

    With ``as_kept`` none is given where already the digest that the store keeps is another one.

    Raises:
        MismatchError: they are not those with this digest, or are not there.
        ObjectStoreError: the store does not answer.
    """
    body = await store.body(source.key)
    if body is None or (as_kept and body.digest.hex != source.sha256):
        raise _mismatch(source)
    file = await opened(partial(_open, body, source))
    digest, held = hashlib.sha256(), b""
    try:
        while chunk := await asyncio.to_thread(_read, file, source):
            if held:
                yield held
            digest.update(chunk)
            held, skip = chunk[skip:], max(skip - len(chunk), 0)
    finally:
        file.close()
    if digest.hexdigest() != source.sha256:
        raise _mismatch(source)
    if held:
        yield held


async def reel_bytes(reel: Reel, store: ObjectStore, start: int, stop: int) -> AsyncIterator[bytes]:
    """The bytes of a download from ``start`` up to ``stop``.

    Raises:
        MismatchError: an object is no longer what it was when the download was prepared.
        ObjectStoreError: the store does not answer, or the download was given up meanwhile.
    """
    after = -1
    at = start
    while at < stop:
        after, pieces = await asyncio.to_thread(_pieces, reel, start, after)
        if not pieces:
            return
        for piece in pieces:
            async for data in _cut(piece, store, skip=max(at - piece.start, 0)):
                part = data[: stop - at]
                at += len(part)
                if part:
                    yield part
                if at >= stop:
                    return


async def gathered(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer parts: what is small travels together."""
    held: list[bytes] = []
    size = 0
    async for part in parts:
        held.append(part)
        size += len(part)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


async def _cut(piece: Piece, store: ObjectStore, *, skip: int) -> AsyncIterator[bytes]:
    if piece.source is None:
        yield piece.data[skip:]
    elif piece.is_record:
        yield (await record_bytes(store, piece.source))[skip:]
    else:
        async for data in medium_bytes(store, piece.source, skip=skip, as_kept=False):
            yield data


def _pieces(reel: Reel, start: int, after: int) -> tuple[int, list[Piece]]:
    try:
        return reel.pieces(start, after)
    except ValueError:
        raise ObjectStoreError("The download was given up.", hint="Prepare it once more.") from None


def _open(body: ObjectBody, source: Source) -> BinaryIO:
    try:
        return body.open()
    except OSError as error:
        raise ObjectStoreError(f"{source.key} cannot be read: {error.strerror}.") from None


def _read(file: BinaryIO, source: Source) -> bytes:
    try:
        return file.read(CHUNK)
    except OSError as error:
        raise ObjectStoreError(f"{source.key} cannot be read: {error.strerror}.") from None


def _mismatch(source: Source) -> MismatchError:
    return MismatchError(f"{source.key} is missing, or its bytes are not those it should have.")
