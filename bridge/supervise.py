"""Running the loops: one that fails is started again, a signal stops them in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import structlog

from bridge.errors import MunimentError
from bridge.protocols import Clock

log = structlog.get_logger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
REMEMBERED = 300.0


Loop: TypeAlias = Callable[[], Awaitable[None]]
"""Runs until it is cancelled."""


async def keep_running(
    name: str,
    loop: Loop,
    *,
    clock: Clock,
    failed: Callable[[str], None] = lambda _: None,
) -> None:
    """Run ``loop`` until cancelled; start it again when it ends or fails.

    A loop that fails on what it did not expect must not take the recording of other groups with
    it. What it held is in the journal and is taken up by its next start. ``failed`` is told each
    failure in a sentence without content.
    """
    pause = FIRST_PAUSE
    while True:
        began = clock.monotonic()
        try:
            await loop()
        except MunimentError as error:
            failed(str(error))
            log.warning("loop_failed", loop=name, what=str(error), hint=error.hint)
        except Exception as error:
            # Broad on purpose, see above. The traceback names code, never content.
            failed(f"The loop {name} failed ({type(error).__name__}) and was started again.")
            log.error("loop_failed", loop=name, error=type(error).__name__, at=_where(error))  # noqa: TRY400
        if clock.monotonic() - began > LONGEST_PAUSE:
            pause = FIRST_PAUSE
        await clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _where(error: BaseException) -> str:
    """File names and lines of the failure; exception texts may hold content and stay out."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places[-6:])


class Loops:
    """Named tasks that are stopped in the order in which they must stop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, tuple[float, str]] = {}
        self._restarts: dict[str, int] = {}

    @property
    def restarts(self) -> Mapping[str, int]:
        """How often each loop, by its name, was started again."""
        return dict(self._restarts)

    def failures(self) -> tuple[str, ...]:
        """What failed within the last minutes: a loop that failed may fail again."""
        since = self._clock.monotonic() - REMEMBERED
        return tuple(what for at, what in self._failures.values() if at >= since)

    def start(self, name: str, loop: Loop) -> None:
        """Run a loop under supervision."""

        def failed(what: str) -> None:
            self._failures[name] = (self._clock.monotonic(), what)
            self._restarts[name] += 1

        self._restarts.setdefault(name, 0)
        self._tasks[name] = asyncio.create_task(
            keep_running(name, loop, clock=self._clock, failed=failed), name=name
        )

    async def stop(self, *names: str) -> None:
        """Cancel these loops, or all, and wait for their end; one that never began is passed by."""
        chosen = [
            self._tasks.pop(name) for name in (names or list(self._tasks)) if name in self._tasks
        ]
        for task in chosen:
            task.cancel()
        await asyncio.gather(*chosen, return_exceptions=True)
