"""Where the heads of the log stand, in memory, and a key to sign them with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.errors import (
    LogUnavailableError,
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreUnavailableError,
)
from bridge.keys import log_key
from bridge.model import Digest
from bridge.notekeys import NoteSigner, generate, parse_signing_key
from bridge.protocols import LARGEST_CHECKPOINT, CheckpointPlace, CheckpointStore, Clock, Head
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.log import TiledLog
from tests.fakes.object_store import FakeObjectStore, StoredObject
from tests.fakes.samples import seeded

ORIGIN = "records.example.org/demo/log/0"
RETENTION = timedelta(days=2555)


def signing_key(seed: int = 7) -> NoteSigner:
    """A key of the log; another seed gives another key of the same name."""
    line, _ = generate(ORIGIN, seeded(seed))
    return parse_signing_key(line)


KEY = signing_key()


class FakeCheckpointStore:
    """See :class:`bridge.protocols.CheckpointStore`. ``heads`` are those in the file, oldest first.

    A test that puts a back-up back changes ``heads``; ``signed`` are all that ever were swapped in.
    ``unavailable`` fails everything. After ``aclose`` it can be used again: it is the file.
    """

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.signed: list[Head] = []
        self.shown: Head | None = None
        self.unavailable = False

    def _answer(self) -> None:
        if self.unavailable:
            raise LogUnavailableError("The disk is full.")

    async def last(self) -> Head | None:
        """The last head."""
        self._answer()
        return self.heads[-1] if self.heads else None

    async def swap(self, head: Head, *, expect: Head | None) -> bool:
        """Compare and swap."""
        self._answer()
        last = self.heads[-1] if self.heads else None
        if last != expect or (last is not None and head.size <= last.size):
            return False
        self.heads.append(head)
        self.signed.append(head)
        return True

    async def published(self, head: Head) -> None:
        """The last one is shown."""
        self._answer()
        assert self.heads, "nothing was ever signed"
        assert (head.size, head.root) == (self.heads[-1].size, self.heads[-1].root)
        self.shown = head

    async def aclose(self) -> None:
        """Nothing to close."""


class FakeCheckpointPlace:
    """See :class:`bridge.protocols.CheckpointPlace`, in a store that is in memory too.

    ``notes`` are all that ever stood there. ``before`` raises its errors one by one instead of the
    next publications; ``lost_replies`` is how many happen and then report nothing.
    """

    def __init__(self, store: FakeObjectStore, clock: Clock) -> None:
        self.notes: list[bytes] = []
        self.before: list[ObjectStoreError] = []
        self.lost_replies = 0
        self._store = store
        self._clock = clock
        self._key = log_key("0", "checkpoint")

    async def read(self) -> bytes | None:
        """What stands there."""
        standing = await self._store.get(self._key)
        return None if standing is None else standing[: LARGEST_CHECKPOINT + 1]

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """Replace exactly this."""
        standing = await self._store.get(self._key)
        if self.before:
            raise self.before.pop(0)
        self.replace(note, standing=standing, instead_of=instead_of)
        if self.lost_replies:
            self.lost_replies -= 1
            raise ObjectStoreUnavailableError("no reply to the put of the checkpoint")

    def replace(self, note: bytes, *, standing: bytes | None, instead_of: bytes | None) -> None:
        """What the store does, as one step."""
        if standing == note:
            return
        if standing != instead_of:
            found = None if standing is None else Digest.of(standing).hex
            raise ObjectConflictError("the checkpoint is another one", found=found)
        self.notes.append(note)
        self._store.objects[self._key] = StoredObject(
            data=note,
            content_type="text/plain; charset=utf-8",
            modified_at=self._clock.now(),
            retain_until=None,
        )


def tiled_log(
    store: FakeObjectStore,
    heads: CheckpointStore,
    place: CheckpointPlace,
    clock: Clock,
    *,
    key: NoteSigner = KEY,
    following: NoteSigner | None = None,
) -> TiledLog:
    """The log of one process; ``following`` is to replace ``key``."""
    return TiledLog(
        store=store,
        heads=heads,
        place=place,
        signer=Ed25519Signer(key),
        following=None if following is None else Ed25519Signer(following),
        clock=clock,
        retention=RETENTION,
    )


if TYPE_CHECKING:
    _heads: type[CheckpointStore] = FakeCheckpointStore
    _place: type[CheckpointPlace] = FakeCheckpointPlace
