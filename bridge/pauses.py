"""When what failed is tried again: pauses that double, for each name by itself."""

from __future__ import annotations

from bridge.protocols import Clock

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0


class Pauses:
    """In memory only: after a restart everything is due at once."""

    def __init__(self, clock: Clock, *, longest: float = LONGEST_PAUSE) -> None:
        self._clock = clock
        self._longest = longest
        self._next_try: dict[str, float] = {}
        self._pauses: dict[str, float] = {}

    def left(self, name: str) -> float:
        """Seconds until ``name`` is due; 0 if it is."""
        return max(self._next_try.get(name, 0.0) - self._clock.monotonic(), 0.0)

    def failed(self, name: str, *, least: float = 0.0) -> None:
        """Put ``name`` off, twice as long as the last time, and for ``least`` seconds anyway."""
        pause = self._pauses.get(name, FIRST_PAUSE)
        self._pauses[name] = min(pause * 2, self._longest)
        self._next_try[name] = self._clock.monotonic() + max(min(pause, self._longest), least)

    def succeeded(self, name: str, *, rest: float = 0.0) -> None:
        """Forget its failures; it is due again after ``rest`` seconds."""
        self._pauses.pop(name, None)
        self._next_try[name] = self._clock.monotonic() + rest

    def forget(self, name: str) -> None:
        """Nothing will be asked under this name again."""
        self._pauses.pop(name, None)
        self._next_try.pop(name, None)

    def clear(self) -> None:
        """Everything is due."""
        self._next_try.clear()
        self._pauses.clear()
