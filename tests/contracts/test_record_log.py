"""What is promised of the published log: in memory, in a folder with ``log.db``, on S3."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.canonical import Leaf
from bridge.clock import SystemClock
from bridge.errors import LogForkError
from bridge.keys import log_key
from bridge.notekeys import NoteSigner
from bridge.protocols import CheckpointPlace, CheckpointStore, Head, ObjectStore, RecordLog
from storage.objects import LocalObjectStore
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import open_checkpoint
from storage.translog.heads import SqliteCheckpointStore
from storage.translog.log import TiledLog
from storage.translog.merkle import Frontier, leaf_hash
from storage.translog.note import Note
from tests.fakes.log import (
    KEY,
    RETENTION,
    FakeCheckpointPlace,
    FakeCheckpointStore,
    signing_key,
)
from tests.fakes.object_store import FakeObjectStore
from tests.servers.buckets import CEPH_MARKS, place_of


class Ground:
    """A store with the heads of one log, and one process after the other on it."""

    def __init__(
        self, store: ObjectStore, place: CheckpointPlace, heads: Callable[[], CheckpointStore]
    ) -> None:
        self.store = store
        self.place = place
        self._heads = heads
        self._logs: list[RecordLog] = []

    def log(self, key: NoteSigner = KEY, following: NoteSigner | None = None) -> RecordLog:
        """The log as a new process has it, which holds these keys."""
        log = TiledLog(
            store=self.store,
            heads=self._heads(),
            place=self.place,
            signer=Ed25519Signer(key),
            following=None if following is None else Ed25519Signer(following),
            clock=SystemClock(),
            retention=RETENTION,
        )
        self._logs.append(log)
        return log

    async def aclose(self) -> None:
        """All of them end."""
        for log in self._logs:
            await log.aclose()
        await self.store.aclose()


def _in_memory() -> tuple[Ground, FakeObjectStore]:
    clock = SystemClock()
    memory = FakeObjectStore(clock)
    heads = FakeCheckpointStore()
    return Ground(memory, FakeCheckpointPlace(memory, clock), lambda: heads), memory


@pytest.fixture(
    params=["fake", "local", "moto-locked", pytest.param("ceph-locked", marks=CEPH_MARKS)]
)
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    """Nothing was ever published here."""
    if request.param == "fake":
        made, _ = _in_memory()
    elif request.param != "local":
        bucket = place_of(request, request.param).store(tenant=f"t{uuid.uuid4().hex}")
        heads = FakeCheckpointStore()
        made = Ground(bucket, bucket.checkpoint_place(), lambda: heads)
    else:
        folder = LocalObjectStore(tmp_path / "store", "demo")
        await folder.start()
        made = Ground(
            folder,
            folder.checkpoint_place(),
            lambda: SqliteCheckpointStore(tmp_path / "log.db"),
        )
    yield made
    await made.aclose()


NEXT = signing_key(8)
"""The key that replaces the first one."""

NAMED = Leaf.key(at=datetime(2026, 3, 2, tzinfo=UTC), line=NEXT.verifier.line).body


def _leaves(start: int, stop: int) -> list[bytes]:
    return [b'{"k":"late","ms":%d}' % i for i in range(start, stop)]


def _root(count: int) -> bytes:
    frontier = Frontier()
    frontier.extend(leaf_hash(leaf) for leaf in _leaves(0, count))
    return frontier.root()


async def test_an_empty_log(ground: Ground) -> None:
    """Before the first leaf there is no head and no checkpoint."""
    log = ground.log()
    assert await log.open() == 0
    assert (log.size, log.head) == (0, None)
    assert await log.leaves(0, 0) == ()
    assert await ground.place.read() is None


async def test_a_checkpoint_over_all_leaves(ground: Ground) -> None:
    """What is published is signed by the log's key, over size and root of all leaves so far."""
    log = ground.log()
    await log.open()
    size = 0
    for more in (1, 254, 1, 1, 700):
        head = await log.extend(_leaves(size, size + more))
        size += more
        assert (head.size, head.root) == (size, _root(size))
        assert log.head == head
        note = await ground.place.read()
        assert note == head.note
        checkpoint = open_checkpoint(note, KEY.verifier)
        assert (checkpoint.size, checkpoint.root) == (size, _root(size))


