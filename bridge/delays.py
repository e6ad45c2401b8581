"""How long things took: lately, and ever since the start."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from bridge.protocols import Clock

MEASURED = 64
LATELY = 600.0
"""Seconds after which what was measured tells nothing of now any more."""

SLOW = 0.9
HALF = 0.5


class Delays:
    """The last measurements of one thing. An outage is forgotten some minutes after its end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._measured: deque[tuple[float, float]] = deque(maxlen=MEASURED)

    def note(self, seconds: float) -> None:
        """It took so long."""
        self._measured.append((self._clock.monotonic(), seconds))

    @property
    def slow_end(self) -> timedelta | None:
        """Nine of ten took no longer; None where nothing was measured lately."""
        return self._of(SLOW)

    @property
    def middle(self) -> timedelta | None:
        """Half took no longer; None where nothing was measured lately."""
        return self._of(HALF)

    def _of(self, share: float) -> timedelta | None:
        since = self._clock.monotonic() - LATELY
        ordered = sorted(seconds for at, seconds in self._measured if at >= since)
        return timedelta(seconds=ordered[int(len(ordered) * share)]) if ordered else None


class Distribution:
    """How many measurements came to how much, since the start of the process."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """``bounds`` rise; a measurement counts below the first that it does not exceed."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """It came to so much."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def upto(self) -> tuple[tuple[float, int], ...]:
        """How many came to no more than each bound, and last how many there are at all."""
        summed = 0
        found = []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            summed += count
            found.append((bound, summed))
        return tuple(found)
