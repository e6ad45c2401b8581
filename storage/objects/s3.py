"""Objects in an S3-compatible store, each created once, with its retention read back.

The bridge's key ``k`` stands in the bucket as ``[<prefix>/]v1/<tenant>/<k>``; probes stand under
``[<prefix>/]probe/``. Where the bucket has versions, ``head`` and ``get`` read the oldest version
of a name, unless a delete marker hides it (:mod:`storage.objects.s3_creation`); ``list`` shows
names as the store lists them, with the sizes of their newest versions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from bridge.errors import (
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
)
from bridge.keys import log_key
from bridge.model import Digest, ObjectInfo, ObjectReceipt, require_utc
from bridge.protocols import CheckpointPlace, Clock, ObjectBody, ObjectStore
from storage.objects.names import TenantNames
from storage.objects.s3_body import ObjectReader
from storage.objects.s3_bucket import Bucket
from storage.objects.s3_checkpoint import S3CheckpointPlace
from storage.objects.s3_client import Addressing, S3Connection
from storage.objects.s3_creation import create, standing_version
from storage.objects.s3_pace import USUAL, Patience
from storage.objects.s3_values import Encryption, LockMode, Protection

PROBE_RETENTION = timedelta(minutes=5)
CLOSE_SECONDS = 1.0
"""How long a close waits for requests under way: a store that hangs must not hold up a stop."""

_T = TypeVar("_T")


class S3ObjectStore:
    """A bucket that keeps the promises of :class:`bridge.protocols.ObjectStore`."""

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        tenant: str,
        endpoint_url: str | None = None,
        region: str | None = None,
        addressing: Addressing = "auto",
        access_key: str | None = None,
        secret_key: str | None = None,
        lock_mode: LockMode = "governance",
        sse: Encryption | None = None,
        kms_key_id: str | None = None,
        ca_file: Path | None = None,
        http_proxy: str | None = None,
        clock: Clock,
        threads: int = 16,
        patience: Patience = USUAL,
    ) -> None:
        """Nothing is asked of the store before the first call.

        ``patience``: the time of each request. A call makes a handful of them, so that a store
        which is slow or silent fails a call, and frees its thread, within that many times this.
        """
        connection = S3Connection(
            bucket=bucket,
            endpoint_url=endpoint_url,
            region=region,
            addressing=addressing,
            access_key=access_key,
            secret_key=secret_key,
            ca_file=ca_file,
            http_proxy=http_proxy,
            threads=threads,
            patience=patience,
        )
        protection = Protection(lock_mode=lock_mode, sse=sse, kms_key_id=kms_key_id)
        self._bucket = Bucket(connection, protection, clock.monotonic)
        self._names = TenantNames(tenant)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._clock = clock
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="objects")
        self._under_way: set[Future[object]] = set()

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Create the object; see the protocol. Without a lock mode no retention is asked for."""
        if retain_until is not None:
            require_utc(retain_until, "retain_until")
        name = self._prefix + self._names.of_key(key)
        standing, existed = await self._run(
            lambda: create(
                self._bucket, name, body, retain_until=retain_until, content_type=content_type
            )
        )
        return ObjectReceipt(
            key=key, digest=body.digest, retain_until=standing.retain_until, existed=existed
        )

    async def head(self, key: str) -> ObjectInfo | None:
        """What stands under ``key``, with the digest kept beside it, or None."""
        name = self._prefix + self._names.of_key(key)
        return await self._run(lambda: self._head(key, name))

    async def get(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None."""
        name = self._prefix + self._names.of_key(key)
        return await self._run(lambda: self._get(name))

    async def body(self, key: str) -> ObjectBody | None:
        """The object as a body; see the protocol. Without a kept digest it is read once for it."""
        name = self._prefix + self._names.of_key(key)
        return await self._run(lambda: self._body(name))

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Every object whose key starts with ``prefix``, in key order, without digests."""
        beginning = self._prefix + self._names.of_prefix(prefix)
        after: str | None = None
        while True:
            listed, after = await self._run(partial(self._bucket.page, beginning, after))
            for each in listed:
                key = self._names.key_of(each.name.removeprefix(self._prefix))
                yield ObjectInfo(key=key, size=each.size, modified_at=each.modified_at)
            if after is None:
                return

    async def probe(self) -> None:
        """Write, read and compare a small object; also its retention, and that it stays.

        The object stays in the bucket: nothing here can delete. A lock on it lasts five minutes.

        Raises:
            ObjectStoreError: with the reason and the remedy.
        """
        await self._run(self._probe)

    def checkpoint_place(self, shard: str = "0") -> CheckpointPlace:
        """Where the log's checkpoint stands in this store."""
        name = self._prefix + self._names.of_key(log_key(shard, "checkpoint"))
        return S3CheckpointPlace(self._bucket, name, self._run)

    async def aclose(self) -> None:
        """Wait a moment for the requests under way, and give up connections and threads.

        A thread in a request that nobody answers goes on until its time is over, and begins no
        other.
        What its request did is found by the next put of the same key.
        """
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(wait, tuple(self._under_way), CLOSE_SECONDS)
        await asyncio.to_thread(self._bucket.close)

    async def _run(self, work: Callable[[], _T]) -> _T:
        future = self._threads.submit(work)
        # The thread's future, not the caller's: a cancelled caller leaves its request behind.
        under_way = cast("Future[object]", future)
        self._under_way.add(under_way)
        under_way.add_done_callback(self._under_way.discard)
        return await asyncio.wrap_future(future)

    def _head(self, key: str, name: str) -> ObjectInfo | None:
        readable, version = standing_version(self._bucket, name)
        standing = self._bucket.head(name, version) if readable else None
        if standing is None:
            return None
        kept = standing.sha256
        return ObjectInfo(
            key=key,
            size=standing.size,
            modified_at=standing.modified_at,
            digest=None if kept is None else Digest(value=bytes.fromhex(kept)),
            retain_until=standing.retain_until,
        )

    def _get(self, name: str) -> bytes | None:
        readable, version = standing_version(self._bucket, name)
        pieces = self._bucket.chunks(name, version) if readable else None
        return None if pieces is None else b"".join(pieces)

    def _body(self, name: str) -> ObjectBody | None:
        readable, version = standing_version(self._bucket, name)
        standing = self._bucket.head(name, version) if readable else None
        if standing is None:
            return None
        found = standing.sha256 or self._bucket.sha256(name, version)
        if found is None:
            return None

        def pieces() -> Iterator[bytes]:
            chunks = self._bucket.chunks(name, version)
            if chunks is None:
                where = f"{name} in {self._bucket.where}"
                raise ObjectStoreUnavailableError(f"{where} is no longer there")
            return chunks

        return ObjectBody(
            size=standing.size,
            digest=Digest(value=bytes.fromhex(found)),
            open=lambda: ObjectReader.opened(pieces),
        )

    def _probe(self) -> None:
        name = f"{self._prefix}probe/{os.urandom(8).hex()}"
        until = None
        if self._bucket.protection.lock_mode != "none":
            until = self._clock.now() + PROBE_RETENTION
        first, second = os.urandom(32), os.urandom(32)
        kind = "application/octet-stream"
        create(self._bucket, name, ObjectBody.of(first), retain_until=until, content_type=kind)
        # With versions we guard the first object ourselves; without, only the store can.
        if not self._bucket.is_versioned() and self._bucket.put(
            name, ObjectBody.of(second), retain_until=until, content_type=kind
        ):
            raise ObjectStoreRejectedError(
                f"{self._bucket.where} overwrites an object in spite of If-None-Match",
                hint="Turn on versioning for the bucket, or use a store that keeps If-None-Match.",
            )
        if self._get(name) != first:
            raise ObjectStoreUnavailableError(
                f"{name} in {self._bucket.where} does not hold what was written to it"
            )


if TYPE_CHECKING:
    _: type[ObjectStore] = S3ObjectStore
