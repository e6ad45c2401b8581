"""The store is ahead of the journal: each group goes on in a stream that replaces the old one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge import keys
from bridge.lifecycle import INITIAL, EntryState
from bridge.model import Loss
from bridge.protocols import EarlierStream
from tests.fakes.journal.rows import LONG_AGO, EntryRow, StreamRow
from tests.fakes.journal.streams import StreamVerbs

UNSEALED = frozenset({EntryState.RECEIVED, EntryState.JUDGED})


class SuccessionVerbs(StreamVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def supersede(self, earlier: Sequence[EarlierStream], *, at: datetime) -> None:
        """Begin new streams."""
        self._require_open()
        for each in earlier:
            if (each.connector, each.group_id) in self._register:
                if each.stream not in self._superseded:
                    self._replace(each, at)
                self._superseded.add(each.stream)
        self._signal(EntryState.RECEIVED)
        await self._turn()

    def _replace(self, earlier: EarlierStream, at: datetime) -> None:
        key = (earlier.connector, earlier.group_id)
        old = self._open.pop(key, None)
        moving = self._end(old, earlier, at) if old is not None else []
        self._open_stream(*key, at=at, previous=earlier)
        new = self._open[key]
        loss = Loss(
            group_id=earlier.group_id,
            why="journal_replaced",
            since=earlier.since,
            until=earlier.until,
        )
        self._gap(new, loss, at=at)
        for row in moving:
            self._move_to(row, new)

    def _end(self, old: StreamRow, earlier: EarlierStream, at: datetime) -> list[EntryRow]:
        """The stream takes no more events; gives what leaves it."""
        mine = sorted(
            (row for row in self._rows.values() if row.stream is old), key=lambda row: row.n
        )
        old.closed = True
        if old.id == earlier.stream:
            old.replaced = True
            return [row for row in mine if row.state in UNSEALED]
        old.next_n = max((row.n + 1 for row in mine if row.state not in UNSEALED), default=0)
        self._add_placement(self._close_act(old, at))
        return [row for row in mine if row.n >= old.next_n]

    def _move_to(self, row: EntryRow, new: StreamRow) -> None:
        """Receive an entry anew."""
        assert row.event is not None
        del self._idents[row.stream.id, row.ident]
        row.ident = keys.identity(
            self._blind_key, new.id, row.event.upstream_id, row.event.revision
        )
        row.stream, row.n, row.state, row.verdict = new, new.next_n, INITIAL, None
        new.next_n += 1
        row.try_again_at(LONG_AGO if row.shut is None else row.half_time)
        self._idents[new.id, row.ident] = row
