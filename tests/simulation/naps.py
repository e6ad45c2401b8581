"""Rounds of idle loops that are left out, since they would find nothing: the sleep goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.protocols import Clock
from tests.simulation.loop import SimLoop

if TYPE_CHECKING:
    import asyncio
    from datetime import datetime

LONGEST = 15.0
"""Seconds after which a loop goes its round whatever ``news`` says. So what a loop may come to do
without any news, because time went by, is looked at too, only less often."""


async def nap(
    loop: SimLoop,
    seconds: float,
    *,
    news: Callable[[], bool],
    sign: Callable[[asyncio.Future[None]], None] = lambda _: None,
    first: float | None = None,
) -> None:
    """Sleep ``seconds``, and as long again for each time that there is no news by then.

    So a loop wakes when it would wake without naps, or it would have gone to sleep again.
    ``sign`` is given the future that ends the sleep at once. Before ``first`` nothing but a sign
    can bring news.
    """
    woken: asyncio.Future[None] = loop.create_future()
    timer: asyncio.TimerHandle
    until = loop.time() + max(LONGEST, seconds) - seconds / 2

    def look() -> None:
        nonlocal timer
        if woken.done():
            return
        if loop.time() >= until or news():
            woken.set_result(None)
        else:
            timer = loop.call_later(seconds, look)

    timer = loop.call_later(seconds if first is None else first, look)
    sign(woken)
    try:
        await woken
    finally:
        timer.cancel()


class RoundClock:
    """The clock of a loop that begins a round every ``seconds``.

    It naps while ``busy`` says that nothing waits and ``seen`` is what it was before the last
    round: that round found this, and left it as it was.
    """

    def __init__(
        self,
        clock: Clock,
        loop: SimLoop,
        *,
        seconds: float,
        busy: Callable[[], bool],
        seen: Callable[[], object] = lambda: None,
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._seconds = seconds
        self._busy = busy
        self._see = seen
        self._seen: object = object()

    def now(self) -> datetime:
        """The wall clock."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Virtual time."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time; between rounds, until there is news."""
        if seconds != self._seconds:
            await self._clock.sleep(seconds)
            return
        await nap(self._loop, seconds, news=self._news)
        self._seen = self._see()

    def _news(self) -> bool:
        return self._busy() or self._seen != self._see()


if TYPE_CHECKING:
    _clock: type[Clock] = RoundClock