async def test_the_next_process_goes_on(ground: Ground) -> None:
    """Size, head and every leaf are there for whoever opens it next."""
    for start in range(0, 1500, 300):
        log = ground.log()
        assert await log.open() == start
        await log.extend(_leaves(start, start + 300))
    log = ground.log()
    assert await log.open() == 1500
    assert await log.leaves(0, 1500) == tuple(_leaves(0, 1500))
    assert await log.leaves(255, 257) == tuple(_leaves(255, 257))
    assert await log.leaves(1499, 1500) == tuple(_leaves(1499, 1500))


async def test_no_second_history_where_the_checkpoint_was_deleted() -> None:
    """Who lost all memory of a log signs nothing over its tiles; who has its leaves goes on."""
    memory, clock = FakeObjectStore(SystemClock()), SystemClock()
    place = FakeCheckpointPlace(memory, clock)
    ground = Ground(memory, place, FakeCheckpointStore)
    log = ground.log()
    await log.open()
    for start, stop in ((0, 5), (5, 105), (105, 112)):
        await log.extend(_leaves(start, stop))
    del memory.objects[log_key("0", "checkpoint")]
    left = set(memory.objects)
    others = [_leaves(1000, 1000 + count) for count in (1, 9, 255, 256, 700)]
    for leaves in (*others, [*_leaves(0, 100), *_leaves(1000, 1009)]):
        log = ground.log()
        assert await log.open() == 0
        with pytest.raises(LogForkError, match="whose checkpoint is gone"):
            await log.extend(leaves)
        assert set(memory.objects) == left
    log = ground.log()
    await log.open()
    assert (await log.extend(_leaves(0, 120))).root == _root(120)


async def test_partial_tiles_need_not_be_kept() -> None:
    """A size whose partial tiles are gone is still found to be of the same history."""
    ground, memory = _in_memory()
    log = ground.log()
    await log.open()
    await log.extend(_leaves(0, 300))
    checkpoint = log_key("0", "checkpoint")
    old = memory.objects[checkpoint]
    await log.extend(_leaves(300, 700))
    for key in [key for key in memory.objects if key.endswith((".p/44", "/1/000.p/1"))]:
        del memory.objects[key]
    memory.objects[checkpoint] = old
    assert await ground.log().open() == 700
    note = await ground.place.read()
    assert note is not None
    assert open_checkpoint(note, KEY.verifier).size == 700


async def test_it_is_opened_first(ground: Ground) -> None:
    """Nothing is read or signed before it is known where the log stands."""
    log = ground.log()
    with pytest.raises(RuntimeError):
        await log.extend(_leaves(0, 1))
    with pytest.raises(RuntimeError):
        await log.leaves(0, 0)
    await log.open()
    with pytest.raises(RuntimeError):
        await log.extend([])
    with pytest.raises(RuntimeError):
        await log.leaves(0, 1)


async def test_a_repeated_extension_changes_nothing(ground: Ground) -> None:
    """Tiles that a dead process left are put again, and the log is the same as without it."""
    first = ground.log()
    await first.open()
    await first.extend(_leaves(0, 10))
    dead = ground.log()
    await dead.open()
    running = asyncio.ensure_future(dead.extend(_leaves(10, 900)))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    log = ground.log()
    size = await log.open()
    if size == 10:
        await log.extend(_leaves(10, 900))
    assert log.head is not None
    assert (log.size, log.head.root) == (900, _root(900))


async def test_the_second_writer_stops(ground: Ground) -> None:
    """Who finds that another was first signs nothing, now and later."""
    one, other = ground.log(), ground.log()
    await one.open()
    await other.open()
    head = await one.extend(_leaves(0, 5))
    for _ in range(2):
        with pytest.raises(LogForkError):
            await other.extend(_leaves(0, 3))
        with pytest.raises(LogForkError):
            await other.open()
    assert await ground.place.read() == head.note
    await one.extend(_leaves(5, 6))


