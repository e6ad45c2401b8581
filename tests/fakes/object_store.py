"""An object store in memory: create-only, with locks that hold, and faults on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.errors import (
    ObjectConflictError,
    ObjectStoreError,
    ObjectStoreUnavailableError,
    RetentionNotKeptError,
)
from bridge.model import Digest, ObjectInfo, ObjectReceipt, require_utc
from bridge.protocols import Clock, ObjectBody, ObjectStore
from storage.objects.checked import copy_checked
from storage.objects.names import TenantNames


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as the store holds it."""

    data: bytes = field(repr=False)
    content_type: str
    modified_at: datetime
    retain_until: datetime | None


class FakeObjectStore:
    """Keeps every promise of the protocol, unless told to break one.

    ``objects`` holds what stands, in the order of creation; ``attempts`` every key put, in order.
    ``before`` raises its errors one by one instead of the next puts. ``lost_replies`` is how many
    puts land and then report nothing. ``down`` fails everything. ``keeps_locks=False`` takes a
    retention and drops it. ``gate``, where set, holds each put until it is set.
    """

    def __init__(self, clock: Clock, *, tenant: str = "demo", keeps_locks: bool = True) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.attempts: list[str] = []
        self.before: list[ObjectStoreError] = []
        self.lost_replies = 0
        self.down = False
        self.keeps_locks = keeps_locks
        self.gate: asyncio.Event | None = None
        self._clock = clock
        self._names = TenantNames(tenant)

    def _answer(self) -> None:
        if self.down:
            raise ObjectStoreUnavailableError("the store does not answer")

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Create the object; see the protocol."""
        self._names.of_key(key)
        if retain_until is not None:
            require_utc(retain_until, "retain_until")
        self.attempts.append(key)
        data = await asyncio.to_thread(_read, body)
        if self.gate is not None:
            await self.gate.wait()
        self._answer()
        if self.before:
            raise self.before.pop(0)
        existed = self._create(key, data, retain_until, content_type)
        if self.lost_replies:
            self.lost_replies -= 1
            raise ObjectStoreUnavailableError(f"no reply to the put of {key}")
        shown = self.objects[key].retain_until
        if retain_until is not None and (shown is None or shown < retain_until):
            raise RetentionNotKeptError(f"{key}: asked until {retain_until}, shows {shown}")
        return ObjectReceipt(key=key, digest=body.digest, retain_until=shown, existed=existed)

    def _create(
        self, key: str, data: bytes, retain_until: datetime | None, content_type: str
    ) -> bool:
        standing = self.objects.get(key)
        if standing is None:
            self.objects[key] = StoredObject(
                data=data,
                content_type=content_type,
                modified_at=self._clock.now(),
                retain_until=retain_until if self.keeps_locks else None,
            )
            return False
        if standing.data != data:
            found = Digest.of(standing.data).hex
            raise ObjectConflictError(f"{key} holds other bytes", found=found)
        return True

    async def head(self, key: str) -> ObjectInfo | None:
        """What stands under ``key``, or None."""
        self._names.of_key(key)
        self._answer()
        return self._info(key) if key in self.objects else None

    async def get(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None."""
        self._names.of_key(key)
        self._answer()
        standing = self.objects.get(key)
        return None if standing is None else standing.data

    async def body(self, key: str) -> ObjectBody | None:
        """The object under ``key`` as a body for another put, or None."""
        self._names.of_key(key)
        self._answer()
        standing = self.objects.get(key)
        return None if standing is None else ObjectBody.of(standing.data)

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Every object whose key starts with ``prefix``, in key order, without digests."""
        self._names.of_prefix(prefix)
        self._answer()
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield replace(self._info(key), digest=None, retain_until=None)

    async def probe(self) -> None:
        """Fails only while the store is ``down``."""
        self._answer()

    async def aclose(self) -> None:
        """Nothing to give up."""

    def _info(self, key: str) -> ObjectInfo:
        standing = self.objects[key]
        return ObjectInfo(
            key=key,
            size=len(standing.data),
            modified_at=standing.modified_at,
            digest=Digest.of(standing.data),
            retain_until=standing.retain_until,
        )


def _read(body: ObjectBody) -> bytes:
    pieces: list[bytes] = []
    copy_checked(body, pieces.append)
    return b"".join(pieces)


if TYPE_CHECKING:
    _: type[ObjectStore] = FakeObjectStore
