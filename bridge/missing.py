"""Keys that did not come, and when each is next asked for elsewhere: ever more seldom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.protocols import Clock

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 3600.0
GROWTH = 4

Key = tuple[str, str]
"""Group and session."""


@dataclass(slots=True)
class Wait:
    """When a key is next asked for, and how long after that again."""

    at: float
    pause: float


class Missing:
    """What a connector's events wait for. In memory: after a start it is met again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits: dict[Key, Wait] = {}
        self._unmet: set[Key] = set()
        self._next = 0.0

    def __bool__(self) -> bool:
        """Whether any key is missing."""
        return bool(self._waits)

    def met(self, group_id: str, session: str) -> None:
        """An event waits for this key."""
        key = (group_id, session)
        self._unmet.discard(key)
        if key not in self._waits:
            at = self._clock.monotonic() + FIRST_PAUSE
            self._waits[key] = Wait(at=at, pause=FIRST_PAUSE)
            self._next = min(self._next, at)

    def came(self, group_id: str, session: str) -> None:
        """The key is here."""
        self._waits.pop((group_id, session), None)

    def begin(self) -> None:
        """From now on all that waits is met once more."""
        self._unmet = set(self._waits)

    def forget_unmet(self) -> None:
        """All was met; what was not is waited for by nothing any more."""
        for key in self._unmet:
            self._waits.pop(key, None)
        self._unmet.clear()

    def due(self, limit: int) -> tuple[Key, ...]:
        """Keys that are to be asked for now; each of them is due again after a longer pause."""
        now = self._clock.monotonic()
        if now < self._next:
            return ()
        found = [key for key, wait in self._waits.items() if wait.at <= now][:limit]
        for key in found:
            wait = self._waits[key]
            wait.pause = min(wait.pause * GROWTH, LONGEST_PAUSE)
            wait.at = now + wait.pause
        self._next = min((wait.at for wait in self._waits.values()), default=now + FIRST_PAUSE)
        return tuple(found)

    def not_sought(self, keys: Sequence[Key]) -> None:
        """They could not be asked for: as if it had not been tried, a little later."""
        at = self._clock.monotonic() + FIRST_PAUSE
        for key in keys:
            if key in self._waits:
                self._waits[key] = Wait(at=at, pause=FIRST_PAUSE)
        self._next = min(self._next, at)
