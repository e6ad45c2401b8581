"""An event loop for the real parts whose time is virtual: it jumps where everybody waits for it.

Threads work in real time, and while one does, no time passes: that work is asked for and its
result taken up within one moment. So nothing here tells how long anything takes; it tells what
becomes of it after hours.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import TypeVar, TypeVarTuple
from unittest.mock import patch

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Selector(selectors.DefaultSelector):
    """Waits really while somebody else works; else time moves on to what is due next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.working = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready."""
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if self.working or timeout is None:
            return super().select(None)
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer where nothing is ready and no thread has work of ours.

    What comes over a socket counts as nobody's work: who waits for it MUST do so in a thread.
    """

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As ever; time stands still until its result is here."""
        result = super().run_in_executor(executor, func, *args)
        self.stand_still(result)
        return result

    def stand_still(self, result: asyncio.Future[T]) -> None:
        """Until this is done, or nobody waits for it any more."""
        self._virtual.working += 1
        result.add_done_callback(self._go_on)

    def _go_on(self, _: asyncio.Future[T]) -> None:
        self._virtual.working -= 1


class VirtualClock:
    """The loop's time as a clock. Implements :class:`bridge.protocols.Clock`."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        """The time in UTC."""
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Seconds since the loop was made."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait, virtually."""
        await asyncio.sleep(seconds)


class _Asked(SimpleQueue[tuple[asyncio.Future[object] | None, Callable[[], object]]]):
    """What a database's thread is asked for; time stands still until its answer is here."""

    def put_nowait(self, item: tuple[asyncio.Future[object] | None, Callable[[], object]]) -> None:
        """Ask."""
        answer = item[0]
        loop = None if answer is None else answer.get_loop()
        if answer is not None and isinstance(loop, VirtualLoop):
            loop.stand_still(answer)
        super().put_nowait(item)


@contextmanager
def databases_counted() -> Iterator[None]:
    """What the threads of ``aiosqlite`` do counts as work, of connections made in here."""
    with patch("aiosqlite.core.SimpleQueue", _Asked):
        yield
