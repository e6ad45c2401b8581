"""The clock that tests and simulations go by."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.fakes.clock import START, FakeClock


async def test_a_sleep_moves_both_clocks() -> None:
    """By default a sleep takes no time but the clock's own."""
    clock = FakeClock(monotonic=5.0)
    await clock.sleep(90)
    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=90), 95.0)
    assert clock.slept == [90]


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    """A waiting clock wakes whose time has come, in the order of the times, then of arrival."""
    clock = FakeClock(waiting=True)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("c", 3.0), ("a", 1.0), ("d", 3.0), ("b", 2.0)):
            tasks.create_task(sleeper(name, seconds))
        await asyncio.sleep(0)
        clock.advance(0.5)
        await asyncio.sleep(0)
        assert woken == []
        assert clock.next_wake == 0.5
        clock.advance(10)
    assert woken == ["a", "b", "c", "d"]
    assert not clock.advance_to_next()


async def test_a_cancelled_sleeper_is_passed_over() -> None:
    """Moving to the next wake-up never stops for somebody who is gone."""
    clock = FakeClock(waiting=True)
    gone = asyncio.create_task(clock.sleep(1))
    there = asyncio.create_task(clock.sleep(7))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert clock.advance_to_next()
    await there
    assert clock.now() == START + timedelta(seconds=7)


def test_the_wall_clock_may_be_set_back() -> None:
    """Setting the wall clock leaves the monotonic one alone, which never goes back."""
    clock = FakeClock()
    before = clock.monotonic()
    clock.set_wall(START - timedelta(days=1))
    assert (clock.now(), clock.monotonic()) == (START - timedelta(days=1), before)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
