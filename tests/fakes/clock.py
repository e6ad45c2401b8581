"""Time that only moves when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from bridge.model import require_utc
from bridge.protocols import Clock

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
"""Where every fake clock begins, and what the samples are dated by."""


@dataclass(order=True, slots=True)
class _Sleeper:
    due: float
    order: int
    woken: asyncio.Future[None] = field(compare=False)


class FakeClock:
    """See :class:`bridge.protocols.Clock`. Nothing here reads the machine's clocks.

    With ``waiting=False`` (the default) a sleep moves the clock on by its length at once, gives
    the event loop one turn and returns: loops under test run through their pauses without any.
    With ``waiting=True`` a sleep lasts until :meth:`advance` has brought its time; sleepers wake
    in the order of their times, and in the order they came where those are equal.

    ``slept`` holds the length of every sleep asked for, in order.
    """

    def __init__(
        self, now: datetime = START, *, monotonic: float = 1000.0, waiting: bool = False
    ) -> None:
        require_utc(now, "now")
        self._now = now
        self._monotonic = monotonic
        self._waiting = waiting
        self._sleepers: list[_Sleeper] = []
        self._order = count()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The wall clock."""
        return self._now

    def monotonic(self) -> float:
        """The monotonic clock."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Move on by ``seconds``, or wait for :meth:`advance` to do it."""
        self.slept.append(seconds)
        if not self._waiting or seconds <= 0:
            self.advance(max(seconds, 0.0))
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(
            self._sleepers, _Sleeper(self._monotonic + seconds, next(self._order), woken)
        )
        await woken

    def advance(self, seconds: float) -> None:
        """Move both clocks on and wake whose time has come. They run at the caller's next await."""
        if seconds < 0:
            raise ValueError("a monotonic clock does not go back; use set_wall")
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0].due <= self._monotonic:
            sleeper = heapq.heappop(self._sleepers)
            if not sleeper.woken.done():
                sleeper.woken.set_result(None)

    def set_wall(self, now: datetime) -> None:
        """Set the wall clock, forwards or back, as a machine's clock may be. Nobody wakes."""
        require_utc(now, "now")
        self._now = now

    @property
    def next_wake(self) -> float | None:
        """Seconds until the first sleeper is due; None while nobody sleeps."""
        while self._sleepers and self._sleepers[0].woken.done():
            heapq.heappop(self._sleepers)  # cancelled meanwhile
        if not self._sleepers:
            return None
        return max(self._sleepers[0].due - self._monotonic, 0.0)

    def advance_to_next(self) -> bool:
        """Move to the first sleeper's time and wake it. False: nobody sleeps."""
        seconds = self.next_wake
        if seconds is None:
            return False
        self.advance(seconds)
        return True


def _conforms(clock: FakeClock) -> Clock:
    return clock
