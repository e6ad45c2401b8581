"""Work that is done in rounds: to go on, to say what stops it, to be cancelled, to stand still."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import structlog

from bridge.errors import MunimentError
from bridge.protocols import Clock


class Rounds(ABC):
    """Does a round, waits, does the next, until cancelled.

    A round that fails with an error of ours is tried again at the next one: what it did not do is
    where it was. A round MUST therefore be safe to repeat after any of its steps. What nobody
    expected goes up to supervision.
    """

    failing: ClassVar[str]
    """The event that is logged, once for each new failure."""

    finding = ""
    """What the last round found wrong though it did not fail; a round MAY set it."""

    def __init__(self, *, clock: Clock, seconds: float) -> None:
        """``seconds`` lie between two rounds."""
        self._clock = clock
        self._seconds = seconds
        self._failure = ""

    @property
    def health(self) -> str:
        """What is in the way, in a sentence; empty: nothing is."""
        return self._failure or self.finding

    @abstractmethod
    async def round(self) -> None:
        """One round.

        Raises:
            MunimentError: it could not be done, or not to its end.
        """

    async def run(self) -> None:
        """Do round after round until cancelled."""
        while True:
            try:
                await self.round()
                self._failure = ""
            except MunimentError as error:
                self._note(error)
            await self._clock.sleep(self._seconds)

    def _note(self, error: MunimentError) -> None:
        if self._failure != str(error):
            log = structlog.get_logger(type(self).__module__)
            log.warning(self.failing, what=str(error), hint=error.hint)
        self._failure = str(error)


class Turns:
    """By when a loop is to go on. Only a restart helps one that does not.

    A loop MUST say before it waits how long that may take at most, while all is well as while
    somebody else is away: only what nobody foresaw makes it overdue.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: float | None = None

    def next_within(self, seconds: float) -> None:
        """It goes on now, and again within this time."""
        self._due = self._clock.monotonic() + seconds

    @property
    def overdue(self) -> float:
        """For how many seconds it should have gone on; 0 where it is in time or never began."""
        return 0.0 if self._due is None else max(self._clock.monotonic() - self._due, 0.0)
