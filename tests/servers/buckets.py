"""Buckets on real S3 servers, as session fixtures to import into a test module."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import boto3.session
import pytest
from botocore.config import Config

from bridge.clock import SystemClock
from storage.objects.s3 import S3ObjectStore
from storage.objects.s3_values import LockMode
from tests.servers.ceph import missing_programs, shared_ceph_gateway
from tests.servers.fault_s3 import fault_s3
from tests.servers.moto import moto_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
CEPH_MARKS = pytest.mark.ceph


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bucket, and who may use it."""

    endpoint_url: str
    access_key: str
    secret_key: str
    bucket: str
    locked: bool

    def client(self) -> S3Client:
        """A plain client, to do what the store never does."""
        session = boto3.session.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
        )
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        return session.client("s3", endpoint_url=self.endpoint_url, config=config)

    def store(
        self, *, tenant: str, prefix: str = "", lock_mode: LockMode | None = None
    ) -> S3ObjectStore:
        """A store in this bucket; its lock mode is the bucket's unless another is asked for."""
        return S3ObjectStore(
            bucket=self.bucket,
            prefix=prefix,
            tenant=tenant,
            endpoint_url=self.endpoint_url,
            region=REGION,
            addressing="path",
            access_key=self.access_key,
            secret_key=self.secret_key,
            lock_mode=lock_mode or ("governance" if self.locked else "none"),
            clock=SystemClock(),
        )


def _make(plain: Place) -> dict[str, Place]:
    # Names of their own: several test processes share one Ceph.
    name = uuid.uuid4().hex
    plain = replace(plain, bucket=f"plain-{name}")
    locked = replace(plain, bucket=f"locked-{name}", locked=True)
    client = plain.client()
    client.create_bucket(Bucket=plain.bucket)
    client.create_bucket(Bucket=locked.bucket, ObjectLockEnabledForBucket=True)
    client.close()
    return {"plain": plain, "locked": locked}


@pytest.fixture(scope="session")
def moto_places() -> Iterator[dict[str, Place]]:
    """A plain and a locked bucket in moto."""
    with moto_server() as url:
        yield _make(
            Place(
                endpoint_url=url,
                access_key="anyone",
                secret_key="anything",
                bucket="",
                locked=False,
            )
        )


@pytest.fixture(scope="session")
def fault_places() -> Iterator[dict[str, Place]]:
    """A plain and a locked bucket in the server that goes wrong on command, and is not told to."""
    with fault_s3() as server:
        yield _make(
            Place(
                endpoint_url=server.url,
                access_key="anyone",
                secret_key="anything",
                bucket="",
                locked=False,
            )
        )


@pytest.fixture(scope="session")
def ceph_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """A plain and a locked bucket in Ceph. On a CI machine Ceph must be there."""
    if missing := missing_programs():
        said = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"Ceph is {said}; .ci/run installs it")
        pytest.skip(f"Ceph is {said}")
    session = tmp_path_factory.getbasetemp()
    shared = session.parent if "PYTEST_XDIST_WORKER" in os.environ else session
    with shared_ceph_gateway(shared / "ceph") as gateway:
        yield _make(
            Place(
                endpoint_url=gateway.endpoint_url,
                access_key=gateway.access_key,
                secret_key=gateway.secret_key,
                bucket="",
                locked=False,
            )
        )


def place_of(request: pytest.FixtureRequest, kind: str) -> Place:
    """The bucket of ``moto-plain``, ``moto-locked``, and so on for ``fault`` and ``ceph``."""
    server, _, bucket = kind.partition("-")
    places: dict[str, Place] = request.getfixturevalue(f"{server}_places")
    return places[bucket]
