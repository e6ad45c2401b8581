"""The probe of a folder: what it keeps, and that it keeps no retention."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import ObjectConflictError, ObjectStoreRejectedError
from bridge.protocols import Clock, ObjectBody
from bridge.protocols.probe import (
    Enforcement,
    Planted,
    Result,
    StoreCheck,
    StoreFindings,
    StoreProbe,
)
from storage.objects.local import PROBE, LocalObjectStore
from storage.objects.probe.bench import check

CREATORS = 16
_NA = Enforcement.NOT_APPLICABLE


class FolderProbe:
    """See :class:`bridge.protocols.probe.StoreProbe`."""

    def __init__(
        self, *, store: str, root: Path, clock: Clock, random_bytes: Callable[[int], bytes]
    ) -> None:
        """``store`` is its name in findings, ``root`` its folder."""
        self._store = store
        self._root = root
        self._clock = clock
        self._random = random_bytes

    async def examine(self) -> StoreFindings:
        """Every check that says something of a folder."""
        place = self._root / PROBE / self._random(8).hex()
        store = LocalObjectStore(self._root, PROBE, threads=1)
        racing = LocalObjectStore(place, PROBE, threads=CREATORS)
        try:
            await store.probe()
            await racing.start()
            found = (
                check("canary", Enforcement.ENFORCED, "Written, synced to disk and read back."),
                await _create_only(racing),
                await asyncio.to_thread(_overwrite, place),
                *_nothing_else(),
            )
        finally:
            await store.aclose()
            await racing.aclose()
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        return self._findings(found)

    async def retention(self) -> StoreFindings:
        """Nothing is asked: a folder cannot lock."""
        return self._findings(_nothing_else())

    async def plant(self, until: datetime) -> Planted:
        """Nothing can be locked."""
        raise ObjectStoreRejectedError(f"{self._store} is a folder and locks nothing until {until}")

    async def changed(self, planted: Planted) -> str:
        """Nothing was planted."""
        raise ObjectStoreRejectedError(f"{self._store} is a folder and keeps no {planted.name}")

    async def aclose(self) -> None:
        """Nothing is open."""

    def _findings(self, found: tuple[StoreCheck, ...]) -> StoreFindings:
        return StoreFindings(
            store=self._store,
            lock_mode="none",
            retention=Enforcement.NOT_ENFORCED,
            checks=found,
            at=self._clock.now(),
        )


async def _create_only(store: LocalObjectStore) -> StoreCheck:
    """Of 16 creators of one name one wins."""

    async def create(i: int) -> bool:
        body = ObjectBody.of(b"creator %d" % i)
        try:
            await store.put("race", body, retain_until=None)
        except ObjectConflictError:
            return False
        return True

    won = sum(await asyncio.gather(*map(create, range(CREATORS))))
    fact = f"Of {CREATORS} creators of one name {won} won, by link(2); on this machine alone."
    verdict = Enforcement.ENFORCED if won == 1 else Enforcement.NOT_ENFORCED
    return check("create_only", verdict, fact, "Use a local disk.", needed=True)


def _overwrite(place: Path) -> StoreCheck:
    """Whoever may write the folder may change what stands in it: tried with a file of ours."""
    file = place / "overwrite"
    with suppress(OSError):
        file.write_bytes(b"first")
        file.write_bytes(b"second")
        if file.read_bytes() == b"second":
            fact = "Whoever may write the folder can replace files; only the log shows it."
            return _told("overwrite", Enforcement.NOT_ENFORCED, fact)
    fact = "A file that stands could not be written again."
    return _told("overwrite", Enforcement.CANNOT_TELL, fact)


def _nothing_else() -> tuple[StoreCheck, ...]:
    """What a folder has nothing of."""
    fact = "A folder cannot lock: whoever may write it can delete what stands in it."
    return (
        *(check(name, _NA, f"A folder has no {what}.") for name, what in _LACKS),
        _told("lock_kept", Enforcement.NOT_ENFORCED, fact),
    )


def _told(name: str, verdict: Enforcement, fact: str) -> StoreCheck:
    """A fact about every folder, and so neither a failure nor a warning."""
    return StoreCheck(check=name, verdict=verdict, result=Result.OK, fact=fact)


_LACKS = (
    ("versioning", "versions"),
    ("default_retention", "default retention"),
    ("legal_hold", "legal holds"),
    ("clock", "clock of its own"),
)

if TYPE_CHECKING:
    _: type[StoreProbe] = FolderProbe
