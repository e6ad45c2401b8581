"""How long things took lately."""

from __future__ import annotations

from collections import deque
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
