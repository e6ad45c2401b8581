"""When what failed is tried again: pauses that double, for each name by itself."""

from __future__ import annotations

from bridge.protocols import Clock

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0


class Pauses:
    """In memory only: after a restart everything is due at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, tuple[float, float]] = {}

    def left(self, name: str) -> float:
        """Seconds until ``name`` may be tried; 0 if it may."""
        return max(self._until.get(name, (0.0, 0.0))[0] - self._clock.monotonic(), 0.0)

    def failed(self, name: str, *, least: float = 0.0) -> None:
        """Put it off, twice as long as the last time, and for ``least`` seconds anyway."""
        pause = min(self._until.get(name, (0.0, FIRST_PAUSE / 2))[1] * 2, LONGEST_PAUSE)
        self._until[name] = self._clock.monotonic() + max(pause, least), pause

    def succeeded(self, name: str) -> None:
        """Forget its failures."""
        self._until.pop(name, None)
