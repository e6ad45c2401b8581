"""An object in the store, read as a body for another PUT."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from storage.objects.checked import READ_SIZE


class ObjectReader(io.RawIOBase):
    """Reads an object from its start, and again from its start whenever that is asked for."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        """``pieces`` begins a request for the bytes. None is made before the first read."""
        super().__init__()
        self._begin = pieces
        self._pieces: Iterator[bytes] | None = None
        self._piece = memoryview(b"")
        self._at = 0

    @classmethod
    def opened(cls, pieces: Callable[[], Iterator[bytes]]) -> BinaryIO:
        """A buffered reader."""
        return io.BufferedReader(cls(pieces), READ_SIZE)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """To the start only."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go back to the start, where another request begins."""
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("an object is read in order from its start")
        if self._at:
            self._pieces, self._piece, self._at = None, memoryview(b""), 0
        return 0

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read on."""
        if self._pieces is None:
            self._pieces = self._begin()
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        self._at += count
        return count

    def close(self) -> None:
        """Drop the request under way."""
        self._pieces = None
        super().close()
