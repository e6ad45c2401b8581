"""Objects as files: the key is the path. For one machine, for trying out, for tests.

Layout: ``root/v1/<tenant>/<key>``; ``root/.incoming/`` holds what is being written;
``root/probe/`` what ``doctor`` writes. Nothing enforces a retention here: a receipt says None.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge.errors import ObjectConflictError, ObjectStoreError, ObjectStoreUnavailableError
from bridge.keys import log_key
from bridge.model import Digest, ObjectInfo, ObjectReceipt
from bridge.protocols import CheckpointPlace, ObjectBody, ObjectStore
from bridge.whole_file import sync_folder
from storage.objects.checked import copy_checked, hex_of
from storage.objects.folder import (
    FILE_MODE,
    INCOMING,
    DurableFolders,
    as_store_error,
    require_store,
)
from storage.objects.local_checkpoint import LocalCheckpointPlace
from storage.objects.names import TenantNames

PROBE = "probe"
PAGE = 500
_T = TypeVar("_T")


class LocalObjectStore:
    """A folder that keeps the promises of :class:`bridge.protocols.ObjectStore`.

    Create-only by ``link(2)``: of several writers of a key, on this machine, one succeeds.
    """

    def __init__(self, root: Path, tenant: str, *, threads: int = 4) -> None:
        """``root``: the folder of the store; ``threads``: how many files are in work at once."""
        self._root = root
        self._names = TenantNames(tenant)
        self._incoming = root / INCOMING
        self._folders = DurableFolders(root)
        self._to_prepare = False
        self._preparing = threading.Lock()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="objects")

    async def start(self, *, used: bool = False) -> None:
        """Make the folder and empty ``.incoming``. MUST be called only by who alone writes here.

        ``used``: a store lies here from before. A folder without one is then not made into one:
        until it is back the store does not answer.

        What cannot be done now is done before the first put; until then each put says why not.
        A recorder whose store is in trouble goes on recording.
        """
        self._to_prepare = True
        if used:
            self._folders.expect_store()
        with suppress(ObjectStoreError):
            await self._run(self._prepare, f"preparing {self._root}")

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Create the file; see the protocol. ``retain_until`` and ``content_type`` are not kept."""
        path = self._path(key)
        existed = await self._run(lambda: self._put(path, body), f"writing {path}")
        return ObjectReceipt(key=key, digest=body.digest, existed=existed)

    async def head(self, key: str) -> ObjectInfo | None:
        """What stands under ``key``, with the digest of the bytes as they are now, or None."""
        path = self._path(key)
        return await self._run(lambda: self._head(key, path), f"reading {path}")

    async def get(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None."""
        path = self._path(key)
        return await self._run(lambda: self._read(path), f"reading {path}")

    async def body(self, key: str) -> ObjectBody | None:
        """The file as a body, with the digest of its bytes as they are now, or None."""
        path = self._path(key)
        info = await self._run(lambda: self._head(key, path), f"reading {path}")
        if info is None or info.digest is None:
            return None
        return ObjectBody(size=info.size, digest=info.digest, open=lambda: path.open("rb"))

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Every file whose key starts with ``prefix``, in key order, without digests."""
        start = self._root / self._names.of_prefix(prefix)
        folder = start if not prefix or prefix.endswith("/") else start.parent
        found = self._walk(folder, prefix)
        while page := await self._run(lambda: list(islice(found, PAGE)), f"listing {folder}"):
            for info in page:
                yield info

    async def probe(self) -> None:
        """Write, read, compare and remove a small file under ``probe/``.

        Raises:
            ObjectStoreError: with the reason and the remedy.
        """
        path = self._root / PROBE / os.urandom(8).hex()
        await self._run(lambda: self._probe(path), f"probing {path}")

    def checkpoint_place(self, shard: str = "0") -> CheckpointPlace:
        """Where the log's checkpoint stands in this store."""
        return LocalCheckpointPlace(
            self._root,
            self._path(log_key(shard, "checkpoint")),
            incoming=self._incoming,
            folders=self._folders,
            run=self._run,
        )

    async def aclose(self) -> None:
        """Wait for the files in work, and give up the threads."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _run(self, work: Callable[[], _T], doing: str) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            raise as_store_error(error, doing) from error

    def _path(self, key: str) -> Path:
        return self._root / self._names.of_key(key)

    def _prepare(self) -> None:
        with self._preparing:
            if not self._to_prepare:
                return
            self._folders.make(self._incoming)
            for left in self._incoming.iterdir():
                left.unlink()
            sync_folder(self._incoming)
            self._folders.settle(self._incoming)
            self._to_prepare = False

    def _put(self, path: Path, body: ObjectBody) -> bool:
        self._prepare()
        # Until the link a crash leaves a file in .incoming, which the next start removes.
        self._folders.make(self._incoming)
        temporary = self._incoming / os.urandom(16).hex()
        try:
            self._write(temporary, body)
            # From here a crash leaves empty folders, which no one lists.
            self._folders.make(path.parent)
            # The file's bytes are on disk before it has a name; after a crash the name is there
            # whole or not at all, and the same put finds it or makes it.
            existed = self._link(temporary, path, body)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        # Also for a file that existed: whoever linked it may have died before this.
        self._folders.settle(path.parent)
        return existed

    def _write(self, temporary: Path, body: ObjectBody) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
            copy_checked(body, file.write)
            file.flush()
            os.fsync(file.fileno())

    def _link(self, temporary: Path, path: Path, body: ObjectBody) -> bool:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            with path.open("rb") as standing:
                found, _ = hex_of(standing)
        else:
            return False
        if found != body.digest.hex:
            raise ObjectConflictError(f"{path} holds other bytes, SHA-256 {found}", found=found)
        return True

    def _head(self, key: str, path: Path) -> ObjectInfo | None:
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                found, size = hex_of(file)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            require_store(self._root)
            return None
        digest = Digest(value=bytes.fromhex(found))
        return ObjectInfo(key=key, size=size, modified_at=_time(status), digest=digest)

    def _walk(self, folder: Path, prefix: str) -> Iterator[ObjectInfo]:
        base = self._root / self._names.base
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except (FileNotFoundError, NotADirectoryError):
            require_store(self._root)
            return
        # A folder sorts with its slash, so that depth first is the order of whole keys.
        named = sorted(
            (entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name, entry)
            for entry in entries
        )
        for name, entry in named:
            key = Path(entry.path).relative_to(base).as_posix() + ("/" if name[-1] == "/" else "")
            if name[-1] == "/" and (key.startswith(prefix) or prefix.startswith(key)):
                yield from self._walk(Path(entry.path), prefix)
            elif name[-1] != "/" and key.startswith(prefix):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    yield ObjectInfo(key=key, size=status.st_size, modified_at=_time(status))

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            require_store(self._root)
            return None

    def _probe(self, path: Path) -> None:
        body = ObjectBody.of(os.urandom(32))
        self._put(path, body)
        try:
            if Digest.of(self._read(path) or b"") != body.digest:
                raise ObjectStoreUnavailableError(f"{path} does not hold what was written to it")
        finally:
            path.unlink()


def _time(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


if TYPE_CHECKING:
    _: type[ObjectStore] = LocalObjectStore
