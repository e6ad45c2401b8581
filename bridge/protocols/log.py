"""What is promised of the log: who signs it, where its heads stand, what the store shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.notekeys import NoteVerifier


class Signer(Protocol):
    """Holds the log's private key. Does no I/O that could block."""

    @property
    def verifier(self) -> NoteVerifier:
        """Who it signs as."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature over exactly ``message``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A tree head that was signed: so many leaves, their root hash (32 bytes), the exact note."""

    size: int
    root: bytes
    note: bytes = field(repr=False)
    at: datetime


class CheckpointStore(Protocol):
    """The last head of each shard (``log.db``): whoever swaps it MAY publish it.

    Raises only :class:`bridge.errors.LogError`.
    """

    async def last(self) -> Head | None:
        """The last head swapped in, or None before the first."""

    async def swap(self, head: Head, *, expect: Head | None) -> bool:
        """Compare-and-swap, durable on return. False: another head stands; nothing was written.

        MUST refuse (False) a head that is not larger than the last one.
        """

    async def published(self, head: Head) -> None:
        """The store shows ``head``, which is the last one: ``status`` says so. MAY be repeated."""

    async def aclose(self) -> None:
        """Close the file."""


LARGEST_CHECKPOINT = 1_000_000
"""Bytes; anything longer is none."""


class CheckpointPlace(Protocol):
    """The object ``log/<shard>/checkpoint``: the one that is written again.

    Raises only :class:`bridge.errors.ObjectStoreError`.
    """

    async def read(self) -> bytes | None:
        """What stands there now, or None; of what is too long, no more than shows that it is."""

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """Put ``note`` there, durably; ``instead_of`` is what stood there (None: nothing).

        Where the store keeps conditions (If-Match), or is a folder, MUST NOT replace anything
        else. ``note`` itself standing there is success.

        Raises:
            ObjectConflictError: something else stands there; nothing was changed.
            ObjectStoreUnavailableError: unknown whether it happened.
        """


class RecordLog(Protocol):
    """The published log. One writer.

    Raises :class:`bridge.errors.LogError` and :class:`bridge.errors.ObjectStoreError` only.
    """

    async def open(self) -> int:
        """Find out where the log stands, and finish what a crash left; gives the size published.

        MUST be called, and succeed, before the others. Repeating it looks again. The last head of
        the :class:`CheckpointStore` is published if the store's is older. A store that is ahead
        with the same history (``log.db`` was lost or restored) is caught up with.

        Raises:
            LogForkError: the store's checkpoint and the last head have different histories, or
                it is not signed by our key, or tiles do not give its root: nothing MUST be signed.
                A checkpoint that names a later key of this log than ours is not signed by ours.
        """

    @property
    def size(self) -> int:
        """Leaves under the last published checkpoint."""

    @property
    def head(self) -> Head | None:
        """The last published head, or None before the first."""

    @property
    def key(self) -> NoteVerifier:
        """Whose key signs the next checkpoint: the one that the last published head says."""

    @property
    def next_key(self) -> NoteVerifier | None:
        """The key that is to follow, until the checkpoint over the leaf that names it."""

    @property
    def handing_over(self) -> bool:
        """Whether the last published head is the one that two keys signed."""

    async def leaves(self, start: int, stop: int) -> tuple[bytes, ...]:
        """Published leaves, from the store, checked against the published head."""

    async def extend(self, leaves: Sequence[bytes]) -> Head:
        """Append ``leaves`` after the last published one, sign, and publish.

        Order: full and partial tiles and bundles, create-only; the head is swapped in; the
        checkpoint is published. Crash before the swap: the same leaves are put again, which
        changes nothing. Crash after it: :meth:`open` publishes it. MUST be repeatable.

        The first checkpoint over a ``key`` leaf MUST be signed by both keys, the one that is
        replaced first; the next one by the new key alone.

        Raises:
            LogForkError: another writer was there first: this one MUST stop for good. Or a leaf
                names a key that does not lie here: nothing was put.
        """

    async def aclose(self) -> None:
        """Give up what is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An outside proof of a checkpoint, to be kept under ``anchors/`` and named by a leaf.

    ``key`` is below ``v1/<tenant>/``: ``anchors/<shard>/<size>.note`` or ``.tsr``.
    """

    key: str
    size: int
    body: bytes = field(repr=False)
    at: datetime
