"""The time that a request may take in all."""

from __future__ import annotations

import pytest

from storage.objects.s3_pace import Pace, Patience, paced
from tests.fakes.clock import FakeClock

PATIENCE = Patience(seconds=30, rate=1000)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()


def test_each_use_may_take_what_is_left(clock: FakeClock) -> None:
    """A request's time begins with its first use of the network, and runs out."""
    pace = Pace(PATIENCE, clock.monotonic)
    clock.advance(100)
    assert pace.allowance() == 30
    clock.advance(29)
    assert pace.allowance() == 1
    clock.advance(1)
    assert not pace.over
    with pytest.raises(TimeoutError):
        pace.allowance()
    assert pace.over


def test_what_moves_earns_time(clock: FakeClock) -> None:
    """A large body has time by its size, and no silence in it may be longer than a small one's."""
    pace = Pace(PATIENCE, clock.monotonic)
    for _ in range(100):
        assert pace.allowance() == 30
        pace.moved(30_000)
        clock.advance(30)
    assert not pace.over


def test_a_trickle_does_not_earn_enough(clock: FakeClock) -> None:
    """One byte a second keeps nobody waiting for longer than silence does."""
    pace = Pace(PATIENCE, clock.monotonic)
    for _ in range(31):
        pace.allowance()
        pace.moved(1)
        clock.advance(1)
    with pytest.raises(TimeoutError):
        pace.allowance()
    assert pace.taken == "31 s and 31 bytes"


def test_a_request_within_another_shares_its_time(clock: FakeClock) -> None:
    """What is read from the store to be put into it has no time of its own."""
    with paced(PATIENCE, clock.monotonic) as outer:
        with paced(PATIENCE, clock.monotonic) as inner:
            assert inner is outer
        with paced(PATIENCE, clock.monotonic) as again:
            assert again is outer
    with paced(PATIENCE, clock.monotonic) as later:
        assert later is not outer
