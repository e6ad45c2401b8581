"""Verbs on entries: claims, the moves of the state table, and what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bridge import keys
from bridge.canonical import Leaf
from bridge.lifecycle import EntryState, Trigger, next_state
from bridge.model import EventKind, NoticeState, SealedRecord, Verdict
from bridge.protocols import DownloadState, Entry, Sealing, StoredProof
from bridge.protocols.journal import VERSIONS
from tests.fakes.journal.core import AT_WORK, MemoryCore
from tests.fakes.journal.rows import LONG_AGO, EntryRow, is_due, to_millisecond

ARRIVED = frozenset({DownloadState.SPOOLED, DownloadState.STORED})
ROSTERS = frozenset({EventKind.ROSTER, EventKind.MEMBERSHIP})


class EntryVerbs(MemoryCore):
    """See :class:`bridge.protocols.Journal`."""

    async def claim(
        self,
        state: EntryState,
        *,
        now: datetime,
        limit: int,
        feasible: datetime | None = None,
        pressing: datetime | None = None,
    ) -> tuple[Entry, ...]:
        """Lease due entries: pressing ones by their expiry, then feasible and hopeless ones."""
        self._require_open()
        self._arrived[state].clear()
        horizon = to_millisecond(feasible or now)
        presses = horizon
        if pressing is not None and state is EntryState.SEALED:
            presses = to_millisecond(pressing)
        due = self._free(state, now)

        def urgency(row: EntryRow) -> tuple[int, datetime, datetime, int]:
            ends = row.expires_at
            if ends is not None and ends < horizon:
                return (2, row.safe_by, row.safe_by, row.seq)
            if ends is not None and ends < presses:
                return (0, ends, row.safe_by, row.seq)
            return (1, row.safe_by, row.safe_by, row.seq)

        chosen = sorted(due, key=urgency)[:limit]
        assert all(row.event is not None for row in chosen)
        self._leased.update(row.seq for row in chosen)
        if len(chosen) == limit:
            self._signal(state)
        found = tuple(self._values(chosen))
        try:
            await self._turn()
        except BaseException:
            self.release([row.seq for row in chosen])
            self._signal(state)
            raise
        return found

    def _free(self, state: EntryState, now: datetime) -> list[EntryRow]:
        """What a claim could be given."""
        return [
            row
            for row in self._at_work.values()
            if row.state is state
            and row.seq not in self._leased
            and is_due(row.next_try, now)
            and (state is not EntryState.SEALED or self._told(row))
        ]

    def _told(self, row: EntryRow) -> bool:
        group = self._register[row.stream.connector, row.stream.group_id]
        return group.notice is not NoticeState.DUE

    def release(self, seqs: Sequence[int]) -> None:
        """Give leases back."""
        self._leased.difference_update(seqs)

    async def judge(
        self,
        verdicts: Sequence[tuple[int, Verdict]],
        *,
        kinds: Mapping[int, EventKind] | None = None,
    ) -> None:
        """Move received entries to judged; those with waiting media rest for a while."""
        self._require_open()
        for seq, verdict in verdicts:
            known = self._rows.get(seq)
            if known is not None and kinds and kinds.get(seq, known.kind) is not known.kind:
                continue
            row = self._move(known, Trigger.JUDGE)
            if row is not None:
                row.verdict = verdict
                row.try_again_at(self._media_wait(row))
        self.release([seq for seq, _ in verdicts])
        self._signal(EntryState.JUDGED)
        await self._turn()

    def _media_wait(self, row: EntryRow) -> datetime:
        waiting = any(
            order.entry is row and order.state is DownloadState.WAITING
            for order in self._orders.values()
        )
        return row.half_time if waiting else LONG_AGO

    async def seal(self, sealings: Sequence[Sealing]) -> None:
        """Fix bytes and write seen leaves."""
        self._require_open()
        for sealing in sealings:
            next_state(EntryState.JUDGED, sealing.trigger)
        for sealing in sealings:
            self._seal_one(sealing)
        self.release([sealing.seq for sealing in sealings])
        self._signal(EntryState.SEALED, EntryState.DISCARDED)
        await self._turn()

    def _seal_one(self, sealing: Sealing) -> None:
        arrived = sum(
            order.entry.seq == sealing.seq and order.state in ARRIVED
            for order in self._orders.values()
        )
        if arrived != sealing.media:
            return
        row = self._move(self._rows.get(sealing.seq), sealing.trigger)
        if row is not None:
            row.record = sealing.record
            row.key = sealing.record.key
            row.seen_leaf = self._add_leaf(sealing.leaf)
            row.manifest_due = True
            row.try_again_at(LONG_AGO)
            self._restricted += row.state is EntryState.RESTRICTED

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Write the receipts."""
        self._require_open()
        for proof in proofs:
            row = self._move(self._rows.get(proof.seq), Trigger.STORE)
            if row is None:
                continue
            row.stored_at = row.stored_at or to_millisecond(proof.at)
            row.late_ms = row.late_ms if row.late_ms is not None else proof.late_ms
            row.try_again_at(LONG_AGO)
            self._add_referring(row, proof.stored)
            if proof.late is not None:
                self._add_referring(row, proof.late)
        self.release([proof.seq for proof in proofs])
        await self._turn()

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Move a discard or a stored review to sealed under a new key."""
        self._require_open()
        row = self._move(self._rows.get(seq), Trigger.PROMOTE)
        if row is not None:
            assert row.record is not None
            row.verdict = verdict
            row.record = SealedRecord(body=row.record.body, digest=row.record.digest, key=key)
            row.key = key
            row.safe_by = to_millisecond(safe_by)
            row.expires_at = None
            row.fixed_deadline = True
            row.manifest_due = True
            row.try_again_at(LONG_AGO)
            self._add_referring(row, leaf)
        self._signal(EntryState.SEALED)
        await self._turn()
        return row is not None

    def _add_referring(self, row: EntryRow, leaf: Leaf) -> None:
        """A leaf about the entry's seen leaf, wherever that stands since it was made."""
        assert row.seen_leaf is not None
        self._add_leaf(leaf.referring(row.seen_leaf) if self._leaves_moved else leaf)

    async def fail(self, seq: int, *, error: str, next_try: datetime) -> None:
        """Count a failure."""
        self._require_open()
        row = self._rows.get(seq)
        if row is not None and row.state in AT_WORK:
            row.attempts += 1
            row.error = error
            row.next_try = to_millisecond(next_try)
        self.release([seq])
        await self._turn()

    async def retry(self, state: EntryState, *, error: str) -> None:
        """End the pauses of one failure."""
        self._require_open()
        for row in self._at_work.values():
            if row.state is state and row.error == error:
                row.next_try = LONG_AGO
        self._signal(state)
        await self._turn()

    async def entry(self, seq: int) -> Entry | None:
        """One entry."""
        return await self._one(self._rows.get(seq))

    async def find(
        self, stream: str, upstream_id: str, *, revision: str | None = None, earlier: bool = False
    ) -> Entry | None:
        """By identity."""
        asked = [stream, *(self._others(stream) if earlier else ())]
        rows = (self._named(each, upstream_id, revision) for each in asked)
        return await self._one(next((row for row in rows if row is not None), None))

    async def find_open(self, stream: str, upstream_id: str) -> Entry | None:
        """The version that tells best."""
        rows = [self._named(stream, upstream_id, each) for each in VERSIONS]
        found = [row for row in rows if row is not None and row.event is not None]
        clear = [row for row in found if row.kind is not EventKind.ENCRYPTED]
        return await self._one(next(iter(clear + found), None))

    def _named(self, stream: str, upstream_id: str, revision: str | None) -> EntryRow | None:
        ident = keys.identity(self._blind_key, stream, upstream_id, revision)
        return self._idents.get((stream, ident))

    def _others(self, stream: str) -> list[str]:
        """The other streams of its group, the latest first."""
        own = self._streams.get(stream)
        if own is None:
            return []
        mine = [
            each.id
            for each in self._streams.values()
            if (each.connector, each.group_id) == (own.connector, own.group_id)
            and each.id != stream
        ]
        return mine[::-1]

    async def _one(self, row: EntryRow | None) -> Entry | None:
        self._require_open()
        found = self._values([row] if row is not None else [])
        await self._turn()
        return found[0] if found else None

    async def recent(
        self, stream: str, *, before: int, limit: int, without: EventKind | None = None
    ) -> tuple[Entry, ...]:
        """The last entries with content, oldest first."""
        self._require_open()
        rows = [
            row
            for row in self._rows.values()
            if row.stream.id == stream
            and row.n < before
            and row.event is not None
            and row.kind is not without
        ]
        found = tuple(self._values(rows[max(len(rows) - limit, 0) :]))
        await self._turn()
        return found

    async def following(
        self, stream: str, *, after: int, limit: int, without: EventKind | None = None
    ) -> tuple[Entry, ...]:
        """The next entries with content, oldest first."""
        self._require_open()
        rows = [
            row
            for row in self._rows.values()
            if row.stream.id == stream and row.n > after and row.event is not None
            if row.event.kind is not without
        ]
        found = tuple(self._values(rows[:limit]))
        await self._turn()
        return found

    async def roster_before(self, stream: str, n: int) -> int | None:
        """The latest roster or membership event."""
        self._require_open()
        numbers = [
            row.n
            for row in self._rows.values()
            if row.stream.id == stream and row.n <= n and row.kind in ROSTERS
        ]
        await self._turn()
        return max(numbers, default=None)

    async def forget(
        self, *, discarded_before: datetime, limit: int, only: Sequence[int] | None = None
    ) -> tuple[str, ...]:
        """Destroy old discards with their orders."""
        self._require_open()
        waiting = {
            each.decision.seq for each in self._decisions.values() if each.state == "waiting"
        }
        old = [
            row
            for row in self._rows.values()
            if row.state is EntryState.DISCARDED
            and row.received_at < to_millisecond(discarded_before)
            and row.seq not in waiting
            and (only is None or row.seq in only)
        ]
        old += [self._rows[seq] for seq in set(only or ()) if self._ordered_gone(seq)]
        names: list[str] = []
        for row in sorted(old, key=lambda row: row.received_at)[:limit]:
            assert self._move(row, Trigger.DESTROY) is row
            row.destroy()
            gone = [order for order in self._orders.values() if order.entry is row]
            names += [order.file.name for order in gone if order.file is not None]
            for order in gone:
                del self._orders[order.id]
        await self._turn()
        return tuple(names)

    async def pending(self) -> int:
        """Entries on their way."""
        self._require_open()
        found = sum(
            row.state is not EntryState.RECEIVED or row.shut is None
            for row in self._at_work.values()
        )
        await self._turn()
        return found
