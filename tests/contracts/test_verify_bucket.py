"""A whole archive in a bucket with Object Lock, read by ``verify`` as a stranger would."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.protocols import ObjectBody
from storage.objects.evidence_s3 import S3Evidence
from storage.objects.s3_client import S3Connection
from storage.objects.s3_pace import USUAL
from storage.translog.verify.engine import verify
from storage.translog.verify.report import Report
from tests.archive import Archive, draft
from tests.archive.mutations import CHECKPOINT, question
from tests.archive.provable import provable
from tests.servers.buckets import CEPH_MARKS, REGION, Place, ceph_places, moto_places, place_of

__all__ = ["ceph_places", "moto_places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """An archive, and where it stands."""

    place: Place
    prefix: str
    archive: Archive
    evidence: S3Evidence

    def name(self, key: str) -> str:
        """The whole name of an object."""
        return f"{self.prefix}/v1/{self.archive.tenant}/{key}"

    def verify(self) -> Report:
        """With many threads, as the program does."""
        return verify(self.evidence, replace(question(self.archive), now=_now(), threads=8))


def _now() -> datetime:
    return datetime.now(UTC)


async def _put(place: Place, prefix: str, archive: Archive) -> None:
    store = place.store(tenant=archive.tenant, prefix=prefix)
    last = [one for one in archive.objects if one.key == CHECKPOINT]
    for one in [*(one for one in archive.objects if one.key != CHECKPOINT), *last]:
        until = one.retain_until
        # What was to be kept until a day that is over now cannot be locked any more.
        until = until if until is not None and until > _now() + timedelta(days=1) else None
        await store.put(one.key, ObjectBody.of(one.body), retain_until=until)
    await store.aclose()


@pytest.fixture(params=["moto-locked", pytest.param("ceph-locked", marks=CEPH_MARKS)])
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """A small archive in a bucket of its own prefix."""
    place, prefix = place_of(request, request.param), uuid.uuid4().hex
    archive = draft(seed=3, leaves=60)
    asyncio.run(_put(place, prefix, archive))
    connection = S3Connection(
        bucket=place.bucket,
        endpoint_url=place.endpoint_url,
        region=REGION,
        addressing="path",
        access_key=place.access_key,
        secret_key=place.secret_key,
        ca_file=None,
        http_proxy=None,
        threads=8,
        patience=USUAL,
    )
    evidence = S3Evidence(
        connection, prefix=prefix, tenant=archive.tenant, monotonic=time.monotonic
    )
    yield Bucket(place=place, prefix=prefix, archive=archive, evidence=evidence)
    evidence.close()


def test_an_archive_in_a_bucket_is_intact_until_somebody_touches_it(bucket: Bucket) -> None:
    """A shortened lock, a delete marker, a later version: each is found and named."""
    report = bucket.verify()
    assert report.verdict == "intact", report.findings
    assert "retention_not_enforced" not in {each.code for each in report.listed}
    named = provable(bucket.archive).named
    records = [key for key in sorted(named) if key.startswith("records/")]
    shortened, hidden, overwritten = records[:3]
    client, name = bucket.place.client(), bucket.place.bucket
    client.put_object_retention(
        Bucket=name,
        Key=bucket.name(shortened),
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _now() + timedelta(days=3)},
        BypassGovernanceRetention=True,
    )
    client.delete_object(Bucket=name, Key=bucket.name(hidden))
    client.put_object(Bucket=name, Key=bucket.name(overwritten), Body=b"{}")
    client.close()
    found = {(each.code, each.key) for each in bucket.verify().findings}
    assert found == {
        ("retention_shortened", shortened),
        ("hidden", hidden),
        ("version_mismatch", overwritten),
    }
