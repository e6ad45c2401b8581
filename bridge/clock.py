"""The machine's clocks: the tree's only ``datetime.now``."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from bridge.protocols import Clock

AWAKE_AND_ASLEEP: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux counts sleep in a clock of its own, macOS does in the monotonic one."""


class SystemClock:
    """See :class:`bridge.protocols.Clock`."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, those in which the machine slept among them.

        A laptop that was shut hears no platform: the silence has its whole length.
        """
        return time.clock_gettime(AWAKE_AND_ASLEEP)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def _conforms(clock: SystemClock) -> Clock:
    return clock
