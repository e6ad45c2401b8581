"""The published log over a store: tiles first, then the head in ``log.db``, then the checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bridge import keys
from bridge.errors import LogForkError, ObjectConflictError
from bridge.notekeys import NoteVerifier
from bridge.protocols import (
    CheckpointPlace,
    CheckpointStore,
    Clock,
    Head,
    ObjectBody,
    ObjectStore,
    RecordLog,
    Signer,
)
from storage.translog.checkpoint import Checkpoint
from storage.translog.edge import Pieces, RightEdge
from storage.translog.malformed import MalformedError
from storage.translog.published import PublishedTree
from storage.translog.signatories import Signatories, sign_by_all
from storage.translog.tiles import WIDTH, Bundle, Tile

log = structlog.get_logger(__name__)

PUTS_AT_ONCE = 4
"""Tiles and bundles on their way at a time: records go by the same threads, and go first."""

Placed = tuple[Tile | Bundle, ObjectBody]


class TiledLog:
    """Keeps the promises of :class:`bridge.protocols.RecordLog`. One writer, on one shard.

    What is held in memory is the right edge of the tree, and nothing that grows with it.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        heads: CheckpointStore,
        place: CheckpointPlace,
        signer: Signer,
        following: Signer | None = None,
        clock: Clock,
        retention: timedelta | None,
        shard: str = "0",
    ) -> None:
        """``following``: the key that is to replace that of ``signer``.

        ``retention``: the longest of all classes, for full tiles; None asks no retention.
        """
        self._store = store
        self._heads = heads
        self._place = place
        self._signatories = Signatories(signer, following)
        self._name = signer.verifier.name
        self._clock = clock
        self._retention = retention
        self._shard = shard
        self._turn = asyncio.Lock()
        self._edge: RightEdge | None = None
        self._head: Head | None = None
        self._standing: bytes | None = None
        self._fork = ""

    @property
    def size(self) -> int:
        """Leaves under the last published checkpoint."""
        return 0 if self._head is None else self._head.size

    @property
    def head(self) -> Head | None:
        """The last published head."""
        return self._head

    @property
    def key(self) -> NoteVerifier:
        """Whose key signs next."""
        return self._signatories.in_force

    @property
    def next_key(self) -> NoteVerifier | None:
        """Whose key is to follow."""
        return self._signatories.following

    @property
    def handing_over(self) -> bool:
        """Whether two keys signed the last published head."""
        return self._head is not None and self._signatories.hands_over(self._head.note)

    async def open(self) -> int:
        """Find out where the log stands; see the protocol.

        A crash anywhere in here changes nothing that the next look would not do again.
        """
        async with self._turn:
            self._edge = None
            if self._fork:
                raise LogForkError(self._fork)
            last = await self._heads.last()
            standing = await self._place.read()
            shown = None if standing is None else self._signed_by_us(standing)
            head = _larger(last, shown)
            self._follow(head)
            if head is None:
                self._edge, self._head, self._standing = RightEdge(), None, None
                return 0
            edge = await self._edge_of(head)
            for earlier in (last, shown):
                if earlier is not None:
                    await self._require_prefix(earlier, head)
            if head is not last and (last is None or last.size < head.size):
                # log.db was lost or restored: from here on it says again what was signed.
                log.warning("log_caught_up", size=head.size)
                if not await self._heads.swap(head, expect=last):
                    raise LogForkError("Another process writes the heads of this log.")
            if shown is None or shown.size < head.size:
                standing = await self._publish(head, instead_of=standing)
            await self._heads.published(head)
            self._edge, self._head, self._standing = edge, head, standing
            return head.size

    async def leaves(self, start: int, stop: int) -> tuple[bytes, ...]:
        """Published leaves, each bundle proved to belong to the published head."""
        async with self._turn:
            edge = self._require_open()
            if not 0 <= start <= stop <= edge.size:
                raise RuntimeError("only published leaves are read")
            try:
                return await self._tree(edge).leaves(start, stop)
            except MalformedError as error:
                raise LogForkError(
                    f"The store's log does not fit its checkpoint: {error}"
                ) from None

    async def extend(self, leaves: Sequence[bytes]) -> Head:
        """Append, sign, publish; see the protocol.

        Whatever fails in here, :meth:`open` finds out how far it came, and finishes it.
        """
        async with self._turn:
            edge = self._require_open()
            if not leaves:
                raise RuntimeError("there is no checkpoint without new leaves")
            signers = self._signers_over(leaves)
            grown, placed = await asyncio.to_thread(_grow, edge, leaves)
            self._edge = None  # not open any more, until this is through
            await self._require_alone()
            if self._head is None:
                await self._require_first(leaves)
            await self._put(placed)
            await self._require_alone()  # again: nothing is signed beside somebody else's head
            head = self._signed(grown, signers)
            # Crash before the swap: the same leaves are put again, which changes nothing.
            if not await self._heads.swap(head, expect=self._head):
                raise self._forked("Another process writes the heads of this log.")
            # Crash after it: the next look publishes this head before anything else is signed.
            standing = await self._publish(head, instead_of=self._standing)
            await self._heads.published(head)
            self._edge, self._head, self._standing = grown, head, standing
            self._signatories.follow(head.note)
            return head

    async def aclose(self) -> None:
        """Wait for what is under way, and close the file of the heads."""
        async with self._turn:
            self._edge = None
            await self._heads.aclose()

    def _require_open(self) -> RightEdge:
        if self._fork:
            raise LogForkError(self._fork)
        if self._edge is None:
            raise RuntimeError("the log is opened before it is used, and again after a failure")
        return self._edge

    def _forked(self, what: str) -> LogForkError:
        """From here on this writer signs nothing more."""
        self._fork = what
        return LogForkError(what)

    async def _require_alone(self) -> None:
        """The store and ``log.db`` show what we left there, or somebody else writes this log."""
        if not _same(await self._heads.last(), self._head):
            raise self._forked("Another process writes the heads of this log.")
        if await self._place.read() != self._standing:
            raise self._forked("The store's checkpoint is not the one that was published last.")

    async def _require_first(self, leaves: Sequence[bytes]) -> None:
        """No head is known, so nothing was ever signed; or all that says so was lost or removed.

        Who lost journal and ``log.db`` must not sign a second history where ``checkpoint`` was
        deleted. Looked at before anything is put: full tiles would take the names of that log's.
        Between first and last, full ones cannot be put over others; partial ones could.
        """
        try:
            for index in sorted({0, (len(leaves) - 1) // WIDTH}):
                ours = leaves[index * WIDTH : (index + 1) * WIDTH]
                await PublishedTree.require_no_other(self._store, self._shard, index, ours)
        except MalformedError as error:
            raise LogForkError(f"A log was begun here whose checkpoint is gone: {error}") from None

    async def _put(self, placed: Sequence[Placed]) -> None:
        waiting = iter(placed)
        putting = [
            asyncio.ensure_future(self._put_some(waiting))
            for _ in range(min(PUTS_AT_ONCE, len(placed)))
        ]
        try:
            await asyncio.gather(*putting)
        finally:
            for each in putting:
                each.cancel()
            await asyncio.gather(*putting, return_exceptions=True)

    async def _put_some(self, waiting: Iterator[Placed]) -> None:
        for piece, body in waiting:
            until = None
            if piece.full and self._retention is not None:
                until = self._clock.now() + self._retention
            try:
                await self._store.put(
                    keys.log_key(self._shard, piece.path),
                    body,
                    retain_until=until,
                    content_type="application/octet-stream",
                )
            except ObjectConflictError as error:
                what = f"Another writer put {piece.path}: {error}"
                if piece.full:
                    raise self._forked(what) from None
                # A partial one may be what a dead process left whose rows were lost with the
                # journal: nothing was signed over it, and the next leaf gets by under another name.
                raise LogForkError(what) from None

    def _follow(self, head: Head | None) -> None:
        """Who signs next is what the last head says, whatever this process was told before."""
        if head is None:
            return
        try:
            self._signatories.follow(head.note)
        except MalformedError as error:
            raise LogForkError(f"The last checkpoint is not ours: {error}.") from None

    def _signers_over(self, leaves: Sequence[bytes]) -> tuple[Signer, ...]:
        try:
            return self._signatories.over(leaves)
        except MalformedError as error:
            raise LogForkError(f"The log cannot go on with the next key: {error}.") from None

    def _signed(self, edge: RightEdge, signers: Sequence[Signer]) -> Head:
        """The head of a tree that grew out of the last one published."""
        root = edge.root()
        checkpoint = Checkpoint(origin=self._name, size=edge.size, root=root)
        note = sign_by_all(checkpoint, signers)
        return Head(size=edge.size, root=root, note=note, at=self._clock.now())

    async def _publish(self, head: Head, *, instead_of: bytes | None) -> bytes:
        try:
            await self._place.publish(head.note, instead_of=instead_of)
        except ObjectConflictError as error:
            raise self._forked(f"Another writer published a checkpoint: {error}") from None
        return head.note

    def _signed_by_us(self, note: bytes) -> Head:
        try:
            checkpoint = self._signatories.read(note)
        except MalformedError as error:
            raise LogForkError(f"The store's checkpoint is not ours: {error}") from None
        return Head(size=checkpoint.size, root=checkpoint.root, note=note, at=self._clock.now())

    async def _edge_of(self, head: Head) -> RightEdge:
        try:
            edge = await PublishedTree.edge(self._store, self._shard, head.size)
        except MalformedError as error:
            raise LogForkError(
                f"The store does not hold the log of {head.size} leaves that was signed: {error}"
            ) from None
        if edge.root() != head.root:
            raise LogForkError(f"The store's tiles do not give the root of {head.size} leaves.")
        return edge

    async def _require_prefix(self, earlier: Head, head: Head) -> None:
        """``earlier`` is the same history as ``head``, which is not smaller."""
        try:
            await PublishedTree.require_prefix(
                self._store, self._shard, (earlier.size, earlier.root), (head.size, head.root)
            )
        except MalformedError as error:
            raise LogForkError(
                f"Heads of {earlier.size} and {head.size} leaves are not of one history: {error}"
            ) from None

    def _tree(self, edge: RightEdge) -> PublishedTree:
        return PublishedTree(self._store, self._shard, edge)


def _larger(last: Head | None, shown: Head | None) -> Head | None:
    """The head that may extend the other; of equal ones the one in ``log.db``."""
    if last is None or (shown is not None and shown.size > last.size):
        return shown
    return last


def _same(one: Head | None, other: Head | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.size, one.note) == (other.size, other.note)


def _grow(edge: RightEdge, leaves: Sequence[bytes]) -> tuple[RightEdge, list[Placed]]:
    """In a thread: hashing many leaves takes its time."""
    pieces: Pieces
    grown, pieces = edge.grow(leaves)
    return grown, [(piece, ObjectBody.of(data)) for piece, data in pieces]


if TYPE_CHECKING:
    _: type[RecordLog] = TiledLog
