"""Stores on the server that goes wrong on command, with little patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.clock import SystemClock
from bridge.model import ObjectReceipt
from bridge.protocols import ObjectBody
from storage.objects.s3 import S3ObjectStore
from storage.objects.s3_pace import Patience
from storage.objects.s3_values import LockMode
from tests.servers.fault_s3 import Fault, FaultKind, FaultS3, Version, fault_s3

SHORT = Patience(seconds=0.4)
"""Long enough for a good answer of a server in this process, short enough to wait it out."""


def store_on(
    server: FaultS3,
    *,
    lock_mode: LockMode = "governance",
    patience: Patience = SHORT,
    threads: int = 2,
    ca_file: Path | None = None,
) -> S3ObjectStore:
    """A store in the server's bucket."""
    return S3ObjectStore(
        bucket=server.bucket.name,
        tenant="demo",
        endpoint_url=server.url,
        region="us-east-1",
        addressing="path",
        access_key="anyone",
        secret_key="not to be shown",
        lock_mode=lock_mode,
        ca_file=ca_file,
        clock=SystemClock(),
        threads=threads,
        patience=patience,
    )


DATA = b'{"v":1}'
BODY = ObjectBody.of(DATA)
UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server, and a store on it that has one thread for all that the tests ask."""

    server: FaultS3
    store: S3ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A server without faults, a store that was used before, and a key that is this test's own."""

    server: FaultS3
    store: S3ObjectStore
    key: str

    @property
    def name(self) -> str:
        """What the key is called in the bucket."""
        return f"v1/demo/{self.key}"

    @property
    def beside(self) -> str:
        """Another key."""
        return f"{self.key}.copy"

    @property
    def versions(self) -> tuple[Version, ...]:
        """What stands under the key."""
        return self.server.bucket.versions(self.name)

    async def put(self) -> ObjectReceipt:
        """The body, under the key."""
        return await self.store.put(self.key, BODY, retain_until=UNTIL)


@contextmanager
def running_on(*, locked: bool) -> Iterator[Running]:
    """Both, for as long as the block lasts; what the bucket is, the store has already asked."""
    with fault_s3(versioned=locked, locked=locked) as server:
        store = store_on(server, lock_mode="governance" if locked else "none", threads=1)
        assert asyncio.run(store.head("warm/up")) is None
        yield Running(server=server, store=store)
        asyncio.run(store.aclose())


Call = Callable[[Subject], Awaitable[object]]
MUCH = ObjectBody.of(bytes(3_000_000))


async def listed(at: Subject) -> list[str]:
    """The keys that begin with the subject's."""
    return [info.key async for info in at.store.list(at.key)]


CALLS: dict[str, Call] = {
    "put": lambda at: at.put(),
    "put of much": lambda at: at.store.put(at.beside, MUCH, retain_until=UNTIL),
    "head": lambda at: at.store.head(at.key),
    "get": lambda at: at.store.get(at.key),
    "body": lambda at: at.store.body(at.key),
    "list": listed,
    "probe": lambda at: at.store.probe(),
}


def status_fault(status: int, code: str, retry_after: int | None = None) -> Fault:
    """An answer in place of the right one."""
    return Fault(kind=FaultKind.STATUS, status=status, code=code, retry_after=retry_after)
