"""What keeps bytes: the object store, for good, and the spool, until they are there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import BinaryIO, Protocol

from bridge.model import Digest, ObjectInfo, ObjectReceipt, SpooledFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectBody:
    """Bytes to put: their size and digest, and how to read them from the start, repeatedly."""

    size: int
    digest: Digest
    open: Callable[[], BinaryIO]

    @classmethod
    def of(cls, data: bytes) -> ObjectBody:
        """A body in memory."""
        return cls(size=len(data), digest=Digest.of(data), open=lambda: BytesIO(data))


class ObjectStore(Protocol):
    """Objects under keys below ``v1/<tenant>/``. Create-only: there is no delete and no overwrite.

    Raises :class:`bridge.errors.ObjectStoreError` and nothing else.
    """

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Create the object. Durable on return, with its SHA-256 checked and kept beside it.

        The same bytes again under the same key MUST succeed (``existed`` is then true).
        ``retain_until`` MUST be read back from the store where the store keeps retentions; the
        receipt says what was read. A cancelled put may still land.

        Raises:
            ObjectConflictError: other bytes stand under this key; nothing was changed.
            ObjectStoreUnavailableError: unknown whether it happened; put the same bytes again.
            ObjectStoreRejectedError: the store refuses us.
            RetentionNotKeptError: stored, but without the retention asked for.
        """

    async def head(self, key: str) -> ObjectInfo | None:
        """What stands under ``key``, or None."""

    async def get(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None. For records, manifests and acts, not for media."""

    async def body(self, key: str) -> ObjectBody | None:
        """The object under ``key`` as a body for another PUT, or None; for media too.

        Its ``open`` blocks and reads the store: call it in a thread.
        """

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Every object whose key starts with ``prefix``, in key order."""

    async def probe(self) -> None:
        """Write, read and compare a small object under ``probe/``, outside the tenant's records.

        Raises:
            ObjectStoreError: with the reason and the remedy.
        """

    async def aclose(self) -> None:
        """Give up connections and threads."""


class SpoolWriter(Protocol):
    """A file being written. Without :meth:`commit` nothing remains of it."""

    async def write(self, chunk: bytes) -> None:
        """Append clear bytes; they are encrypted before they reach the disk.

        Raises:
            SpoolFullError: there is no room, or the file exceeds the cap.
        """

    async def commit(self) -> SpooledFile:
        """Make the file durable under its name."""

    async def abandon(self) -> None:
        """Remove what was written. MUST be safe after :meth:`commit`, where it does nothing."""


class Spool(Protocol):
    """Attachments on disk, encrypted with the journal key, until they are stored."""

    async def create(self) -> SpoolWriter:
        """A new file under a fresh random name."""

    def body(self, file: SpooledFile) -> ObjectBody:
        """The clear bytes of a committed file, for a PUT."""

    async def remove(self, names: frozenset[str]) -> None:
        """Remove files. Missing ones are ignored."""

    async def names(self) -> frozenset[str]:
        """Every committed file."""

    async def fill(self) -> float:
        """How full the spool is, 0 to 1: of its cap, or of the disk where that has less room.

        The room kept free for the journal is not the spool's.
        """
