"""How often something was tried lately. In memory, for one process."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from bridge.protocols import Clock

WITHIN: Final = 60.0
"""Seconds that an attempt counts."""

MOST_NAMES: Final = 10_000
"""Of so many names attempts are remembered; past that, everybody waits."""


AT_ONCE: Final = 2
"""Passwords that are hashed at once. Each takes 64 MiB: a flood of them waits in line."""


class Attempts:
    """Counts attempts under a name when they begin, so that many at once do not slip through.

    ``hashing`` MUST be held while a password is hashed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: dict[str, deque[float]] = {}
        self.hashing = asyncio.Semaphore(AT_ONCE)

    def begin(self, name: str, *, most: int) -> bool:
        """Count one. False: there were ``most`` within a minute, and this one must not be made."""
        now = self._clock.monotonic()
        times = self._begun.get(name)
        if times is None:
            if len(self._begun) >= MOST_NAMES and not self._swept(now):
                return False
            times = self._begun[name] = deque()
        while times and now - times[0] >= WITHIN:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(now)
        return True

    def succeeded(self, name: str, *, source: str) -> None:
        """What was tried under ``name`` no longer counts, nor for ``source`` this one attempt."""
        self._begun.pop(name, None)
        if times := self._begun.get(source):
            times.pop()

    def _swept(self, now: float) -> bool:
        """Forget names whose attempts are over; gives whether there is room now."""
        for name, times in list(self._begun.items()):
            if not times or now - times[-1] >= WITHIN:
                del self._begun[name]
        return len(self._begun) < MOST_NAMES
