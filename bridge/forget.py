"""Step 9 as a loop: destroy what was discarded, once its time and its context window are over."""

from __future__ import annotations

from datetime import timedelta

import structlog

from bridge.errors import MunimentError
from bridge.protocols import Clock, Journal, Spool

log = structlog.get_logger(__name__)

ROUND_SECONDS = 300.0
AT_ONCE = 1000


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
        before = self._clock.now() - self._age
        names = await self._journal.forget(discarded_before=before, limit=AT_ONCE)
        await self._spool.remove(frozenset(names))
