"""A loop that fails is started again; a stop is never swallowed."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConfigError
from bridge.supervise import LONGEST_PAUSE, Loops, keep_running
from tests.fakes.clock import FakeClock
from tests.unit.bridge.house import stopped, until


class _Loop:
    """A loop that ends as it is told to each time it is started, and then runs on."""

    def __init__(self, *ends: BaseException | None, lasts: float = 0.0) -> None:
        self.clock = FakeClock()
        self.ends = list(ends)
        self.lasts = lasts
        self.starts = 0
        self.stopped = 0

    async def run(self) -> None:
        self.starts += 1
        self.clock.advance(self.lasts)
        if self.ends:
            end = self.ends.pop(0)
            if end is not None:
                raise end
            return
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped += 1


async def _supervised(loop: _Loop, starts: int) -> None:
    running = asyncio.create_task(keep_running("test", loop.run, clock=loop.clock))
    await until(lambda: loop.starts == starts)
    await stopped(running)


@pytest.mark.parametrize("end", [None, ConfigError("x"), ValueError("x"), AssertionError("x")])
async def test_a_loop_that_ends_is_started_again(end: Exception | None) -> None:
    """Whether it returns, fails as expected or fails as nobody expected."""
    loop = _Loop(end, end)
    await _supervised(loop, 3)
    assert loop.clock.slept == [1, 2]
    assert loop.stopped == 1


async def test_pauses_grow_to_a_bound_and_begin_anew() -> None:
    """A loop that fails at once waits longer each time; one that ran for long does not."""
    loop = _Loop(*(ValueError() for _ in range(8)))
    await _supervised(loop, 9)
    assert loop.clock.slept == [1, 2, 4, 8, 16, 32, 60, 60]
    lasting = _Loop(*(ValueError() for _ in range(3)), lasts=LONGEST_PAUSE + 1)
    await _supervised(lasting, 4)
    assert lasting.clock.slept == [1, 1, 1]


async def test_a_stop_ends_the_loop_wherever_it_is() -> None:
    """Cancelling while the loop runs, or while it waits to be started again, ends it."""
    loop = _Loop()
    running = asyncio.create_task(keep_running("test", loop.run, clock=loop.clock))
    await until(lambda: loop.starts == 1)
    await stopped(running)
    assert (loop.starts, loop.stopped) == (1, 1)

    failing = _Loop(*(ValueError() for _ in range(10)))
    failing.clock = FakeClock(waiting=True)
    waiting = asyncio.create_task(keep_running("test", failing.run, clock=failing.clock))
    await until(lambda: failing.clock.next_wake is not None)
    await stopped(waiting)
    assert failing.starts == 1


@pytest.mark.parametrize("end", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(2)])
async def test_what_ends_a_process_is_not_a_failure(end: BaseException) -> None:
    """Cancellation from inside, an interrupt or an exit passes through."""
    loop = _Loop(end)
    with pytest.raises(type(end)):
        await keep_running("test", loop.run, clock=loop.clock)
    assert loop.starts == 1


async def test_the_logging_names_code_and_never_content() -> None:
    """An unexpected failure is logged by its type and place, without its words."""
    loop = _Loop(ValueError("what the minister wrote"))
    with capture_logs() as logs:
        await _supervised(loop, 2)
    (line,) = logs
    assert (line["event"], line["loop"], line["error"]) == ("loop_failed", "test", "ValueError")
    assert "test_supervise.py:" in line["at"]
    assert "minister" not in str(logs)


async def test_an_expected_failure_brings_its_hint() -> None:
    """An error of the tree is logged with its fact and its remedy."""
    loop = _Loop(ConfigError("the fact", hint="the remedy"))
    with capture_logs() as logs:
        await _supervised(loop, 2)
    (line,) = logs
    assert (line["what"], line["hint"]) == ("the fact", "the remedy")


async def test_loops_are_stopped_by_name_or_all() -> None:
    """Named loops end and are awaited; the others run until all are stopped."""
    one, two, three = _Loop(), _Loop(), _Loop()
    loops = Loops(FakeClock())
    for name, loop in (("one", one), ("two", two), ("three", three)):
        loops.start(name, loop.run)
    await until(lambda: one.starts + two.starts + three.starts == 3)
    await loops.stop("two")
    assert (one.stopped, two.stopped, three.stopped) == (0, 1, 0)
    await loops.stop()
    assert (one.stopped, two.stopped, three.stopped) == (1, 1, 1)
    await loops.stop()


async def test_loops_that_were_never_started_are_passed_by() -> None:
    """A start that was refused halfway can be undone without another error."""
    loop = _Loop()
    loops = Loops(FakeClock())
    loops.start("one", loop.run)
    await until(lambda: loop.starts == 1)
    await loops.stop("never", "one")
    assert loop.stopped == 1
    await loops.stop("never")


async def test_restarts_are_counted_by_loop() -> None:
    """Each failure counts; a loop that never failed stands at 0."""
    failing, fine = _Loop(ValueError(), ConfigError("x")), _Loop()
    loops = Loops(failing.clock)
    loops.start("failing", failing.run)
    loops.start("fine", fine.run)
    await until(lambda: failing.starts == 3)
    assert loops.restarts == {"failing": 2, "fine": 0}
    await loops.stop()
