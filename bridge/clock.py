"""The machine's clocks: the tree's only ``datetime.now``."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from bridge.protocols import Clock


class SystemClock:
    """See :class:`bridge.protocols.Clock`."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def _conforms(clock: SystemClock) -> Clock:
    return clock