async def test_one_of_many_writers_wins(ground: Ground) -> None:
    """Of writers that extend one log at once, one publishes; the others stop."""
    logs = [ground.log() for _ in range(6)]
    for log in logs:
        await log.open()
    done = await asyncio.gather(
        *(log.extend(_leaves(0, 3)[: i + 1] * 2) for i, log in enumerate(logs)),
        return_exceptions=True,
    )
    heads = [each for each in done if not isinstance(each, BaseException)]
    assert len(heads) == 1
    assert all(isinstance(each, LogForkError) for each in done if each is not heads[0])
    assert await ground.place.read() == heads[0].note


def _signers(head: Head) -> list[str]:
    keys = {f"{key.verifier.key_hash:08x}": key.verifier.short for key in (KEY, NEXT)}
    return [keys[f"{one.key_hash:08x}"] for one in Note.parse(head.note).signatures]


async def test_a_key_hands_over_to_the_next_one(ground: Ground) -> None:
    """Over the leaf that names the next key both sign, then that one alone, whoever opens it."""
    old, new = KEY.verifier, NEXT.verifier
    log = ground.log(KEY, NEXT)
    await log.open()
    assert (log.key, log.next_key) == (old, new)
    assert _signers(await log.extend(_leaves(0, 3))) == [old.short]
    assert (log.key, log.next_key, log.handing_over) == (old, new, False)
    both = await log.extend([*_leaves(3, 4), NAMED, *_leaves(5, 6)])
    assert _signers(both) == [old.short, new.short]
    for verifier in (old, new):
        assert open_checkpoint(both.note, verifier).size == 6
    assert (log.key, log.next_key, log.handing_over) == (new, None, True)
    log = ground.log(KEY, NEXT)
    await log.open()
    assert (log.key, log.next_key, log.handing_over) == (new, None, True)
    assert _signers(await log.extend(_leaves(6, 7))) == [new.short]
    assert not log.handing_over
    log = ground.log(NEXT)
    assert await log.open() == 7
    assert _signers(await log.extend(_leaves(7, 8))) == [new.short]


async def test_a_key_that_was_replaced_signs_no_more(ground: Ground) -> None:
    """From the checkpoint that both signed on, who has the old key alone is refused."""
    log = ground.log(KEY, NEXT)
    await log.open()
    await log.extend([NAMED])
    for more in (None, *[_leaves(i, i + 1) for i in range(1, 3)]):
        if more is not None:
            log = ground.log(KEY, NEXT)
            await log.open()
            await log.extend(more)
        standing = await ground.place.read()
        with pytest.raises(LogForkError, match=f"{NEXT.verifier.key_hash:08x}, which is not that"):
            await ground.log(KEY).open()
        assert await ground.place.read() == standing


async def test_a_key_that_was_not_named_signs_nothing(ground: Ground) -> None:
    """A key put in the place of the old one, without a leaf, is refused."""
    log = ground.log()
    await log.open()
    head = await log.extend(_leaves(0, 2))
    with pytest.raises(LogForkError, match="next_signing_key_file"):
        await ground.log(NEXT).open()
    assert await ground.place.read() == head.note


async def test_a_leaf_that_names_a_key_that_is_not_here(ground: Ground) -> None:
    """Nothing is put or signed over it; with that key the log goes on."""
    log = ground.log()
    await log.open()
    await log.extend(_leaves(0, 2))
    with pytest.raises(LogForkError, match="does not lie here"):
        await log.extend([NAMED])
    assert await log.open() == 2
    log = ground.log(KEY, NEXT)
    assert await log.open() == 2
    assert len(_signers(await log.extend([NAMED]))) == 2


async def test_the_first_key_comes_back(ground: Ground) -> None:
    """A key that was replaced may follow again, by a leaf of its own."""
    log = ground.log(KEY, NEXT)
    await log.open()
    await log.extend([NAMED])
    back = Leaf.key(at=datetime(2026, 3, 3, tzinfo=UTC), line=KEY.verifier.line).body
    log = ground.log(NEXT, KEY)
    await log.open()
    assert (log.key, log.next_key) == (NEXT.verifier, KEY.verifier)
    assert _signers(await log.extend([back])) == [NEXT.verifier.short, KEY.verifier.short]
    log = ground.log(KEY)
    await log.open()
    assert _signers(await log.extend(_leaves(2, 3))) == [KEY.verifier.short]
