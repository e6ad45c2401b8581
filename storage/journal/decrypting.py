"""Encrypted entries get their content: in place, or, where they went further, beside themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from bridge import deadlines
from bridge.lifecycle import EntryState
from bridge.model import Event, Relation, RelationType
from storage.journal.arrivals import Arrivals, PreparedEvent
from storage.journal.committer import Transaction, Value
from storage.journal.replanning import Standing, standing_of
from storage.journal.rows import StreamRow, from_ms, to_ms

REVISION = "decrypted"
FACT = "decrypts"
"""The fact of a later entry that has the number of the one it is the content of.

Of one in an earlier stream it is ``<stream id>/<n>``: numbers are told apart by their stream.
"""

NO_STREAM = "Its key came when its group was not recorded any more."
YIELD_EVERY = 200
"""Events sealed before the event loop gets a turn."""


class ShutRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``unopened_some``."""

    seq: int
    sid: int
    n: int
    ident: bytes
    state: str
    safe_by: int
    expires_at: int | None


class Decrypting:
    """One round, within one transaction; a round that is run anew begins with a new one of these.

    Of entries that are not ``free`` somebody else has the old content in hand.
    """

    def __init__(
        self, transaction: Transaction, arrivals: Arrivals, *, free: Collection[int], at: datetime
    ) -> None:
        self._transaction = transaction
        self._arrivals = arrivals
        self._free = free
        self._at = at
        self._streams: dict[int, StreamRow] = {}
        self._open: dict[int, StreamRow | None] = {}
        self._standing: dict[int, Standing | None] = {}
        self._busy: list[int] = []
        self._done: list[int] = []
        self._homeless: list[Sequence[Value]] = []
        self._changes: list[Sequence[Value]] = []
        self._orders: list[Sequence[Value]] = []
        self._late: list[PreparedEvent] = []
        self._beside: list[int] = []

    async def run(self, wanted: Mapping[int, Event]) -> tuple[int, ...]:
        """Write it all, in the order of ``wanted``; gives those that somebody else has in hand."""
        transaction = self._transaction
        found = await transaction.rows("unopened_some", ShutRow, _as_json(sorted(wanted)))
        rows = {row.seq: row for row in found}
        await self._learn({row.sid for row in found})
        for i, (seq, event) in enumerate(wanted.items()):
            if i % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            if seq in rows:
                self._sort(rows[seq], event)
        await transaction.many("entry_decrypt", self._changes)
        await transaction.many("download_insert", self._orders)
        await self._arrivals.insert(transaction, self._late)
        await transaction.run("entry_opened_beside", _as_json(self._beside))
        await transaction.run("unopened_delete", _as_json(self._done))
        await transaction.many("unopened_why", self._homeless)
        return tuple(self._busy)

    async def _learn(self, sids: Collection[int]) -> None:
        """The streams these entries are in, which ones their groups have open, and the timers."""
        for row in await self._transaction.rows("stream_some", StreamRow, _as_json(sorted(sids))):
            group = row.connector, row.group_id
            open_ = await self._transaction.rows("stream_open_of", StreamRow, *group)
            self._streams[row.sid] = row
            self._open[row.sid] = open_[0] if open_ else None
            self._standing[row.sid] = await standing_of(self._transaction, *group)

    def _sort(self, row: ShutRow, event: Event) -> None:
        prepared = self._arrivals.prepare(event, self._streams[row.sid])
        if prepared.ident != row.ident:
            raise RuntimeError("an entry was given the content of another event")
        if row.seq not in self._free:
            self._busy.append(row.seq)
        elif row.state == EntryState.RECEIVED:
            self._change(row, prepared)
        elif (stream := self._open[row.sid]) is not None:
            first = str(row.n)
            if stream.sid != row.sid:
                first = f"{self._streams[row.sid].id}/{first}"
            late = _late(event, first, self._standing[row.sid], at=self._at)
            self._late.append(self._arrivals.prepare(late, stream))
            self._beside.append(row.seq)
            self._done.append(row.seq)
        else:
            self._homeless.append((NO_STREAM, row.seq))

    def _change(self, row: ShutRow, prepared: PreparedEvent) -> None:
        """As if it had come with its content; what was planned for it is never later by that."""
        prepared.deadline = _sooner(row, _planned(prepared, self._standing[row.sid]))
        expires_at = prepared.deadline.expires_at
        self._changes.append(
            (
                prepared.event.kind.value,
                prepared.payload,
                to_ms(prepared.deadline.safe_by),
                None if expires_at is None else to_ms(expires_at),
                to_ms(self._at),
                row.seq,
            )
        )
        self._orders += self._arrivals.orders(row.seq, prepared)
        self._done.append(row.seq)


def _planned(prepared: PreparedEvent, standing: Standing | None) -> deadlines.Deadline:
    """Its deadline under the timer that its group has now; where none was told, as it came."""
    if standing is None:
        return prepared.deadline
    event = prepared.event
    return deadlines.plan(
        sent_at=event.sent_at,
        received_at=event.observed_at,
        timer=standing.running(event, received_at=event.observed_at),
    )


def _sooner(row: ShutRow, planned: deadlines.Deadline) -> deadlines.Deadline:
    ends = [] if row.expires_at is None else [from_ms(row.expires_at)]
    ends += [] if planned.expires_at is None else [planned.expires_at]
    return deadlines.Deadline(
        safe_by=min(from_ms(row.safe_by), planned.safe_by), expires_at=min(ends, default=None)
    )


def _late(event: Event, first: str, standing: Standing | None, *, at: datetime) -> Event:
    """The event that what entry ``first`` says can be read now."""
    own = Relation(type=RelationType.DECRYPTED, upstream_id=event.upstream_id)
    timer = event.timer if standing is None else standing.running(event, received_at=at)
    return replace(
        event,
        revision=REVISION if event.revision is None else f"{event.revision}+{REVISION}",
        observed_at=at,
        relates_to=event.relates_to or own,
        timer=timer,
        upstream=(*event.upstream, (FACT, first)),
    )


def _as_json(numbers: Sequence[int]) -> str:
    return msgspec.json.encode(numbers).decode()
