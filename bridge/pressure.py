"""What gives way when there is too much to do, in which order, and who is told.

Texts come before everything: what is heavy steps aside first, and comes back when there is room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import structlog

from bridge.errors import MunimentError
from bridge.model import GroupState
from bridge.notices import degraded_text, recovered_text
from bridge.protocols import Clock, Journal, Spool
from bridge.sayings import is_told, saying

log = structlog.get_logger(__name__)

ACTIVE = GroupState.ACTIVE
ROUND_SECONDS = 1.0
SAY_FOR = timedelta(minutes=10)
"""How long a sentence about the spool is worth saying."""


class Measure(StrEnum):
    """What may give way, in the order in which it does."""

    LIVE_FIRST = "live_first"
    """Verification and back-fill wait."""
    NO_WAITING = "no_waiting"
    """No message waits for a slow classifier: it becomes ``review``."""
    TEXTS_FIRST = "texts_first"
    """No attachment is fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How full the spool is (0 to 1), and seconds that the oldest message waits for triage."""

    spool: float
    lag: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From which load a measure is taken. Left again at half the lag, or a little less fill."""

    lag: float
    spool: float | None = None

    def reached(self, load: Load, *, taken: bool) -> bool:
        """Whether the measure is to hold, ``taken`` saying whether it does now."""
        if load.lag >= (self.lag / 2 if taken else self.lag):
            return True
        return self.spool is not None and load.spool >= self.spool - (EASED if taken else 0.0)


EASED = 0.05
"""How far below a threshold the fill must come before that threshold counts as left."""

LADDER: dict[Measure, Threshold] = {
    Measure.LIVE_FIRST: Threshold(lag=5.0),
    Measure.NO_WAITING: Threshold(lag=10.0),
    Measure.TEXTS_FIRST: Threshold(lag=20.0, spool=0.9),
}
MARKS = (0.5, 0.75, 0.9)
"""Fills of the spool at which operators and groups are told."""


def measures_for(load: Load, *, taken: frozenset[Measure]) -> frozenset[Measure]:
    """What is to give way under ``load``. A full spool stops attachments alone."""
    return frozenset(
        measure
        for measure, threshold in LADDER.items()
        if threshold.reached(load, taken=measure in taken)
    )


def mark_of(fill: float, *, before: float) -> float:
    """The highest threshold that the fill has reached, or has not yet left; 0 for none."""
    return max((m for m in MARKS if fill >= m - (EASED if m <= before else 0.0)), default=0.0)


class Pressure:
    """One loop that looks at the load and has the other parts make way."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        clock: Clock,
        lag: Callable[[], float],
        take: Callable[[frozenset[Measure]], None],
        sweep: Callable[[], Awaitable[None]],
        language: str = "en",
    ) -> None:
        """``take`` puts measures in force; ``sweep`` drops spool files that no entry needs."""
        self._journal = journal
        self._spool = spool
        self._clock = clock
        self._lag = lag
        self._take = take
        self._sweep = sweep
        self._language = language
        self._mark = 0.0
        self._told: set[float] = set()
        self.fill = 0.0
        self.measures: frozenset[Measure] = frozenset()
        self.health = ""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.round()
            except MunimentError as error:
                log.warning("pressure_not_known", what=str(error), hint=error.hint)
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Measure once, and do what follows.

        Nothing of this is remembered across a crash: the next start measures anew and tells anew.
        """
        load = Load(spool=await self._spool.fill(), lag=self._lag())
        self.fill = load.spool
        measures = measures_for(load, taken=self.measures)
        if measures != self.measures:
            log.warning("making_way", measures=sorted(measures), lag=round(load.lag, 1))
            self.measures = measures
            self._take(measures)
        await self._tell(load.spool)

    async def _tell(self, fill: float) -> None:
        """Say each threshold once on the way up, and once when all is well again."""
        before, mark = self._mark, mark_of(fill, before=self._mark)
        if mark == before:
            return
        self._mark = mark
        percent = round(mark * 100)
        self.health = (
            f"The room for attachments is more than {percent} % full: they wait for the store, or"
            " were discarded and are not forgotten yet."
            if mark
            else ""
        )
        if mark > before:
            await self._sweep()
        if mark > before and mark not in self._told:
            self._told.add(mark)
            text = degraded_text(percent, language=self._language)
            await self._say(text, f"degraded-{percent}")
        elif not mark:
            self._told.clear()
            await self._say(recovered_text(language=self._language), "recovered")

    async def _say(self, text: str, what: str) -> None:
        """Have every group that is recorded told."""
        now = self._clock.now()
        told = [g for g in await self._journal.groups() if is_told(g) and g.state is ACTIVE]
        until = now + SAY_FOR
        await self._journal.say(
            [saying(group, text, what=what, at=now, until=until) for group in told]
        )
