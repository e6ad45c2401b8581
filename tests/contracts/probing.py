"""An examination of a bucket on a real server, as the contract suites make it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.clock import SystemClock
from bridge.protocols.probe import Enforcement, StoreFindings
from storage.objects.probe.s3 import S3StoreProbe
from storage.objects.s3_client import S3Connection
from storage.objects.s3_pace import Patience
from storage.objects.s3_values import LockMode
from tests.servers.buckets import REGION, Place


def _connection(place: Place, patience: Patience) -> S3Connection:
    return S3Connection(
        bucket=place.bucket,
        endpoint_url=place.endpoint_url,
        region=REGION,
        addressing="path",
        access_key=place.access_key,
        secret_key=place.secret_key,
        ca_file=None,
        http_proxy=None,
        threads=16,
        patience=patience,
    )


@asynccontextmanager
async def probing(
    place: Place,
    *,
    lock_mode: LockMode = "governance",
    other: Place | None = None,
    patience: Patience | None = None,
) -> AsyncIterator[S3StoreProbe]:
    """The probe of a bucket."""
    given = patience or Patience()
    probe = S3StoreProbe(
        store=f"s3://{place.bucket}",
        writer=_connection(place, given),
        other=None if other is None else _connection(other, given),
        prefix="deep/er",
        lock_mode=lock_mode,
        clock=SystemClock(),
        random_bytes=lambda size: uuid.uuid4().bytes[:size],
    )
    try:
        yield probe
    finally:
        await probe.aclose()


async def examined(
    place: Place, *, lock_mode: LockMode = "governance", other: Place | None = None
) -> StoreFindings:
    """All that is found."""
    async with probing(place, lock_mode=lock_mode, other=other) as probe:
        return await probe.examine()


def verdicts(findings: StoreFindings) -> dict[str, Enforcement]:
    """By check."""
    return {each.check: each.verdict for each in findings.checks}
