"""How long things took lately, and since the start."""

from __future__ import annotations

from datetime import timedelta

from bridge.delays import LATELY, MEASURED, Delays, Distribution
from tests.fakes.clock import FakeClock


def test_nobody_knows_before_something_was_measured() -> None:
    """Without a measurement there is no answer."""
    delays = Delays(FakeClock())
    assert delays.slow_end is delays.middle is None


def test_the_slow_end_is_what_nine_of_ten_do_not_exceed() -> None:
    """One slow exception among many does not count, a tenth of them does."""
    delays = Delays(FakeClock())
    for seconds in (*[1.0] * 19, 50.0):
        delays.note(seconds)
    assert delays.slow_end == timedelta(seconds=1)
    delays.note(60.0)
    delays.note(60.0)
    assert delays.slow_end == timedelta(seconds=50)


def test_the_middle_is_what_half_do_not_exceed() -> None:
    """Of an even number it is the slower one of the two in the middle."""
    delays = Delays(FakeClock())
    for seconds in (50.0, 1.0, 2.0):
        delays.note(seconds)
    assert delays.middle == timedelta(seconds=2)
    delays.note(3.0)
    assert delays.middle == timedelta(seconds=3)


def test_what_is_long_past_tells_nothing() -> None:
    """An outage is forgotten some minutes after its end, and old measurements make room."""
    clock = FakeClock()
    delays = Delays(clock)
    delays.note(2400.0)
    clock.advance(LATELY + 1)
    assert delays.slow_end is None
    for _ in range(MEASURED):
        delays.note(2.0)
    assert delays.slow_end == timedelta(seconds=2)


def test_a_distribution_counts_what_came_to_no_more_than_each_bound() -> None:
    """Sums up to each bound, the bound itself included, and last all that there are."""
    measured = Distribution((0.0, 1.0, 5.0))
    for value in (-2.0, 0.0, 1.0, 1.5, 9.0):
        measured.note(value)
    assert measured.upto == ((0.0, 2), (1.0, 3), (5.0, 4), (float("inf"), 5))
    assert measured.total == 9.5


def test_an_empty_distribution_counts_nothing() -> None:
    """All zero."""
    assert Distribution((1.0,)).upto == ((1.0, 0), (float("inf"), 0))
