"""Time, passed in."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall clock for deadlines and records, monotonic clock for waiting."""

    def now(self) -> datetime:
        """The time in UTC. MUST be aware; MAY step backwards when the machine's clock is set."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. MUST NOT go backwards."""

    async def sleep(self, seconds: float) -> None:
        """Wait at least ``seconds``."""
