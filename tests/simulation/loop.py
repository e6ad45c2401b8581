"""An event loop whose time is virtual and whose order is drawn from a seed.

It overrides private methods of asyncio and is therefore pinned to the minors it was tested on.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from random import Random
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TESTED = ((3, 11), (3, 12), (3, 13))
SUPPORTED = sys.version_info[:2] in TESTED
WHY_NOT = "the simulation reaches into asyncio and is pinned to Python 3.11 to 3.13"

PROCESS: contextvars.ContextVar[int] = contextvars.ContextVar("process", default=0)
"""Whose callback it is. 0 is the world outside; every process has a number of its own."""

MASK = (1 << 61) - 1


class DeadlockError(AssertionError):
    """Nobody can go on, and no timer will change that."""


class SimTask(asyncio.Task[T]):
    """A task whose place in a set is the same in each run: asyncio keeps tasks in sets."""

    def __init__(
        self,
        coro: Coroutine[object, object, T] | Generator[object, None, T],
        *,
        number: int,
        loop: SimLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._number = number
        super().__init__(coro, loop=loop, context=context)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Runs one callback at a time, chosen by the seed among all that are ready.

    Where none is ready, time jumps to the next timer; where there is no timer either, the run
    fails and names the tasks. Work for threads is done at once and its result is given after
    ``lag()`` seconds. The callbacks of a process that was frozen never run again: that is what
    SIGKILL is, no ``finally`` clause included.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._draw = Random(seed).random
        self._now = 0.0
        self._numbers = count(1)
        self._frozen: set[int] = set()
        self._parked: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.lag: Callable[[], float] = lambda: 0.0
        self.steps = 0
        self.fingerprint = 0
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As ever, without what only a loop with threads or in debug mode has to look at."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """The same, and timers of one moment go in the order in which they were set."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """The same, from now on."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def freeze(self, process: int) -> None:
        """None of this process's callbacks runs any more."""
        self._frozen.add(process)

    def thaw(self) -> None:
        """All that was frozen goes on: only to be cancelled, when nothing matters any more."""
        self._frozen.clear()
        self._ready.extend(self._parked)
        self._parked.clear()

    def _run_once(self) -> None:
        self._wake()
        ready, draw = self._ready, self._draw
        while ready and not self._stopping:
            place = 0
            if len(ready) > 1:
                place = int(draw() * len(ready))
                ready.rotate(-place)
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self._frozen:
                context: contextvars.Context = handle._context  # type: ignore[attr-defined]
                if context.get(PROCESS, 0) in self._frozen:
                    self._parked.append(handle)
                    continue
            self.steps += 1
            self.fingerprint = (self.fingerprint * 1_000_003 + place + 1) & MASK
            handle._run()

    def _wake(self) -> None:
        """Take over the timers that are due; jump to the next one where nothing is ready."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not self._ready:
            if not timers:
                names = sorted(task.get_name() for task in asyncio.all_tasks(self))
                raise DeadlockError(f"nothing is ready and no timer runs; waiting: {names}")
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:
                self._ready.append(timer)

    def _process_events(self, event_list: list[object]) -> None:
        """No selector, no events."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody needs to be woken."""

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """There are no threads."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: object, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do the work at once; its result comes after a while."""
        done: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:
            # Broad on purpose: whatever a thread raises is its caller's to see.
            self.call_later(self.lag(), _fail, done, error)
        else:
            self.call_later(self.lag(), _give, done, result)
        return done

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[object, object, T] | Generator[object, None, T],
        *,
        context: contextvars.Context | None = None,
        name: str | None = None,
    ) -> SimTask[T]:
        task = SimTask(coro, number=next(self._numbers), loop=self, context=context)
        task.set_name(name or f"task {hash(task)}")
        return task


def _give(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
