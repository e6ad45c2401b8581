"""What S3 adds to the promises: locks, versions, delete markers, foreign writers, refusals."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import (
    ObjectConflictError,
    ObjectStoreRejectedError,
    RetentionNotKeptError,
)
from bridge.protocols import ObjectBody
from storage.objects.s3 import S3ObjectStore
from tests.servers.buckets import CEPH_MARKS, Place, place_of

KEY = "records/matrix/1.json"
BODY = ObjectBody.of(b'{"v":1}')
OTHER = ObjectBody.of(b'{"v":2}')
SERVERS = ["moto", "fault", pytest.param("ceph", marks=CEPH_MARKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A store with a prefix, and its bucket for foreign hands."""

    place: Place
    store: S3ObjectStore
    tenant: str

    @property
    def name(self) -> str:
        """The whole name of the key used."""
        return f"deep/er/v1/{self.tenant}/{KEY}"

    async def foreign_put(self, data: bytes, **metadata: str) -> None:
        """Someone writes without asking."""

        def put() -> None:
            client = self.place.client()
            client.put_object(Bucket=self.place.bucket, Key=self.name, Body=data, Metadata=metadata)
            client.close()

        await asyncio.to_thread(put)

    async def foreign_delete(self) -> None:
        """Someone deletes, which in a bucket with versions leaves a marker."""

        def delete() -> None:
            client = self.place.client()
            client.delete_object(Bucket=self.place.bucket, Key=self.name)
            client.close()

        await asyncio.to_thread(delete)


async def _subject(request: pytest.FixtureRequest, bucket: str) -> AsyncIterator[Subject]:
    place = place_of(request, f"{request.param}-{bucket}")
    tenant = f"t{uuid.uuid4().hex}"
    store = place.store(tenant=tenant, prefix="/deep/er/")
    yield Subject(place=place, store=store, tenant=tenant)
    await store.aclose()


