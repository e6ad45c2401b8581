"""What every object store promises: the fake, the folder, S3 on several servers."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from bridge.clock import SystemClock
from bridge.errors import (
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreUnavailableError,
    SpoolError,
)
from bridge.model import Digest, ObjectInfo
from bridge.protocols import ObjectBody, ObjectStore
from storage.objects import LocalObjectStore
from tests.fakes.object_store import FakeObjectStore
from tests.servers.buckets import CEPH_MARKS, place_of

KEY = "records/matrix/00ff00ff00ff00ff/2026/03/01/090000000-000000000000-0123456789abcdef.json"
BODY = ObjectBody.of(b'{"v":1}')
OTHER = ObjectBody.of(b'{"v":2}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A store of one tenant, one of its neighbour, and whether locks are kept."""

    store: ObjectStore
    neighbour: ObjectStore
    locks: bool


async def _subjects(kind: str, request: pytest.FixtureRequest, root: Path) -> Subject:
    ours, theirs = f"t{uuid.uuid4().hex}", f"t{uuid.uuid4().hex}"
    if kind == "fake":
        clock = SystemClock()
        return Subject(store=FakeObjectStore(clock), neighbour=FakeObjectStore(clock), locks=True)
    if kind == "local":
        local = LocalObjectStore(root, ours)
        await local.start()
        return Subject(store=local, neighbour=LocalObjectStore(root, theirs), locks=False)
    place = place_of(request, kind)
    store, neighbour = place.store(tenant=ours), place.store(tenant=theirs)
    return Subject(store=store, neighbour=neighbour, locks=place.locked)


@pytest.fixture(
    params=[
        "fake",
        "local",
        "moto-plain",
        "moto-locked",
        "fault-plain",
        "fault-locked",
        pytest.param("ceph-plain", marks=CEPH_MARKS),
        pytest.param("ceph-locked", marks=CEPH_MARKS),
    ]
)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """The store under test, empty."""
    made = await _subjects(request.param, request, tmp_path / "store")
    yield made
    await made.store.aclose()
    await made.neighbour.aclose()


@pytest.fixture
def store(subject: Subject) -> ObjectStore:
    """The store under test."""
    return subject.store


async def _listed(store: ObjectStore, prefix: str) -> list[ObjectInfo]:
    return [info async for info in store.list(prefix)]


async def test_same_bytes_again_are_a_success(store: ObjectStore) -> None:
    """A put that is repeated with the same bytes succeeds and says that they stood there."""
    first = await store.put(KEY, BODY, retain_until=None)
    second = await store.put(KEY, BODY, retain_until=None)
    assert (first.key, first.digest, first.existed) == (KEY, BODY.digest, False)
    assert (second.key, second.digest, second.existed) == (KEY, BODY.digest, True)


async def test_other_bytes_change_nothing(store: ObjectStore) -> None:
    """Other bytes under a key are refused with the digest of the first, which stay."""
    await store.put(KEY, BODY, retain_until=None)
    with pytest.raises(ObjectConflictError) as refusal:
        await store.put(KEY, OTHER, retain_until=None)
    assert refusal.value.found == BODY.digest.hex
    assert await store.get(KEY) == b'{"v":1}'


async def test_one_of_many_racing_creators_wins(store: ObjectStore) -> None:
    """Of sixteen writers with different bytes exactly one creates the object."""
    bodies = [ObjectBody.of(f"writer {i}".encode()) for i in range(16)]
    answers = await asyncio.gather(
        *(store.put(KEY, body, retain_until=None) for body in bodies), return_exceptions=True
    )
    stands = await store.get(KEY)
    assert stands is not None
    for body, answer in zip(bodies, answers, strict=True):
        if Digest.of(stands) == body.digest:
            assert not isinstance(answer, BaseException)
            assert not answer.existed
        else:
            assert isinstance(answer, ObjectConflictError)
            assert answer.found == Digest.of(stands).hex


