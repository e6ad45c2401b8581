"""Step 9 as a loop: destroy what was discarded, once its time and its context window are over.

A wall clock that is wrong when the machine starts must not make everything old at once: it has a
day to be put right. Until then time counts from the moment at which the process before this one
last heard a platform, as far as it passed here; what is destroyed late is destroyed soon after.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bridge.errors import MunimentError
from bridge.protocols import Clock, Journal, Spool

log = structlog.get_logger(__name__)

ROUND_SECONDS = 300.0
AT_ONCE = 1000
GRACE = timedelta(days=1)
"""How long a stop is believed to have lasted at most, until the process has run for as long."""


class Forget:
    """Destroys payload, record and files of old discards. Their leaves stay as tombstones."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        clock: Clock,
        discard_after: timedelta,
        context_window: timedelta,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._clock = clock
        self._age = max(discard_after, context_window)
        self._began = clock.monotonic()
        self._heard_before: datetime | None = None
        self.health = ""

    async def run(self) -> None:
        """Forget at start, then every few minutes."""
        while True:
            try:
                await self.round()
                self.health = ""
            except MunimentError as error:
                self.health = str(error)
                log.warning("not_forgetting", what=str(error), hint=error.hint)
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Destroy what is due.

        (9a) Content goes from the journal, then from its write-ahead log. (9b) Spool files go.
        Crash between: the files are no longer needed by any entry and go at the next start.
        """
        until = await self._passed()
        if until is None:
            return
        before = until - self._age
        names = await self._journal.forget(discarded_before=before, limit=AT_ONCE)
        await self._spool.remove(frozenset(names))

    async def _passed(self) -> datetime | None:
        """The time that has come for sure; None where nothing tells of any."""
        here = timedelta(seconds=self._clock.monotonic() - self._began)
        if self._heard_before is None:
            self._heard_before = await self._last_heard()
        known = [] if self._heard_before is None else [self._heard_before + GRACE + here]
        if here >= GRACE:
            heard = await self._last_heard()
            known.append(heard + GRACE if heard is not None else self._clock.now())
        return min(self._clock.now(), max(known)) if known else None

    async def _last_heard(self) -> datetime | None:
        """When any platform was last heard, as far as groups tell of connectors."""
        names = {group.connector for group in await self._journal.groups()}
        heard = [await self._journal.last_heard(name) for name in sorted(names)]
        return max((at for at in heard if at is not None), default=None)
