"""The catalog as ``run`` writes it: one part or act at a time, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge.protocols.catalog import CatalogWriter, ListedAct, Listing
from storage.catalog.file import CatalogFile
from storage.catalog.lines import lines_of

_T = TypeVar("_T")


class SqliteCatalogWriter:
    """Implements :class:`bridge.protocols.catalog.CatalogWriter`."""

    def __init__(self, file: CatalogFile, thread: ThreadPoolExecutor) -> None:
        """Use :meth:`open`."""
        self._file = file
        self._thread = thread

    @classmethod
    async def open(cls, path: Path) -> SqliteCatalogWriter:
        """Open the file at ``path``, making it where there is none.

        Raises:
            CatalogUnfitError: it is damaged, or of another version.
            CatalogError: it cannot be used.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        loop = asyncio.get_running_loop()
        return cls(await loop.run_in_executor(thread, CatalogFile, path), thread)

    async def has_taken(self, keys: Sequence[str]) -> frozenset[str]:
        """Which of these manifest parts and acts are listed already."""
        return await self._run(lambda: self._file.has_taken(keys))

    async def take(
        self, key: str, *, listings: Sequence[Listing] = (), act: ListedAct | None = None
    ) -> None:
        """List what one part or act says. Crash before the commit: it is taken again."""
        await self._run(lambda: self._take(key, listings, act))

    def _take(self, key: str, listings: Sequence[Listing], act: ListedAct | None) -> None:
        with self._file.transaction():
            self._file.take(lines_of(key, listings=listings, act=act))

    async def aclose(self) -> None:
        """Close the file."""
        await self._run(self._file.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


if TYPE_CHECKING:
    _: type[CatalogWriter] = SqliteCatalogWriter
