"""What a command asks of a running ``run``, or does itself under its lock."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

from bridge.app.adapters import lock_data_dir, open_journal, open_office
from bridge.errors import ConfigError
from bridge.protocols import Clock, Request
from bridge.reconcile import FILE, Advance, Outcome, Progress, read_progress
from config.settings import Settings

LOOK_SECONDS = 0.5
WAITING = "waiting for `muniment run` to take it up"

Show = Callable[[Progress], None]
"""Is given how far it is, now and then."""

T = TypeVar("T", bound=Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand(Generic[T]):
    """A request, how its end is read, and how it is done without a running ``run``."""

    request: Request
    ended: Callable[[Progress], T | None]
    here: Callable[[Advance], Awaitable[T]]


async def fulfil(settings: Settings, errand: Errand[T], *, show: Show, clock: Clock) -> T:
    """Have it done: by a running ``run``, since it alone writes what is in the data directory.

    If that ends before the request is done, or none runs, this process takes the lock and does it.

    Raises:
        ConfigError: what waiting cannot mend.
        JournalError: office or journal cannot be used.
    """
    number = 0
    lock = await asyncio.to_thread(_free_lock, settings)
    if lock is None:
        office = await open_office(settings)
        try:
            number = await office.ask(errand.request)
        finally:
            await office.aclose()
        answer = await _watched(settings, number, errand, show, clock)
        if isinstance(answer, Outcome):
            return answer
        lock = answer
    try:
        outcome = await _done_here(number, errand, show, clock)
        await _take(settings, number, clock)
    finally:
        lock.close()
    return outcome


def _free_lock(settings: Settings) -> IO[bytes] | None:
    """The lock of the data directory, or None where another process has it.

    Raises:
        ConfigError: the data directory cannot be used.
    """
    try:
        return lock_data_dir(settings)
    except ConfigError:
        if _is_held(settings.service.data_dir / "run.lock"):
            return None
        raise


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def _watched(
    settings: Settings, number: int, errand: Errand[T], show: Show, clock: Clock
) -> T | IO[bytes]:
    """What the running process says became of it; or its lock, once it ended without doing it."""
    file = settings.service.data_dir / FILE
    since = errand.request.at.isoformat()
    lock = None
    while True:
        written = await asyncio.to_thread(read_progress, file)
        progress = None if written is None else written.of(number, since=since)
        outcome = None if progress is None else errand.ended(progress)
        if outcome is not None:
            if lock is not None:
                lock.close()
            return outcome
        if lock is not None:
            return lock
        show(progress or Progress(number=number, at=since, phase=WAITING))
        lock = await asyncio.to_thread(_free_lock, settings)
        if lock is None:  # else its last word is read once more
            await clock.sleep(LOOK_SECONDS)


async def _done_here(number: int, errand: Errand[T], show: Show, clock: Clock) -> T:
    """Under the lock, with parts of our own."""
    advance = Advance()

    async def showing() -> None:
        while True:
            show(
                Progress(
                    number=number,
                    at=clock.now().isoformat(),
                    phase=advance.phase,
                    done=advance.done,
                    total=advance.total,
                    resting=advance.resting,
                )
            )
            await clock.sleep(LOOK_SECONDS)

    shown = asyncio.create_task(showing())
    try:
        return await errand.here(advance)
    finally:
        shown.cancel()
        await asyncio.gather(shown, return_exceptions=True)


async def _take(settings: Settings, number: int, clock: Clock) -> None:
    """The next ``run`` MUST NOT do again what it was asked for and we did."""
    if not number:
        return
    journal = await open_journal(settings, clock)
    try:
        if number > await journal.requests_taken():
            await journal.take_request(number)
    finally:
        await journal.aclose()
