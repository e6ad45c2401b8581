"""The checkpoint in a folder: the one file that is written again, whole or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bridge.errors import ObjectConflictError
from bridge.model import Digest
from bridge.protocols import LARGEST_CHECKPOINT, CheckpointPlace
from storage.objects.folder import FILE_MODE, DurableFolders, require_store

Running: TypeAlias = Callable[[Callable[[], bytes | None], str], Awaitable[bytes | None]]
"""Does file work in one of the store's threads, and turns its errors into the store's."""


class LocalCheckpointPlace:
    """Keeps the promises of :class:`bridge.protocols.CheckpointPlace` on one machine.

    Writers take turns by a lock on the folder that the file stands in; who dies gives it back.
    """

    def __init__(
        self,
        root: Path,
        path: Path,
        *,
        incoming: Path,
        folders: DurableFolders,
        run: Running,
    ) -> None:
        """``path`` is below ``root``. ``incoming``: where a file stands while written."""
        self._root = root
        self._path = path
        self._incoming = incoming
        self._folders = folders
        self._run = run

    async def read(self) -> bytes | None:
        """What stands there now."""
        return await self._run(self._read, f"reading {self._path}")

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """Put ``note`` there, under the lock."""

        def work() -> None:
            self._folders.make(self._path.parent)
            self._folders.make(self._incoming)
            with _turn(self._path.parent):
                self._replace(note, instead_of)

        await self._run(work, f"writing {self._path}")

    def _replace(self, note: bytes, instead_of: bytes | None) -> None:
        standing = self._read()
        if standing == note:
            # Whoever put it there may have died before its name was durable.
            self._folders.settle(self._path.parent)
            return
        if standing != instead_of:
            found = None if standing is None else Digest.of(standing).hex
            raise ObjectConflictError(f"{self._path} is not what we left there", found=found)
        temporary = self._incoming / os.urandom(16).hex()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            # Crash before: the old one stands. Crash after: one of the two stands, whole.
            temporary.replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        self._folders.settle(self._path.parent)

    def _read(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                return file.read(LARGEST_CHECKPOINT + 1)
        except (FileNotFoundError, NotADirectoryError):
            require_store(self._root)
            return None


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


if TYPE_CHECKING:
    _: type[CheckpointPlace] = LocalCheckpointPlace
