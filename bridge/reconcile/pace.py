"""How a reconciliation asks the store: a few requests at a time, patiently, and behind the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from bridge.errors import ObjectStoreUnavailableError
from bridge.model import ObjectInfo
from bridge.protocols import Clock, ObjectStore
from bridge.reconcile.progress import Advance

_T = TypeVar("_T")
_R = TypeVar("_R")

WIDTH = 4
"""Requests at a time: recording has the rest of the store's threads."""

PAUSES = (1.0, 2.0)
REST_SECONDS = 1.0


class Pace:
    """Asks again where the store does not answer, and rests while ``wait`` says so."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        clock: Clock,
        wait: Callable[[], bool] = lambda: False,
        advance: Advance | None = None,
        pauses: tuple[float, ...] = PAUSES,
        width: int = WIDTH,
    ) -> None:
        """``advance`` says of every rest that it is one."""
        self._store = store
        self._clock = clock
        self._wait = wait
        self._advance = advance or Advance()
        self._pauses = pauses
        self._width = width

    async def ask(self, call: Callable[[], Awaitable[_R]]) -> _R:
        """The answer of the store.

        Raises:
            ObjectStoreError: there was none at the last try either, or the store refuses.
        """
        await self._rest()
        for pause in self._pauses:
            try:
                return await call()
            except ObjectStoreUnavailableError:
                await self._clock.sleep(pause)
        return await call()

    async def listing(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Every object below ``prefix`` once; a listing that broke off goes on where it was."""
        last = ""
        failures = 0
        while True:
            await self._rest()
            try:
                async for info in self._store.list(prefix):
                    if info.key > last:
                        last, failures = info.key, 0
                        yield info
            except ObjectStoreUnavailableError:
                if failures >= len(self._pauses):
                    raise
                await self._clock.sleep(self._pauses[failures])
                failures += 1
                continue
            return

    async def over(self, items: Iterable[_T], work: Callable[[_T], Awaitable[None]]) -> None:
        """``work`` on each item, a few at a time; the first failure ends it all."""
        every = tuple(items)
        waiting = iter(every)

        async def worker() -> None:
            for item in waiting:
                await work(item)

        tasks = [asyncio.create_task(worker()) for _ in range(min(self._width, len(every)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self) -> None:
        while self._wait():
            self._advance.resting = True
            await self._clock.sleep(REST_SECONDS)
        self._advance.resting = False