@pytest.fixture(params=SERVERS)
async def locked(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """A store in a bucket with Object Lock, hence with versions."""
    async for subject in _subject(request, "locked"):
        yield subject


@pytest.fixture(params=SERVERS)
async def plain(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """A store in a bucket without either."""
    async for subject in _subject(request, "plain"):
        yield subject


async def test_the_prefix_stands_before_the_version(plain: Subject) -> None:
    """With a prefix the object stands where a person looks for it, and keys do not show it."""
    await plain.foreign_put(b"foreign")
    assert await plain.store.get(KEY) == b"foreign"
    assert [info.key async for info in plain.store.list("")] == [KEY]


async def test_foreign_bytes_are_told_by_their_digest(plain: Subject) -> None:
    """An object without a digest beside it counts by its bytes."""
    await plain.foreign_put(b'{"v":1}')
    assert (await plain.store.put(KEY, BODY, retain_until=None)).existed
    with pytest.raises(ObjectConflictError) as refusal:
        await plain.store.put(KEY, OTHER, retain_until=None)
    assert refusal.value.found == BODY.digest.hex


async def test_the_first_version_is_the_object(locked: Subject) -> None:
    """What someone writes over an object is never read, and changes no later answer."""
    await locked.store.put(KEY, BODY, retain_until=None)
    await locked.foreign_put(b'{"v":2}', sha256=OTHER.digest.hex)
    assert await locked.store.get(KEY) == b'{"v":1}'
    info = await locked.store.head(KEY)
    assert info is not None
    assert info.digest == BODY.digest
    assert (await locked.store.put(KEY, BODY, retain_until=None)).existed
    with pytest.raises(ObjectConflictError) as refusal:
        await locked.store.put(KEY, OTHER, retain_until=None)
    assert refusal.value.found == BODY.digest.hex


async def test_behind_a_delete_marker_the_same_bytes_come_back(locked: Subject) -> None:
    """A hidden object is absent; the same bytes make it readable again, with the retention."""
    await locked.store.put(KEY, BODY, retain_until=None)
    await locked.foreign_delete()
    assert await locked.store.head(KEY) is None
    assert await locked.store.get(KEY) is None
    until = datetime.now(UTC) + timedelta(hours=1)
    receipt = await locked.store.put(KEY, BODY, retain_until=until)
    assert receipt.existed
    assert receipt.retain_until is not None
    assert receipt.retain_until >= until - timedelta(seconds=1)
    assert await locked.store.get(KEY) == b'{"v":1}'


async def test_behind_a_delete_marker_other_bytes_are_a_conflict(locked: Subject) -> None:
    """A delete marker does not free a key for other bytes."""
    await locked.store.put(KEY, BODY, retain_until=None)
    await locked.foreign_delete()
    with pytest.raises(ObjectConflictError) as refusal:
        await locked.store.put(KEY, OTHER, retain_until=None)
    assert refusal.value.found == BODY.digest.hex
    assert await locked.store.get(KEY) is None


async def test_many_versions_are_walked_to_the_first(locked: Subject) -> None:
    """The first version is found pages behind later ones, and apart from keys that begin alike."""
    locked.store._bucket.page_size = 2  # a store's own pages are too long for a test
    await locked.store.put(KEY, BODY, retain_until=None)
    await locked.store.put(f"{KEY}.x", OTHER, retain_until=None)
    for i in range(3):
        await locked.foreign_put(str(i).encode())
    bucket = locked.store._bucket
    history = await asyncio.to_thread(bucket.history, locked.name)
    assert len(history.versions) == 4
    assert await locked.store.get(KEY) == b'{"v":1}'
    await locked.foreign_delete()
    assert await locked.store.get(KEY) is None


async def test_a_listing_goes_on_over_pages(plain: Subject) -> None:
    """A listing longer than the store's pages is whole and in order."""
    plain.store._bucket.page_size = 2  # a store's own pages are too long for a test
    keys = [f"a/{i}" for i in range(5)]
    for key in reversed(keys):
        await plain.store.put(key, BODY, retain_until=None)
    assert [info.key async for info in plain.store.list("a/")] == keys


async def test_compliance_is_asked_for_and_shown(locked: Subject) -> None:
    """Compliance mode reaches the store; a weaker lock that stands there does not do for it."""
    store = locked.place.store(tenant=locked.tenant, prefix="deep/er", lock_mode="compliance")
    until = datetime.now(UTC) + timedelta(seconds=90)
    receipt = await store.put("a/1", BODY, retain_until=until)
    assert receipt.retain_until is not None
    await locked.store.put("a/2", BODY, retain_until=until)
    with pytest.raises(RetentionNotKeptError, match="asked for compliance"):
        await store.put("a/2", BODY, retain_until=until)
    assert (await locked.store.put("a/1", BODY, retain_until=until)).existed
    await store.aclose()


async def test_a_shorter_retention_is_lengthened(locked: Subject) -> None:
    """An object that stands with less retention than asked for gets what is asked for."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    await locked.store.put(KEY, BODY, retain_until=soon)
    longer = soon + timedelta(seconds=5)
    receipt = await locked.store.put(KEY, BODY, retain_until=longer)
    assert receipt.existed
    assert receipt.retain_until is not None
    assert receipt.retain_until >= longer - timedelta(seconds=1)
    await locked.store.put(KEY, BODY, retain_until=soon)
    info = await locked.store.head(KEY)
    assert info is not None
    assert info.retain_until == receipt.retain_until


async def test_an_object_without_a_lock_is_locked(locked: Subject) -> None:
    """Our bytes that somebody put without a retention get the one asked for."""
    await locked.foreign_put(b'{"v":1}', sha256=BODY.digest.hex)
    until = datetime.now(UTC) + timedelta(hours=1)
    receipt = await locked.store.put(KEY, BODY, retain_until=until)
    assert receipt.existed
    assert receipt.retain_until is not None
    assert receipt.retain_until >= until - timedelta(seconds=1)


async def test_a_bucket_without_locks_cannot_be_locked(plain: Subject) -> None:
    """Asking for a retention where there is no Object Lock never succeeds quietly."""
    store = plain.place.store(tenant=plain.tenant, lock_mode="governance")
    until = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises((ObjectStoreRejectedError, RetentionNotKeptError)):
        await store.put(KEY, BODY, retain_until=until)
    with pytest.raises((ObjectStoreRejectedError, RetentionNotKeptError)):
        await store.probe()
    await store.aclose()


async def _refused_everywhere(store: S3ObjectStore, match: str) -> None:
    with pytest.raises(ObjectStoreRejectedError, match=match):
        await store.put(KEY, BODY, retain_until=None)
    with pytest.raises(ObjectStoreRejectedError, match=match):
        await store.head(KEY)
    with pytest.raises(ObjectStoreRejectedError, match=match):
        await store.get(KEY)
    with pytest.raises(ObjectStoreRejectedError, match=match):
        assert [info async for info in store.list("")]
    with pytest.raises(ObjectStoreRejectedError, match=match):
        await store.probe()
    await store.aclose()


async def test_a_missing_bucket_is_refused(plain: Subject) -> None:
    """A bucket that is not there is told from an object that is not there."""
    place = replace(plain.place, bucket="missing")
    await _refused_everywhere(place.store(tenant="demo"), "bucket missing at .* NoSuchBucket")


@pytest.mark.parametrize("plain", [pytest.param("ceph", marks=CEPH_MARKS)], indirect=True)
async def test_wrong_credentials_are_refused(plain: Subject) -> None:
    """A wrong secret and an unknown key are told apart, and never shown."""
    wrong = replace(plain.place, secret_key="wrong")
    await _refused_everywhere(wrong.store(tenant="demo"), "SignatureDoesNotMatch")
    unknown = replace(plain.place, access_key="nobody")
    await _refused_everywhere(unknown.store(tenant="demo"), "InvalidAccessKeyId")
