"""A spool in memory that keeps the protocol's rules."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from bridge.errors import SpoolError, SpoolFullError
from bridge.model import Digest, SpooledFile
from bridge.protocols import ObjectBody, Spool, SpoolWriter


class MemorySpool:
    """Committed files by name. ``room`` is how many bytes all of them may have.

    ``faults`` are raised one by one by the next writes; ``unfinished`` counts writers that were
    neither committed nor abandoned, which a caller MUST bring back to none.
    """

    def __init__(self, *, room: int = 1_000_000) -> None:
        self.files: dict[str, bytes] = {}
        self.room = room
        self.faults: list[SpoolError] = []
        self.unfinished = 0
        self._made = 0

    async def create(self) -> MemoryWriter:
        """A new file under a name that was never used."""
        self._made += 1
        self.unfinished += 1
        return MemoryWriter(self, f"{self._made:032x}")

    def body(self, file: SpooledFile) -> ObjectBody:
        """The clear bytes of a committed file."""

        def read() -> BinaryIO:
            if file.name not in self.files:
                raise SpoolError(f"The spool file {file.name} cannot be opened.")
            return BytesIO(self.files[file.name])

        return ObjectBody(size=file.size, digest=file.digest, open=read)

    async def remove(self, names: frozenset[str]) -> None:
        """Remove files; missing ones are ignored."""
        await asyncio.sleep(0)
        for name in names:
            self.files.pop(name, None)

    async def names(self) -> frozenset[str]:
        """Every committed file."""
        return frozenset(self.files)

    async def fill(self) -> float:
        """How full it is, 0 to 1."""
        held = sum(map(len, self.files.values()))
        return min(held / self.room, 1.0) if self.room else 1.0


class MemoryWriter:
    """See :class:`bridge.protocols.SpoolWriter`."""

    def __init__(self, spool: MemorySpool, name: str) -> None:
        self._spool = spool
        self._name = name
        self._data = bytearray()
        self._open = True

    async def write(self, chunk: bytes) -> None:
        """Append clear bytes."""
        self._must_be_open()
        await asyncio.sleep(0)
        if self._spool.faults:
            raise self._spool.faults.pop(0)
        taken = sum(map(len, self._spool.files.values())) + len(self._data)
        if taken + len(chunk) > self._spool.room:
            raise SpoolFullError("The spool is full.")
        self._data += chunk

    async def commit(self) -> SpooledFile:
        """Give the file its name."""
        self._must_be_open()
        self._close()
        data = bytes(self._data)
        self._spool.files[self._name] = data
        return SpooledFile(
            name=self._name, size=len(data), digest=Digest.of(data), sniffed_type="text/plain"
        )

    async def abandon(self) -> None:
        """Remove what was written; nothing after a commit."""
        if self._open:
            self._close()

    def _close(self) -> None:
        self._open = False
        self._spool.unfinished -= 1

    def _must_be_open(self) -> None:
        if not self._open:
            raise RuntimeError("the writer is closed")


if TYPE_CHECKING:
    _spool: type[Spool] = MemorySpool
    _writer: type[SpoolWriter] = MemoryWriter
