"""The probe of a bucket. Importing this loads boto3."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from bridge.errors import ObjectStoreRejectedError, RetentionNotKeptError
from bridge.protocols import Clock
from bridge.protocols.probe import Planted, StoreFindings, StoreProbe
from storage.objects.probe.bench import Bench
from storage.objects.probe.examination import EVERYTHING, RETENTION, Check, examine
from storage.objects.probe.hands import Hands, Lock, Mode
from storage.objects.probe.lock_checks import is_kept
from storage.objects.probe.s3_hands import S3Hands
from storage.objects.s3_client import S3Connection
from storage.objects.s3_values import LockMode, whole_second

_T = TypeVar("_T")
_MODES: dict[str, Mode] = {"governance": "GOVERNANCE", "compliance": "COMPLIANCE"}
DAILY = b"a canary that is looked at every day"


class S3StoreProbe:
    """See :class:`bridge.protocols.probe.StoreProbe`."""

    def __init__(
        self,
        *,
        store: str,
        writer: S3Connection,
        other: S3Connection | None = None,
        prefix: str = "",
        lock_mode: LockMode,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """``store`` is its name in findings; ``other`` an identity for controls alone."""
        beginning = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._store = store
        self._lock_mode = lock_mode
        self._clock = clock
        self._random = random_bytes
        self._writer = S3Hands(writer, beginning, clock)
        self._other = None if other is None else S3Hands(other, beginning, clock)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="probe")

    async def examine(self) -> StoreFindings:
        """Every check."""
        return await self._examined(EVERYTHING)

    async def retention(self) -> StoreFindings:
        """The checks of locks alone."""
        return await self._examined(RETENTION)

    async def plant(self, until: datetime) -> Planted:
        """Put a canary with a lock."""
        return await self._run(lambda: self._plant(whole_second(until)))

    async def changed(self, planted: Planted) -> str:
        """Look at it: its bytes, and at least its lock. It MUST be of this probe's lock mode."""
        mode = _MODES[self._lock_mode]
        return await self._run(lambda: changed(self._writer, planted, mode))

    async def aclose(self) -> None:
        """A thread in a request that nobody answers ends with that request."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for hands in filter(None, (self._writer, self._other)):
            await asyncio.to_thread(hands.close)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _examined(self, checks: Sequence[tuple[str, Check]]) -> StoreFindings:
        bench = Bench(
            writer=self._writer,
            other=self._other,
            lock_mode=self._lock_mode,
            clock=self._clock,
            pause=time.sleep,
            folder=f"{self._writer.folder}{self._random(8).hex()}/",
        )
        return await self._run(lambda: examine(bench, self._store, checks))

    def _plant(self, until: datetime) -> Planted:
        name = f"{self._writer.folder}daily-{self._random(8).hex()}"
        return plant(self._writer, name, Lock(mode=_MODES[self._lock_mode], until=until))


def plant(writer: Hands, name: str, lock: Lock) -> Planted:
    """Put a canary that is locked for days, and see its lock.

    Raises:
        ObjectStoreRejectedError: it is refused.
        RetentionNotKeptError: it stands without the lock.
    """
    made = writer.put(name, DAILY, lock=lock)
    if not made.done:
        raise ObjectStoreRejectedError(f"the daily canary's PUT is answered {made.words}")
    planted = Planted(name=name, version=made.version, until=lock.until)
    if problem := changed(writer, planted, lock.mode):
        raise RetentionNotKeptError(problem)
    return planted


def changed(writer: Hands, planted: Planted, mode: Mode) -> str:
    """What the store shows less of it than was planted, in a sentence; "" for nothing."""
    shown = writer.look(planted.name, planted.version)
    if shown is None or writer.read(planted.name, planted.version) != DAILY:
        return f"{planted.name} is gone or has other bytes, and was locked until {planted.until}."
    if shown.lock is None:
        return f"{planted.name} has no lock any more, and was locked until {planted.until}."
    if not is_kept(shown, Lock(mode=mode, until=planted.until)):
        now = f"until {shown.lock.until} ({shown.lock.mode.lower()})"
        return f"{planted.name} is locked {now}, and was until {planted.until} ({mode.lower()})."
    return ""


if TYPE_CHECKING:
    _: type[StoreProbe] = S3StoreProbe
