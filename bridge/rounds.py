"""Work that is done in rounds: one way to go on, to say what stops it, and to be cancelled."""

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
