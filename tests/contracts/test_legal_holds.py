"""The store's own legal holds: set, read back, and lifted, on real S3 servers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from bridge.clock import SystemClock
from bridge.errors import ObjectStoreError
from bridge.protocols import ObjectBody
from storage.objects.s3_holds import S3LegalHolds
from tests.servers.buckets import CEPH_MARKS, REGION, Place, place_of

KEY = "records/matrix/1.json"
BODY = ObjectBody.of(b'{"v":1}')
SERVERS = ["moto", "fault", pytest.param("ceph", marks=CEPH_MARKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A bucket with one record, and who may hold it."""

    place: Place
    holds: S3LegalHolds
    tenant: str

    async def status(self) -> str:
        """What the bucket says of the record's only version."""

        def ask() -> str:
            client = self.place.client()
            name = f"deep/v1/{self.tenant}/{KEY}"
            try:
                held = client.get_object_legal_hold(Bucket=self.place.bucket, Key=name)
            except ClientError:
                return "NONE"
            finally:
                client.close()
            return held["LegalHold"].get("Status", "NONE")

        return await asyncio.to_thread(ask)


async def _subject(request: pytest.FixtureRequest, bucket: str) -> AsyncIterator[Subject]:
    place = place_of(request, f"{request.param}-{bucket}")
    tenant = f"t{uuid.uuid4().hex}"
    store = place.store(tenant=tenant, prefix="deep")
    until = datetime.now(UTC) + timedelta(minutes=1) if place.locked else None
    await store.put(KEY, BODY, retain_until=until)
    await store.aclose()
    holds = S3LegalHolds(
        bucket=place.bucket,
        prefix="/deep/",
        tenant=tenant,
        endpoint_url=place.endpoint_url,
        region=REGION,
        addressing="path",
        access_key=place.access_key,
        secret_key=place.secret_key,
        clock=SystemClock(),
    )
    yield Subject(place=place, holds=holds, tenant=tenant)
    await holds.aclose()


@pytest.fixture(params=SERVERS)
async def locked(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """In a bucket with Object Lock."""
    async for subject in _subject(request, "locked"):
        yield subject


@pytest.fixture(params=SERVERS)
async def plain(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """In a bucket without."""
    async for subject in _subject(request, "plain"):
        yield subject


async def test_a_hold_is_set_read_back_and_lifted(locked: Subject) -> None:
    """As often as it is asked for; what is given is what the bucket then says."""
    assert await locked.holds.set(KEY, held=False) is False
    for _ in range(2):
        assert await locked.holds.set(KEY, held=True) is True
        assert await locked.status() == "ON"
    assert await locked.holds.set(KEY, held=False) is False
    assert await locked.status() != "ON"


async def test_what_is_not_there_is_not_held(locked: Subject) -> None:
    """No object, no hold, and nothing is made."""
    assert await locked.holds.set("records/none.json", held=True) is False


async def test_a_bucket_without_locks_holds_nothing(plain: Subject) -> None:
    """It refuses, in our words."""
    with pytest.raises(ObjectStoreError):
        await plain.holds.set(KEY, held=True)
