"""Verbs on what the journal holds: compared with the store, with the source, and with the clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Digest, Loss, Outcome
from bridge.protocols import Entry, KeptObject
from tests.fakes.journal.core import MemoryCore
from tests.fakes.journal.rows import EntryRow, to_millisecond


class HoldingVerbs(MemoryCore):
    """See :class:`bridge.protocols.Journal`."""

    async def kept(self, *, after: int, limit: int) -> tuple[KeptObject, ...]:
        """Records whose receipt is here."""
        self._require_open()
        found = [
            KeptObject(seq=row.seq, key=row.record.key, digest=row.record.digest)
            for row in self._rows.values()
            if row.seq > after and row.state is EntryState.STORED and row.record is not None
        ]
        await self._turn()
        return tuple(found[:limit])

    async def kept_documents(self, *, after: int, limit: int) -> tuple[KeptObject, ...]:
        """Manifest parts and acts that were placed."""
        self._require_open()
        found = [
            KeptObject(
                seq=row.id,
                key=keys.placed_key(row.placement.folder, row.number),
                digest=Digest.of(row.placement.body),
            )
            for row in self._placements
            if row.id > after and row.leaf is not None and row.number is not None
        ]
        await self._turn()
        return tuple(found[:limit])

    async def knows(self, keys_: Sequence[str]) -> frozenset[str]:
        """Which keys are ours."""
        self._require_open()
        records = {row.key.partition("/")[2] for row in self._rows.values()} - {""}
        placed = {
            keys.placed_key(row.placement.folder, row.number)
            for row in self._placements
            if row.number is not None
        }
        placed |= self._anchor_keys
        found = frozenset(key for key in keys_ if key in placed or records & set(_records(key)))
        await self._turn()
        return found

    async def has_seen(
        self, connector: str, group_id: str, upstream_ids: Sequence[str]
    ) -> frozenset[str]:
        """Which events were ever journalled."""
        self._require_open()
        found = frozenset(
            upstream_id
            for upstream_id in upstream_ids
            for stream in self._streams.values()
            if (stream.connector, stream.group_id) == (connector, group_id)
            and (stream.id, keys.identity(self._blind_key, stream.id, upstream_id, None))
            in self._idents
        )
        await self._turn()
        return found

    async def gaps(self, connector: str, group_id: str) -> tuple[Loss, ...]:
        """The known losses of a group."""
        self._require_open()
        found = tuple(
            replace(
                loss,
                since=to_millisecond(loss.since) if loss.since else None,
                until=to_millisecond(loss.until) if loss.until else None,
            )
            for where, loss in self._gaps
            if where == (connector, group_id)
        )
        await self._turn()
        return found

    async def undecided(self, *, received_before: datetime, limit: int) -> tuple[Entry, ...]:
        """Stored reviews that nobody decided."""
        self._require_open()
        rows = [
            row
            for row in self._rows.values()
            if row.state is EntryState.STORED
            and row.verdict is not None
            and row.verdict.outcome is Outcome.REVIEW
            and not row.opened_beside
            and row.received_at < to_millisecond(received_before)
        ]
        return await self._oldest(rows, limit)

    async def open_discards(self, *, received_before: datetime, limit: int) -> tuple[Entry, ...]:
        """Discards that are not final."""
        self._require_open()
        rows = [
            row
            for row in self._rows.values()
            if row.state is EntryState.DISCARDED
            and not row.final
            and row.received_at < to_millisecond(received_before)
        ]
        return await self._oldest(rows, limit)

    async def finalise(self, seqs: Sequence[int]) -> None:
        """Mark them."""
        self._require_open()
        for seq in seqs:
            self._rows[seq].final = True
        await self._turn()

    async def _oldest(self, rows: Sequence[EntryRow], limit: int) -> tuple[Entry, ...]:
        oldest = sorted(rows, key=lambda row: row.received_at)[:limit]
        found = tuple(sorted(self._values(oldest), key=lambda entry: (entry.safe_by, entry.seq)))
        await self._turn()
        return found


def _records(key: str) -> Iterator[str]:
    """The record that a key may be, or be a medium of, without its area."""
    area, _, rest = key.partition("/")
    if area not in {keys.RECORDS, keys.REVIEW}:
        return
    yield rest
    folder, between, medium = rest.partition("/media/")
    stem, _, i = medium.partition("/")
    if between and i.isdecimal():
        yield f"{folder}/{stem}.json"
