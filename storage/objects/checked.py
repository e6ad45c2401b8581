"""A body that is believed only while its bytes have the digest it claims."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import BinaryIO

from bridge.errors import MunimentError, ObjectStoreError, ObjectStoreUnavailableError
from bridge.protocols import ObjectBody

READ_SIZE = 256 * 1024


def unreadable(error: Exception) -> ObjectStoreUnavailableError:
    """The body's own failure, as the store reports it."""
    hint = error.hint if isinstance(error, MunimentError) else None
    return ObjectStoreUnavailableError(f"the body could not be read: {error}", hint=hint)


def hex_of(source: BinaryIO) -> tuple[str, int]:
    """SHA-256 and size of what is left in ``source``."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(READ_SIZE):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _changed(body: ObjectBody) -> ObjectStoreUnavailableError:
    return ObjectStoreUnavailableError(
        f"the body changed while it was read: it is not the {body.size} bytes with SHA-256"
        f" {body.digest.hex}"
    )


def copy_checked(body: ObjectBody, write: Callable[[bytes], object]) -> None:
    """Hand the body to ``write``.

    Raises:
        ObjectStoreUnavailableError: the body is not what it claims; ``write`` had some of it.
    """
    digest, size = hashlib.sha256(), 0
    try:
        source = body.open()
    except (MunimentError, OSError) as error:
        raise unreadable(error) from error
    with source:
        while True:
            try:
                chunk = source.read(READ_SIZE)
            except (MunimentError, OSError) as error:
                raise unreadable(error) from error
            if not chunk:
                break
            digest.update(chunk)
            size += len(chunk)
            write(chunk)
    if size != body.size or digest.digest() != body.digest.value:
        raise _changed(body)


class CheckedBody(io.RawIOBase):
    """A seekable view of a body that never gives away its last byte unless the digest fits.

    A sender that announces ``body.size`` bytes therefore cannot complete a request with other
    bytes. ``failure`` says why reading stopped, whatever the sender's library makes of it. The
    body is read in order from the start; a seek to the start begins the digest again.
    """

    def __init__(self, body: ObjectBody) -> None:
        """Open the body.

        Raises:
            ObjectStoreUnavailableError: it cannot be opened.
        """
        super().__init__()
        self.failure: ObjectStoreError | None = None
        self._body = body
        self._at = 0
        self._hashed = 0
        self._digest = hashlib.sha256()
        try:
            self._source = body.open()
        except (MunimentError, OSError) as error:
            raise unreadable(error) from error

    @classmethod
    def opened(cls, body: ObjectBody) -> tuple[CheckedBody, BinaryIO]:
        """The view, and a buffered reader of it to hand to the sender."""
        checked = cls(body)
        return checked, io.BufferedReader(checked, READ_SIZE)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always: the sender signs first and sends afterwards."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to another place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._body.size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read on, and check the digest before the last byte is given away."""
        if self._body.size and self._at >= self._body.size:
            return 0
        try:
            chunk = self._next(len(buffer))
        except (MunimentError, OSError) as error:
            self.failure = error if isinstance(error, ObjectStoreError) else unreadable(error)
            raise self.failure from error
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _next(self, most: int) -> bytes:
        if self._at == 0:
            self._source.seek(0)
            self._hashed, self._digest = 0, hashlib.sha256()
        if self._at != self._hashed:
            raise io.UnsupportedOperation("a body is read in order from its start")
        chunk = self._source.read(min(most, self._body.size - self._at))
        self._digest.update(chunk)
        self._at += len(chunk)
        self._hashed = self._at
        if self._at == self._body.size:
            self._expect_the_end()
        elif not chunk:
            raise _changed(self._body)
        return chunk

    def _expect_the_end(self) -> None:
        if self._digest.digest() != self._body.digest.value or self._source.read(1):
            raise _changed(self._body)

    def close(self) -> None:
        """Close the body too."""
        if not self.closed:
            self._source.close()
        super().close()