async def test_one_of_many_equal_creators_was_first(store: ObjectStore) -> None:
    """Of sixteen writers with the same bytes all succeed, and one was first."""
    receipts = await asyncio.gather(
        *(store.put(KEY, BODY, retain_until=None) for _ in range(16)),
    )
    assert sorted(receipt.existed for receipt in receipts) == [False] + [True] * 15


async def test_what_is_absent_is_none(store: ObjectStore) -> None:
    """Asking for a key that was never put gives None, and lists nothing."""
    assert await store.head(KEY) is None
    assert await store.get(KEY) is None
    assert await _listed(store, "") == []


async def test_head_shows_what_was_put(store: ObjectStore) -> None:
    """HEAD gives size, digest and an aware UTC time."""
    await store.put(KEY, BODY, retain_until=None)
    info = await store.head(KEY)
    assert info is not None
    assert (info.key, info.size, info.digest) == (KEY, BODY.size, BODY.digest)
    assert info.modified_at.utcoffset() == timedelta(0)
    assert abs(info.modified_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_list_is_in_key_order_and_below_the_prefix(subject: Subject) -> None:
    """A listing holds the tenant's keys that start with the prefix, in the order of whole keys."""
    keys = ["a/b/1", "a/b/10", "a/b-1", "a/b.x/1", "a/c/1", "b/1"]
    for key in keys:
        await subject.store.put(key, BODY, retain_until=None)
    await subject.neighbour.put("a/b/2", BODY, retain_until=None)
    assert [info.key for info in await _listed(subject.store, "")] == sorted(keys)
    assert [info.key for info in await _listed(subject.store, "a/b/1")] == ["a/b/1", "a/b/10"]
    in_folder = [info.key for info in await _listed(subject.store, "a/b")]
    assert in_folder == ["a/b-1", "a/b.x/1", "a/b/1", "a/b/10"]
    assert [info.key for info in await _listed(subject.store, "a/b/")] == ["a/b/1", "a/b/10"]
    assert [info.size for info in await _listed(subject.store, "b/")] == [BODY.size]


async def test_keys_that_begin_alike_are_apart(store: ObjectStore) -> None:
    """A key that is the beginning of another neither hides nor stands for it."""
    await store.put("media/stem/10", OTHER, retain_until=None)
    assert await store.get("media/stem/1") is None
    assert not (await store.put("media/stem/1", BODY, retain_until=None)).existed
    assert await store.get("media/stem/10") == b'{"v":2}'


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "a/../b", "..", "./a", "A", "a b", "ä", "a\n", "a" * 513]
)
async def test_keys_outside_the_format_are_misuse(store: ObjectStore, key: str) -> None:
    """A key that could leave the tenant, or hold a name, never reaches the store."""
    with pytest.raises(ValueError, match="a key has only"):
        await store.put(key, BODY, retain_until=None)
    with pytest.raises(ValueError, match="a key has only"):
        await store.head(key)
    with pytest.raises(ValueError, match="a key has only"):
        await store.get(key)


@pytest.mark.parametrize("prefix", ["/", "../", "a/..", "A", "a//"])
async def test_prefixes_outside_the_format_are_misuse(store: ObjectStore, prefix: str) -> None:
    """A listing cannot leave the tenant either."""
    with pytest.raises(ValueError, match="a prefix has only"):
        await _listed(store, prefix)


async def test_retention_is_what_the_store_shows(subject: Subject) -> None:
    """A receipt says the retention the store keeps: what was asked, or none where none is kept."""
    asked = datetime.now(UTC) + timedelta(hours=1)
    for _ in range(2):
        receipt = await subject.store.put(KEY, BODY, retain_until=asked)
        info = await subject.store.head(KEY)
        assert info is not None
        assert info.retain_until == receipt.retain_until
        if subject.locks:
            assert receipt.retain_until is not None
            assert abs(receipt.retain_until - asked) <= timedelta(seconds=1)
        else:
            assert receipt.retain_until is None


