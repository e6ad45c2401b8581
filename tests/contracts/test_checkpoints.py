"""What is promised of the heads in ``log.db``, and of the checkpoint that the world sees."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.clock import SystemClock
from bridge.errors import LogSchemaError, LogUnavailableError, ObjectConflictError, ObjectStoreError
from bridge.protocols import LARGEST_CHECKPOINT, CheckpointPlace, CheckpointStore, Head
from storage.objects import LocalObjectStore
from storage.objects.local_checkpoint import LocalCheckpointPlace
from storage.objects.s3 import S3ObjectStore
from storage.translog.heads import SqliteCheckpointStore, published_size
from tests.fakes.log import FakeCheckpointPlace, FakeCheckpointStore
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.samples import NOW
from tests.servers.buckets import CEPH_MARKS, place_of

FIRST = Head(size=1, root=bytes(32), note=b"one", at=NOW)
SECOND = Head(size=2, root=bytes(32), note=b"two", at=NOW)
OTHER = replace(SECOND, note=b"other")
PLACES = [
    "fake",
    "local",
    "moto-plain",
    "moto-locked",
    "fault-plain",
    "fault-locked",
    pytest.param("ceph-plain", marks=CEPH_MARKS),
    pytest.param("ceph-locked", marks=CEPH_MARKS),
]
Reopen = Callable[[], CheckpointStore]


@pytest.fixture(params=["fake", "sqlite"])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Gives one process after the other the heads of one shard."""
    opened: list[CheckpointStore] = []
    fake = FakeCheckpointStore()

    def again() -> CheckpointStore:
        store: CheckpointStore = fake
        if request.param == "sqlite":
            store = SqliteCheckpointStore(tmp_path / "log.db")
        opened.append(store)
        return store

    yield again
    for store in opened:
        await store.aclose()


async def test_the_last_head_is_there_in_the_next_process(reopen: Reopen) -> None:
    """A head that was swapped in is the last one for whoever comes next."""
    heads = reopen()
    assert await heads.last() is None
    assert await heads.swap(FIRST, expect=None)
    assert await heads.swap(SECOND, expect=FIRST)
    assert await reopen().last() == SECOND


async def test_only_who_knows_the_last_head_swaps(reopen: Reopen) -> None:
    """Nobody else's swap changes anything."""
    heads = reopen()
    assert not await heads.swap(SECOND, expect=FIRST)
    assert await heads.swap(FIRST, expect=None)
    assert not await heads.swap(SECOND, expect=None)
    assert not await heads.swap(SECOND, expect=replace(FIRST, note=b"not this"))
    assert await heads.last() == FIRST


async def test_a_head_is_larger_than_the_last(reopen: Reopen) -> None:
    """Of one size there is one head, and none is smaller than one before."""
    heads = reopen()
    assert await heads.swap(SECOND, expect=None)
    assert not await heads.swap(OTHER, expect=SECOND)
    assert not await heads.swap(FIRST, expect=SECOND)
    assert await heads.last() == SECOND


async def test_one_of_many_racing_swaps_succeeds(reopen: Reopen) -> None:
    """Of processes that swap at once exactly one is told that it may publish."""
    await reopen().swap(FIRST, expect=None)
    swaps = [reopen().swap(replace(SECOND, note=f"{i}".encode()), expect=FIRST) for i in range(8)]
    assert sum(await asyncio.gather(*swaps)) == 1


