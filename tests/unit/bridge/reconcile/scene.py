"""A recorder with its reconciler, and what happens to journals and stores."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bridge.model import Digest, ObjectInfo
from bridge.protocols import RequestKind
from bridge.reconcile import Advance, Finding, Found, Lifetimes, Reconciler, Report
from tests.fakes import samples
from tests.fakes.object_store import StoredObject
from tests.unit.bridge.house import RETENTION, House

COMPANIONS = ("", "-wal", "-shm")


def reconciler_of(house: House, *, wait: Callable[[], bool] = lambda: False) -> Reconciler:
    """The reconciler of this process."""
    return Reconciler(
        journal=house.journal,
        store=house.store,
        keeper=house.keeper,
        connectors=house.connectors,
        clock=house.clock,
        blind_key=samples.BLIND_KEY,
        lifetimes=Lifetimes(records=lambda _stream: RETENTION, documents=timedelta(days=2555)),
        wait=wait,
    )


async def compared(house: House) -> Report:
    """Journal against store."""
    return await reconciler_of(house).compare(RequestKind.RECONCILE, Advance())


async def compared_with_source(house: House) -> Report:
    """Journal against source."""
    return await reconciler_of(house).compare(RequestKind.RECONCILE_SOURCE, Advance())


def counts(report: Report) -> dict[Found, int]:
    """What was found, by kind."""
    return {finding.kind: finding.count for finding in report.findings}


def finding(report: Report, kind: Found) -> Finding:
    """The line of one kind."""
    (found,) = [each for each in report.findings if each.kind is kind]
    return found


def key_of(house: House, area: str, place: int = 0) -> str:
    """The key of an object in an area, in their order."""
    return sorted(house.objects(area))[place]


def overwrite(house: House, key: str, data: bytes) -> None:
    """Somebody with other rights than ours changes an object."""
    house.store.objects[key] = replace(house.store.objects[key], data=data)


def add(house: House, key: str, data: bytes = b"{}") -> None:
    """Somebody else puts an object."""
    house.store.objects[key] = StoredObject(
        data=data, content_type="application/json", modified_at=house.clock.now(), retain_until=None
    )


class WithoutDigests:
    """A store's answer to HEAD that keeps no digest beside the object."""

    def __init__(self, house: House) -> None:
        self._head = house.store.head

    async def __call__(self, key: str) -> ObjectInfo | None:
        """The same without digest."""
        info = await self._head(key)
        return None if info is None else replace(info, digest=None)


async def lose_journal(house: House) -> None:
    """The process ends, its journal is gone, and another process begins."""
    await house.close()
    await asyncio.to_thread(_remove, house.path)
    await house.open()


async def back_up(house: House) -> Path:
    """A copy of the journal as it stands between two processes."""
    await house.close()
    copy = house.path.with_suffix(".backup")
    await asyncio.to_thread(_copy, house.path, copy)
    await house.open()
    return copy


async def restore(house: House, copy: Path) -> None:
    """The process ends, and another one begins on the copy."""
    await house.close()
    await asyncio.to_thread(_remove, house.path)
    await asyncio.to_thread(_copy, copy, house.path)
    await house.open()


def _remove(path: Path) -> None:
    for end in COMPANIONS:
        path.with_name(path.name + end).unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    for end in COMPANIONS:
        source = path.with_name(path.name + end)
        if source.exists():
            shutil.copyfile(source, to.with_name(to.name + end))


def digest_of(house: House, key: str) -> Digest:
    """What stands under a key."""
    return Digest.of(house.store.objects[key].data)