@pytest.mark.parametrize(
    "body",
    [
        ObjectBody(size=7, digest=BODY.digest, open=lambda: io.BytesIO(b'{"v":2}')),
        ObjectBody(size=7, digest=BODY.digest, open=lambda: io.BytesIO(b'{"v":')),
        ObjectBody(size=7, digest=BODY.digest, open=lambda: io.BytesIO(b'{"v":1}\n')),
        ObjectBody(size=3, digest=BODY.digest, open=lambda: io.BytesIO(b'{"v":1}')),
    ],
    ids=["other", "short", "long", "understated"],
)
async def test_a_body_that_is_not_what_it_claims_is_refused(
    store: ObjectStore, body: ObjectBody
) -> None:
    """Bytes that do not have the digest and size they were announced with never stand."""
    with pytest.raises(ObjectStoreUnavailableError, match="changed while it was read"):
        await store.put(KEY, body, retain_until=None)
    assert await store.head(KEY) is None
    assert await _listed(store, "") == []


async def test_a_body_that_cannot_be_read_is_a_store_error(store: ObjectStore) -> None:
    """A spool that fails comes out as the store's error, with the spool's reason."""

    def torn() -> BinaryIO:
        raise SpoolError("chunk 3 was changed")

    body = ObjectBody(size=7, digest=BODY.digest, open=torn)
    with pytest.raises(ObjectStoreError, match="chunk 3 was changed"):
        await store.put(KEY, body, retain_until=None)
    assert await store.head(KEY) is None


async def test_a_cancelled_put_can_be_repeated(store: ObjectStore) -> None:
    """A put that is cancelled may land; the same put afterwards succeeds either way."""
    put = asyncio.create_task(store.put(KEY, BODY, retain_until=None))
    await asyncio.sleep(0)
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    await store.put(KEY, BODY, retain_until=None)
    assert await store.get(KEY) == b'{"v":1}'


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024 + 1])
async def test_bodies_of_any_size(store: ObjectStore, size: int) -> None:
    """Empty and large bodies are stored whole, and found again."""
    body = ObjectBody.of(bytes(range(256)) * (size // 256) + b"\x00" * (size % 256))
    first = await store.put("media/1", body, retain_until=None, content_type="image/png")
    second = await store.put("media/1", body, retain_until=None, content_type="image/png")
    assert (first.existed, second.existed) == (False, True)
    stands = await store.get("media/1")
    assert stands is not None
    assert Digest.of(stands) == body.digest


@pytest.mark.parametrize("size", [0, 7, 1024 * 1024 + 1])
async def test_an_object_is_a_body_for_another_put(store: ObjectStore, size: int) -> None:
    """What stands under one key can be put under another, repeatedly, whatever its size."""
    data = bytes(range(256)) * (size // 256) + b"\x01" * (size % 256)
    await store.put("review/1", ObjectBody.of(data), retain_until=None)
    body = await store.body("review/1")
    assert body is not None
    assert (body.size, body.digest) == (size, Digest.of(data))
    assert not (await store.put("records/1", body, retain_until=None)).existed
    assert (await store.put("records/1", body, retain_until=None)).existed
    assert await store.get("records/1") == data


async def test_a_body_is_read_again_from_its_start(store: ObjectStore) -> None:
    """Each opening begins at the first byte, and so does a seek to it."""
    await store.put(KEY, BODY, retain_until=None)
    body = await store.body(KEY)
    assert body is not None

    def read() -> list[bytes]:
        with body.open() as first, body.open() as second:
            parts = [first.read(3), second.read(), first.read()]
            first.seek(0)
            return [*parts, first.read()]

    assert await asyncio.to_thread(read) == [b'{"v', b'{"v":1}', b'":1}', b'{"v":1}']


async def test_an_absent_object_is_no_body(store: ObjectStore) -> None:
    """Where nothing stands there is no body, and a key outside the format is misuse."""
    assert await store.body(KEY) is None
    with pytest.raises(ValueError, match="a key has only"):
        await store.body("../a")


async def test_a_probe_leaves_the_records_alone(store: ObjectStore) -> None:
    """A probe of a good store passes, and shows in no listing."""
    await store.probe()
    await store.probe()
    assert await _listed(store, "") == []