async def test_log_db_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The file, and what SQLite puts beside it, are readable by their owner only."""
    heads = SqliteCheckpointStore(tmp_path / "data" / "log.db")
    await heads.swap(FIRST, expect=None)
    modes = {each.stat().st_mode & 0o777 for each in (tmp_path / "data").iterdir()}
    await heads.aclose()
    assert modes == {0o600}


async def test_status_reads_what_is_published(tmp_path: Path) -> None:
    """Beside the writer, the published size is read; before the first checkpoint there is none."""
    file = tmp_path / "log.db"
    assert await published_size(file) is None
    heads = SqliteCheckpointStore(file)
    await heads.swap(FIRST, expect=None)
    assert await published_size(file) is None
    await heads.published(FIRST)
    shown = await published_size(file)
    await heads.aclose()
    assert shown is not None
    assert (shown.size, shown.at) == (1, NOW)


async def test_a_newer_log_db_is_left_alone(tmp_path: Path) -> None:
    """A file of a later version is refused, whole as it is."""
    heads = SqliteCheckpointStore(tmp_path / "log.db")
    await heads.swap(FIRST, expect=None)
    assert heads._db is not None
    await heads._db.execute("PRAGMA user_version = 99")
    await heads.aclose()
    with pytest.raises(LogSchemaError):
        await heads.last()


async def test_a_log_db_that_is_none(tmp_path: Path) -> None:
    """What is no database is an error of the log's, and no other one."""
    (tmp_path / "log.db").write_bytes(b"not a database" * 100)
    heads = SqliteCheckpointStore(tmp_path / "log.db")
    with pytest.raises(LogUnavailableError):
        await heads.last()
    with pytest.raises(LogUnavailableError):
        await published_size(tmp_path / "log.db")
    await heads.aclose()


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CheckpointPlace]:
    """A place where nothing stands yet."""
    if request.param == "fake":
        clock = SystemClock()
        yield FakeCheckpointPlace(FakeObjectStore(clock), clock)
        return
    tenant = f"t{uuid.uuid4().hex}"
    store: LocalObjectStore | S3ObjectStore
    if request.param == "local":
        store = LocalObjectStore(tmp_path / "store", tenant)
        await store.start()
    else:
        store = place_of(request, request.param).store(tenant=tenant)
    yield store.checkpoint_place()
    await store.aclose()


async def test_what_was_published_stands(place: CheckpointPlace) -> None:
    """A checkpoint takes the place of the one before, and of nothing before the first."""
    assert await place.read() is None
    await place.publish(b"one", instead_of=None)
    assert await place.read() == b"one"
    await place.publish(b"two", instead_of=b"one")
    assert await place.read() == b"two"


async def test_the_same_note_again_is_a_success(place: CheckpointPlace) -> None:
    """Whoever repeats a publication whose answer was lost is told that it stands."""
    await place.publish(b"one", instead_of=None)
    await place.publish(b"one", instead_of=None)
    await place.publish(b"two", instead_of=b"one")
    await place.publish(b"two", instead_of=b"one")
    assert await place.read() == b"two"


async def test_no_more_is_read_than_a_checkpoint_can_have(place: CheckpointPlace) -> None:
    """What somebody else put there does not fill the memory, and is still seen to be too long."""
    await place.publish(bytes(LARGEST_CHECKPOINT + 2), instead_of=None)
    assert await place.read() == bytes(LARGEST_CHECKPOINT + 1)
    with pytest.raises(ObjectConflictError):
        await place.publish(b"two", instead_of=b"one")


@pytest.mark.parametrize("instead_of", [None, b"zero"])
async def test_nothing_else_is_replaced(place: CheckpointPlace, instead_of: bytes | None) -> None:
    """Where another note stands, or none, nothing is changed."""
    await place.publish(b"one", instead_of=None)
    with pytest.raises(ObjectConflictError):
        await place.publish(b"two", instead_of=instead_of)
    assert await place.read() == b"one"


async def test_what_is_not_there_is_not_replaced(place: CheckpointPlace) -> None:
    """Where nothing stands, only a first checkpoint is published."""
    with pytest.raises(ObjectConflictError):
        await place.publish(b"two", instead_of=b"one")
    assert await place.read() is None


@pytest.mark.parametrize(
    "place",
    [each for each in PLACES if "fault" not in str(each)],
    indirect=True,
)
async def test_one_of_many_racing_publications_succeeds(place: CheckpointPlace) -> None:
    """Of writers that replace one checkpoint at once, at most one is told that it succeeded.

    The fault server ignores If-Match, as some stores do: there only the comparison is left. Ceph
    never keeps it on versions, where all may be told that another came in between.
    """
    await place.publish(b"one", instead_of=None)
    notes = [f"note {i}".encode() for i in range(8)]
    done = await asyncio.gather(
        *(place.publish(note, instead_of=b"one") for note in notes), return_exceptions=True
    )
    won = [note for note, each in zip(notes, done, strict=True) if each is None]
    assert len(won) <= 1
    if isinstance(place, FakeCheckpointPlace | LocalCheckpointPlace):
        assert won == [await place.read()]
    assert all(each is None or isinstance(each, ObjectStoreError) for each in done)
