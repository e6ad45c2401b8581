"""Counts for those who ask often, and the totals that are kept while their entries move."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import aiosqlite
import msgspec

from bridge.protocols import Counts, StoredProof
from storage.journal.committer import Transaction, fetch, translated
from storage.journal.core import JournalCore, as_json
from storage.journal.rows import from_ms, to_ms

RESTRICTED = "total_restricted"


class TotalsRow(msgspec.Struct, array_like=True, frozen=True):
    """What there ever was. Entries and gaps are numbered from 1 and never removed."""

    seen: int
    gaps: int
    leaves: int
    stored: int
    late: int
    restricted: int


async def begin_counting(connection: aiosqlite.Connection) -> None:
    """Have the totals stand in the file. Crash before the commit: counted at the next start.

    Raises:
        JournalUnavailableError: they cannot be written.
    """
    try:
        if (await fetch(connection, "counts_begun", int, ()))[0] == 0:
            await Transaction(connection).run("counts_begin")
    except sqlite3.Error as error:
        raise translated(error) from error


async def count_storing(transaction: Transaction, proofs: Sequence[StoredProof]) -> None:
    """Count what these receipts, which are written next, store for the first time."""
    await transaction.run("counts_storing", as_json([proof.seq for proof in proofs]))
    late = [proof.seq for proof in proofs if proof.late_ms is not None]
    if late:
        await transaction.run("counts_storing_late", as_json(late))


class CountingVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def counts(self, *, now: datetime) -> Counts:
        """Each from an index that holds nothing but what is counted, or from a kept total."""
        (total,) = await self._rows("counts_totals", TotalsRow)
        ((reviews, oldest_review),) = await self._rows("counts_reviews", tuple[int, int | None])
        ((shut, oldest_shut),) = await self._rows("counts_encrypted", tuple[int, int | None])
        return Counts(
            seen=total.seen,
            stored=total.stored,
            late=total.late,
            gaps=total.gaps,
            restricted=total.restricted,
            leaves=total.leaves,
            waiting=tuple(await self._rows("counts_waiting", tuple[str, int])),
            overdue=(await self._rows("tally_overdue", int, to_ms(now)))[0],
            downloads=(await self._rows("counts_downloads", int))[0],
            reviews=reviews,
            oldest_review=None if oldest_review is None else from_ms(oldest_review),
            encrypted=shut,
            oldest_encrypted=None if oldest_shut is None else from_ms(oldest_shut),
            undecryptable=(await self._rows("counts_undecryptable", int))[0],
            unsplit=(await self._rows("tally_unsplit", int))[0],
        )
