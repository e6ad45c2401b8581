"""The machine's clocks: the monotonic one goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import pytest

from bridge.clock import AWAKE_AND_ASLEEP, SystemClock


def test_sleep_of_the_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shut laptop is silent for as long as it was shut, not for as long as it ran."""
    if sys.platform == "linux":
        assert time.CLOCK_BOOTTIME == AWAKE_AND_ASLEEP
    monkeypatch.setattr(time, "clock_gettime", {AWAKE_AND_ASLEEP: 28_800.5}.__getitem__)
    assert SystemClock().monotonic() == 28_800.5


async def test_time_goes_on() -> None:
    """Both clocks move forward by what was waited; the wall clock is in UTC."""
    clock = SystemClock()
    now, before = clock.now(), clock.monotonic()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now() > now
    assert now.utcoffset() == timedelta(0)
