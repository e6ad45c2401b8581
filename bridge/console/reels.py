"""The contents of a long download, fixed before it begins, so that any part can be sent again.

What can be read again from the store is only named; what was made for the download lies in files
without a name, which are gone when they are closed, whatever happens.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec

_ROW: Final = struct.Struct(">QQQB")
"""Offset in the contents, size, where its source stands, what it is."""

AT_ONCE: Final = 64
"""Pieces read together."""

LARGEST_SLICE: Final = 64 * 1024


class Kind(IntEnum):
    """Where a piece comes from."""

    ZEROS = 0
    MADE = 1
    ROWS = 2
    SUMS = 3
    RECORD = 4
    MEDIUM = 5


class Source(msgspec.Struct, frozen=True, array_like=True):
    """An object of the store, as it was when the download was prepared."""

    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the contents: where it begins, how long it is, and what it is.

    ``data`` are its bytes where they were made for the download; else ``source`` names them.
    """

    start: int
    size: int
    data: bytes = b""
    source: Source | None = None
    is_record: bool = False


class Spool:
    """Bytes in a file without a name. Appended in one thread; read from any once it is whole."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self.size = 0

    def add(self, data: bytes) -> int:
        """Append; gives where it stands."""
        at = self.size
        self._file.write(data)
        self.size += len(data)
        return at

    def flush(self) -> None:
        """What was appended can be read."""
        self._file.flush()

    def read(self, at: int, size: int) -> bytes:
        """Bytes that were flushed."""
        return os.pread(self._file.fileno(), size, at)

    def close(self) -> None:
        """It is gone."""
        self._file.close()


class Reel:
    """The pieces of a download, in order. Blocks."""

    def __init__(self, folder: Path | None = None) -> None:
        self._pieces = Spool(folder)
        self._made = Spool(folder)
        self.rows = Spool(folder)
        self.sums = Spool(folder)
        self.size = 0
        self.is_open = True

    def make(self, data: bytes) -> None:
        """Bytes made for the download."""
        if data:
            self._piece(Kind.MADE, self._made.add(data), len(data))

    def zeros(self, size: int) -> None:
        """So many zeros."""
        if size:
            self._piece(Kind.ZEROS, 0, size)

    def whole(self, kind: Kind, spool: Spool) -> None:
        """All that a spool has now."""
        for at in range(0, spool.size, LARGEST_SLICE):
            self._piece(kind, at, min(LARGEST_SLICE, spool.size - at))

    def named(self, kind: Kind, source: Source, size: int) -> None:
        """An object of the store."""
        at = self._made.add(msgspec.json.encode(source) + b"\n")
        if size:
            self._piece(kind, at, size)

    def again(self, kind: Kind, between: bytes) -> None:
        """Every piece of this kind so far once more, each with ``between`` after it."""
        self._pieces.flush()
        at = self._made.add(between)
        for i in range(self._pieces.size // _ROW.size):
            _, size, reference, of = self._row(i)
            if of == kind:
                self._piece(kind, reference, size)
                self._piece(Kind.MADE, at, len(between))

    def seal(self) -> None:
        """Nothing more is added."""
        for spool in (self._pieces, self._made, self.rows, self.sums):
            spool.flush()

    def pieces(self, start: int, after: int = -1) -> tuple[int, list[Piece]]:
        """Some pieces: those from byte ``start`` on, or those after piece number ``after``.

        Gives the number of the last; none are given after the end.
        """
        first = after + 1 if after >= 0 else self._holding(start)
        last = min(first + AT_ONCE, self._pieces.size // _ROW.size)
        return last - 1, [self._read(i) for i in range(first, last)]

    def lines(self) -> Iterator[bytes]:
        """The rows, one by one."""
        at, rest = 0, b""
        while data := self.rows.read(at, LARGEST_SLICE):
            at += len(data)
            *whole, rest = (rest + data).split(b"\n")
            yield from whole

    def close(self) -> None:
        """It is gone. MAY be repeated."""
        self.is_open = False
        for spool in (self._pieces, self._made, self.rows, self.sums):
            spool.close()

    def _piece(self, kind: Kind, reference: int, size: int) -> None:
        self._pieces.add(_ROW.pack(self.size, size, reference, kind))
        self.size += size

    def _row(self, i: int) -> tuple[int, int, int, Kind]:
        raw = self._pieces.read(i * _ROW.size, _ROW.size)
        start, size, reference, kind = _ROW.unpack(raw)
        return start, size, reference, Kind(kind)

    def _holding(self, start: int) -> int:
        """The piece in which this byte stands."""
        low, high = 0, self._pieces.size // _ROW.size
        while high - low > 1:
            middle = (low + high) // 2
            if self._row(middle)[0] <= start:
                low = middle
            else:
                high = middle
        return low

    def _read(self, i: int) -> Piece:
        start, size, reference, kind = self._row(i)
        if kind in {Kind.RECORD, Kind.MEDIUM}:
            source = self._source(reference)
            return Piece(start, size, source=source, is_record=kind is Kind.RECORD)
        spool = {Kind.MADE: self._made, Kind.ROWS: self.rows, Kind.SUMS: self.sums}.get(kind)
        data = bytes(size) if spool is None else spool.read(reference, size)
        return Piece(start, size, data=data)

    def _source(self, at: int) -> Source:
        line, _, _ = self._made.read(at, 1024).partition(b"\n")
        return msgspec.json.decode(line, type=Source)
