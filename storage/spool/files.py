"""The spool as a folder of encrypted files, one per attachment, named at random.

Committed files are ``<32 hex>``, unfinished ones ``<32 hex>.part``. What the bytes on disk are is
told in :mod:`storage.spool.cipher`. The spool is written by one process only.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge.errors import SpoolError, SpoolFullError
from bridge.model import SpooledFile
from bridge.protocols import ObjectBody, Spool, SpoolWriter
from bridge.whole_file import sync_folder
from storage.spool.cipher import CHUNK, ID_SIZE, KEY_SIZE, ClearFile, FileCipher, clear_size
from storage.spool.writing import PARTIAL, PartialFile, as_spool_error

FOLDER_MODE = 0o700
_NAME = re.compile(r"[0-9a-f]{32}")
_T = TypeVar("_T")


def free_on_disk(folder: Path) -> int:
    """Bytes that the folder's disk has left for us."""
    return shutil.disk_usage(folder).free


class _Room:
    """How many bytes the spool holds. Touched only on the event loop."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._held = 0
        self._sizes: dict[str, int] = {}

    def count(self, sizes: dict[str, int]) -> None:
        self._sizes, self._held = sizes, sum(sizes.values())

    def take(self, name: str, more: int) -> None:
        if self._held + more > self.max_bytes:
            raise SpoolFullError(
                f"the spool holds {self._held} of {self.max_bytes} bytes"
                f" and has no room for {more} more"
            )
        self._held += more
        self._sizes[name] = self._sizes.get(name, 0) + more

    def give_back(self, name: str) -> None:
        self._held -= self._sizes.pop(name, 0)

    def fill(self, usable: int) -> float:
        """The share that is held of what may be; ``usable`` bytes are still to be had."""
        most = min(self.max_bytes, self._held + max(usable, 0))
        return min(self._held / most, 1.0) if most else 1.0


class FileSpoolWriter:
    """See :class:`bridge.protocols.SpoolWriter`. Used by one task at a time."""

    def __init__(
        self,
        file: PartialFile,
        name: str,
        room: _Room,
        media_max_bytes: int,
        spare: Callable[[], int],
    ) -> None:
        """``room`` is given back when the file is abandoned; ``spare`` tells what the disk has."""
        self._file, self._name, self._room, self._spare = file, name, room, spare
        self._media_max_bytes = media_max_bytes
        self._buffer = bytearray()
        self._size = 0
        self._work: asyncio.Task[object] | None = None
        self._broken = self._committed = self._abandoned = False

    async def write(self, chunk: bytes) -> None:
        """Append clear bytes. After an error or a cancel only :meth:`abandon` is left."""
        self._require_usable()
        # A chunk that was refused leaves a hole: nothing may follow it.
        self._broken = True
        if self._size + len(chunk) > self._media_max_bytes:
            raise SpoolFullError(
                f"the attachment is larger than {self._media_max_bytes} bytes",
                hint="Raise [spool] media_max_bytes to record attachments of this size.",
            )
        self._room.take(self._name, len(chunk))
        self._broken = False
        self._size += len(chunk)
        self._buffer += chunk
        if len(self._buffer) >= CHUNK:
            await self._flush()

    async def commit(self) -> SpooledFile:
        """Make the file durable under its name."""
        self._require_usable()
        await self._flush()
        done = await self._off_the_loop(self._file.commit)
        self._committed = True
        return done

    async def abandon(self) -> None:
        """Remove what was written; after a commit that returned, nothing."""
        if self._committed or self._abandoned:
            return
        self._broken = True
        if self._work is not None:
            # A cancelled call left its thread writing: the file is removed when it has ended.
            await asyncio.wait({self._work})
        await self._off_the_loop(self._file.remove)
        self._abandoned = True
        self._room.give_back(self._name)

    def _require_usable(self) -> None:
        if self._committed or self._abandoned:
            raise RuntimeError(f"spool file {self._name} is closed")
        if self._broken:
            raise SpoolError(f"spool file {self._name} failed before and can only be abandoned")

    async def _flush(self) -> None:
        clear = bytes(self._buffer)
        self._buffer.clear()
        await self._off_the_loop(partial(self._write, clear))

    def _write(self, clear: bytes) -> None:
        """The disk's last bytes are the journal's: texts go on where attachments cannot."""
        if self._spare() < len(clear):
            raise SpoolFullError("the disk has no room left for attachments")
        self._file.write(clear)

    async def _off_the_loop(self, work: Callable[[], _T]) -> _T:
        whole = not self._broken
        self._broken = True
        running = asyncio.ensure_future(asyncio.to_thread(work))
        self._work = running
        try:
            done = await asyncio.shield(running)
        except OSError as error:
            raise as_spool_error(error, f"writing spool file {self._name}") from error
        self._broken = not whole
        return done


class FileSpool:
    """See :class:`bridge.protocols.Spool`."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        *,
        max_bytes: int,
        media_max_bytes: int,
        random_bytes: Callable[[int], bytes],
        keep_free: int = 0,
        free_bytes: Callable[[Path], int] = free_on_disk,
    ) -> None:
        """``key``: the journal key; ``max_bytes``: of the whole spool, in clear bytes.

        ``keep_free``: bytes of the disk that are the journal's, which goes on when no attachment
        has room any more. ``free_bytes`` blocks and tells what a folder's disk has left.
        """
        if len(key) != KEY_SIZE:
            raise ValueError(f"the journal key has {KEY_SIZE} bytes, got {len(key)}")
        self._folder, self._key = folder, key
        self._media_max_bytes = media_max_bytes
        self._random_bytes = random_bytes
        self._room = _Room(max_bytes)
        self._keep_free, self._free_bytes = keep_free, free_bytes
        self._started = False

    async def start(self) -> None:
        """Make the folder, remove unfinished files and count the others. MUST come first."""
        self._room.count(await self._off_the_loop(self._start, "preparing the spool"))
        self._started = True

    async def create(self) -> FileSpoolWriter:
        """A new file under a fresh random name."""
        if not self._started:
            raise RuntimeError("the spool was not started")
        file_id = self._random_bytes(ID_SIZE)
        name = file_id.hex()
        work = asyncio.ensure_future(asyncio.to_thread(self._create, file_id))
        try:
            file = await asyncio.shield(work)
        except OSError as error:
            raise as_spool_error(error, "making a spool file") from error
        except asyncio.CancelledError:
            # The thread goes on; what it makes is removed when it has ended.
            work.add_done_callback(_discard)
            raise
        return FileSpoolWriter(file, name, self._room, self._media_max_bytes, self._spare)

    def body(self, file: SpooledFile) -> ObjectBody:
        """The clear bytes of a committed file. Its ``open`` blocks: call it in a thread."""
        path = self._path(file.name)
        cipher = FileCipher(self._key, bytes.fromhex(file.name))
        return ObjectBody(
            size=file.size, digest=file.digest, open=partial(ClearFile.opened, path, cipher)
        )

    async def remove(self, names: frozenset[str]) -> None:
        """Remove files, durably. Missing ones are ignored."""
        paths = [self._path(name) for name in sorted(names)]
        await self._off_the_loop(partial(self._remove, paths), "removing spool files")
        for name in names:
            self._room.give_back(name)

    async def names(self) -> frozenset[str]:
        """Every committed file."""
        return await self._off_the_loop(self._names, "listing the spool")

    async def fill(self) -> float:
        """How full the spool is, 0 to 1."""
        return self._room.fill(await self._off_the_loop(self._spare, "measuring the disk"))

    def _spare(self) -> int:
        """Bytes that the disk has left for the spool; below zero where it has none."""
        return self._free_bytes(self._folder) - self._keep_free

    async def _off_the_loop(self, work: Callable[[], _T], doing: str) -> _T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise as_spool_error(error, f"{doing} in {self._folder}") from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a spool file is named by 32 hex digits, got {name!r}")
        return self._folder / name

    def _start(self) -> dict[str, int]:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        sync_folder(self._folder.parent)
        for left in self._folder.glob(f"*{PARTIAL}"):
            left.unlink()
        sync_folder(self._folder)
        files = {name: self._folder / name for name in self._names()}
        return {name: clear_size(path.stat().st_size) for name, path in files.items()}

    def _create(self, file_id: bytes) -> PartialFile:
        return PartialFile(self._folder, file_id.hex(), FileCipher(self._key, file_id))

    def _remove(self, paths: list[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _names(self) -> frozenset[str]:
        found = (each.name for each in self._folder.iterdir())
        return frozenset(name for name in found if _NAME.fullmatch(name))


def _discard(work: asyncio.Future[PartialFile]) -> None:
    if not work.cancelled() and work.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, work.result().remove)


if TYPE_CHECKING:
    _: type[Spool] = FileSpool
    __: type[SpoolWriter] = FileSpoolWriter
