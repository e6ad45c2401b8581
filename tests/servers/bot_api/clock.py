"""The server's clock: what the dates, the 24 hours and the link of a file are measured by."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

FIRST_MOMENT = 1_760_000_000.0
"""Where a clock set by hand begins: a second in October 2025."""


class Clock(Protocol):
    """Seconds since 1970, and waiting for them."""

    def now(self) -> float:
        """The time. MUST NOT go back by itself."""
        ...

    def passed(self, seconds: float) -> asyncio.Future[None]:
        """Done when so many seconds are over, counted from this call on."""
        ...


class WallClock:
    """The clock of the machine, for a demo."""

    def now(self) -> float:
        """The time."""
        return time.time()

    def passed(self, seconds: float) -> asyncio.Future[None]:
        """Done when they are over for real."""
        return _later(seconds)


class HandClock:
    """Stands still until somebody moves it.

    Who waits for it goes on when it was moved far enough, or when the time is over for real: a
    client's long poll MUST end for a client that keeps its own time.
    """

    def __init__(self, at: float = FIRST_MOMENT) -> None:
        self._now = at
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """The time it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move it; negative to step back. Whoever waited long enough goes on."""
        self._now += seconds
        self._waiting = [entry for entry in self._waiting if not entry[1].done()]
        for until, waiter in self._waiting:
            if until <= self._now:
                waiter.set_result(None)

    def passed(self, seconds: float) -> asyncio.Future[None]:
        """Done by the hand, or for real."""
        waiter = _later(seconds)
        self._waiting.append((self._now + seconds, waiter))
        return waiter


def _later(seconds: float) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, _over, waiter)
    waiter.add_done_callback(lambda _: timer.cancel())
    return waiter


def _over(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
