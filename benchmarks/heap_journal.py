"""A journal of sealed entries on heaps: the verbs that the writer needs, and no others.

It claims in the order that :class:`bridge.protocols.Journal` promises, which a test compares with
the journal in memory of the contract suite; a claim costs it the same however much waits.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bridge.lifecycle import EntryState
from bridge.protocols import Clock, Entry, StoredProof
from tests.fakes.journal import MemoryJournal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = 1 << 62


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@dataclass(slots=True, kw_only=True, eq=False)
class _Row:
    """An entry. What a heap holds of it counts only while ``place`` is still the same."""

    entry: Entry
    safe_by: int
    expires_at: int
    next_try: int = 0
    place: int = 0


class _Heap:
    """Rows by a number, then by ``seq``; those that have gone elsewhere are passed over."""

    def __init__(self, number: Callable[[_Row], int]) -> None:
        self._number = number
        self._heap: list[tuple[int, int, int, _Row]] = []

    def push(self, row: _Row) -> None:
        """Add a row as it stands now."""
        heapq.heappush(self._heap, (self._number(row), row.entry.seq, row.place, row))

    def first(self, below: int = _NEVER) -> _Row | None:
        """The least, if its number is less than ``below``."""
        heap = self._heap
        while heap and heap[0][3].place != heap[0][2]:
            heapq.heappop(heap)
        return heap[0][3] if heap and heap[0][0] < below else None


class HeapJournal(MemoryJournal):
    """See :class:`bridge.protocols.Journal`. Entries come by :meth:`add`, sealed already.

    A row stands in one place: with the writer, put off, hopeless, or, on two heaps, feasible.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock, random_bytes=bytes, blind_key=bytes(32))
        self._leased_rows: dict[int, _Row] = {}
        self._put_off = _Heap(lambda row: row.next_try)
        self._by_expiry = _Heap(lambda row: row.expires_at)
        self._by_safe_by = _Heap(lambda row: row.safe_by)
        self._hopeless = _Heap(lambda row: row.safe_by)
        self._hopeless_by_hope = _Heap(lambda row: -row.expires_at)
        self.proofs: list[StoredProof] = []

    def add(self, entry: Entry) -> None:
        """It was sealed, and may be tried."""
        expires_at = _NEVER if entry.expires_at is None else _ms(entry.expires_at)
        self._ready(_Row(entry=entry, safe_by=_ms(entry.safe_by), expires_at=expires_at))
        self._signal(EntryState.SEALED)

    def _ready(self, row: _Row) -> None:
        row.place += 1
        self._by_expiry.push(row)
        self._by_safe_by.push(row)

    async def claim(
        self,
        state: EntryState,
        *,
        now: datetime,
        limit: int,
        feasible: datetime | None = None,
        pressing: datetime | None = None,
    ) -> tuple[Entry, ...]:
        """Lease entries, lane by lane; this journal has none but sealed ones."""
        if state is not EntryState.SEALED:
            raise ValueError("this journal has sealed entries alone")
        self._arrived[state].clear()
        self._sort(_ms(now), _ms(feasible or now))
        chosen: list[Entry] = []
        while len(chosen) < limit and (row := self._most_urgent(_ms(pressing or now))):
            row.place += 1
            self._leased_rows[row.entry.seq] = row
            chosen.append(row.entry)
        if len(chosen) == limit:
            self._signal(state)
        await self._turn()
        return tuple(chosen)

    def _sort(self, now: int, feasible: int) -> None:
        """Put every row where it stands at this moment, for this horizon."""
        while row := self._put_off.first(now + 1):
            self._ready(row)
        while row := self._hopeless_by_hope.first(1 - feasible):
            self._ready(row)
        while row := self._by_expiry.first(feasible):
            row.place += 1
            self._hopeless.push(row)
            self._hopeless_by_hope.push(row)

    def _most_urgent(self, pressing: int) -> _Row | None:
        return self._by_expiry.first(pressing) or self._by_safe_by.first() or self._hopeless.first()

    def release(self, seqs: Sequence[int]) -> None:
        """Give leases back."""
        for seq in seqs:
            row = self._leased_rows.pop(seq, None)
            if row is not None:
                self._ready(row)

    async def fail(self, seq: int, *, error: str, next_try: datetime) -> None:
        """Count a failure, and put it off."""
        row = self._leased_rows.pop(seq)
        row.entry = replace(row.entry, attempts=row.entry.attempts + 1)
        row.next_try = _ms(next_try)
        if next_try - self._clock.now() > timedelta(minutes=15):
            raise ValueError("the journal would take so long a pause for a clock set back")
        row.place += 1
        self._put_off.push(row)
        await self._turn()

    async def retry(self, state: EntryState, *, error: str) -> None:
        """End all pauses: nothing else fails here."""
        while row := self._put_off.first():
            self._ready(row)
        self._signal(state)
        await self._turn()

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Write the receipts."""
        for proof in proofs:
            del self._leased_rows[proof.seq]
        self.proofs += proofs
        await self._turn()

    async def work(self, state: EntryState, *, seconds: float) -> None:
        """Wait for a sign, with no task of its own, for speed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived[state].wait()
