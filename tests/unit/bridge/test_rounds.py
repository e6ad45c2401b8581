"""Work that is done in rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from bridge.errors import JournalUnavailableError
from bridge.rounds import Rounds, Turns
from tests.fakes.clock import FakeClock
from tests.unit.bridge.house import stopped, until

_SECONDS = 5.0


class _Counting(Rounds):
    """Does in each round what it is told, then notes how it stands."""

    failing = "not_counting"

    def __init__(self, clock: FakeClock, *rounds: Callable[[_Counting], None]) -> None:
        super().__init__(clock=clock, seconds=_SECONDS)
        self._rounds = list(rounds)
        self.seen: list[str] = []

    async def round(self) -> None:
        """The next of its rounds; the last one again and again."""
        self.seen.append(self.health)
        (self._rounds.pop(0) if len(self._rounds) > 1 else self._rounds[0])(self)


def _fine(_: _Counting) -> None:
    """A round that does what it should."""


def _full(_: _Counting) -> None:
    raise JournalUnavailableError("The disk is full.")


def _locked(_: _Counting) -> None:
    raise JournalUnavailableError("The file is locked.")


async def _run(*rounds: Callable[[_Counting], None]) -> _Counting:
    clock = FakeClock()
    counting = _Counting(clock, *rounds)
    running = asyncio.create_task(counting.run())
    await until(lambda: len(counting.seen) > len(rounds))
    await stopped(running)
    assert set(clock.slept) == {_SECONDS}
    return counting


async def test_its_health_tells_of_a_failure_until_a_round_succeeds() -> None:
    """It goes on after each of them, at the same pace."""
    counting = await _run(_full, _locked, _fine)
    assert counting.seen[:4] == ["", "The disk is full.", "The file is locked.", ""]


async def test_a_failure_that_lasts_is_logged_once() -> None:
    """Another one, or the same after a success, is logged anew."""
    with capture_logs() as logged:
        await _run(_full, _full, _locked, _fine, _locked, _fine)
    told = [each["what"] for each in logged if each["event"] == "not_counting"]
    assert told == ["The disk is full.", "The file is locked.", "The file is locked."]


async def test_what_a_round_finds_wrong_is_told_while_it_is_so() -> None:
    """A failure comes before it, since then nobody knows."""

    def finds(counting: _Counting) -> None:
        counting.finding = "2 are missing."

    def finds_none(counting: _Counting) -> None:
        counting.finding = ""

    counting = await _run(finds, _full, _fine, finds_none, _fine)
    told = ["2 are missing.", "The disk is full.", "2 are missing.", ""]
    assert counting.seen[1:5] == told


async def test_what_nobody_expected_goes_up() -> None:
    """Supervision starts it again, and tells."""

    def breaks(_: _Counting) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await _Counting(FakeClock(), breaks).run()


def test_who_never_began_is_never_overdue() -> None:
    """Nobody said by when it goes on."""
    clock = FakeClock()
    turns = Turns(clock)
    clock.advance(1e6)
    assert turns.overdue == 0


def test_who_does_not_go_on_as_it_said_is_overdue() -> None:
    """From the moment at which it should have; each turn is another promise."""
    clock = FakeClock()
    turns = Turns(clock)
    turns.next_within(10)
    clock.advance(10)
    assert turns.overdue == 0
    clock.advance(3)
    assert turns.overdue == 3
    turns.next_within(1)
    assert turns.overdue == 0
