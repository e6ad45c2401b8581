"""Counts for those who ask often: here always by looking at every row."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols import Counts, DownloadState
from tests.fakes.journal.core import AT_WORK, MemoryCore
from tests.fakes.journal.rows import to_millisecond


class CountingVerbs(MemoryCore):
    """See :class:`bridge.protocols.Journal`."""

    async def counts(self, *, now: datetime) -> Counts:
        """The counts of this moment."""
        self._require_open()
        rows = list(self._rows.values())
        reviews = [
            row.received_at
            for row in rows
            if row.state is EntryState.STORED
            and row.verdict is not None
            and row.verdict.outcome is Outcome.REVIEW
            and not row.opened_beside
        ]
        shut = [(row.received_at, row.shut.gave_up) for row in self._shut() if row.shut is not None]
        waiting = [at for at, gave_up in shut if not gave_up]
        orders = self._orders.values()
        counts = Counts(
            seen=len(rows),
            stored=sum(row.stored_at is not None for row in rows),
            late=sum(row.late_ms is not None for row in rows),
            gaps=len(self._gaps),
            restricted=self._restricted,
            leaves=len(self.log),
            waiting=tuple(
                sorted(Counter(row.state.value for row in rows if row.state in AT_WORK).items())
            ),
            overdue=sum(row.state in AT_WORK and row.safe_by < to_millisecond(now) for row in rows),
            downloads=sum(order.state is DownloadState.WAITING for order in orders),
            reviews=len(reviews),
            oldest_review=min(reviews, default=None),
            encrypted=len(waiting),
            oldest_encrypted=min(waiting, default=None),
            undecryptable=sum(gave_up for _, gave_up in shut),
            unsplit=len(self._bodies),
        )
        await self._turn()
        return counts
