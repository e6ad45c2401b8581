"""Verbs on attachments: orders, files in the spool, and those that come after the seal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bridge import deadlines
from bridge.lifecycle import EntryState
from bridge.model import Event, EventKind, Loss, Relation, RelationType, SpooledFile, Timer
from bridge.protocols import DownloadOrder, DownloadState, MediaState
from tests.fakes.journal.core import Key
from tests.fakes.journal.rows import LONG_AGO, OrderRow, is_due, to_millisecond
from tests.fakes.journal.streams import StreamVerbs

BEFORE_SEAL = frozenset({EntryState.RECEIVED, EntryState.JUDGED})


class DownloadVerbs(StreamVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def media(self, seq: int) -> tuple[MediaState, ...]:
        """The attachments of an entry."""
        self._require_open()
        found = tuple(order.media() for order in self._orders_of(seq))
        await self._turn()
        return found

    def _orders_of(self, seq: int) -> list[OrderRow]:
        mine = [order for order in self._orders.values() if order.entry.seq == seq]
        return sorted(mine, key=lambda order: order.i)

    def _free_orders(self, now: datetime) -> list[OrderRow]:
        """What a claim could be given."""
        return [
            order
            for order in self._orders.values()
            if order.state is DownloadState.WAITING
            and order.id not in self._fetching
            and is_due(order.next_try, now)
        ]

    async def claim_download(self, *, now: datetime) -> DownloadOrder | None:
        """Lease the order that is due first."""
        self._require_open()
        first = min(self._free_orders(now), key=lambda order: (order.due, order.id), default=None)
        if first is None:
            await self._turn()
            return None
        self._fetching.add(first.id)
        found = first.order()
        try:
            await self._turn()
        except BaseException:
            self._fetching.discard(first.id)
            raise
        return found

    async def downloaded(self, order: DownloadOrder, file: SpooledFile, *, at: datetime) -> bool:
        """The file is in the spool."""
        self._require_open()
        self._fetching.discard(order.id)
        wanted = self._take(order, file, at)
        self._signal(EntryState.RECEIVED, EntryState.JUDGED)
        await self._turn()
        return wanted

    def _take(self, order: DownloadOrder, file: SpooledFile, at: datetime) -> bool:
        row = self._orders.get(order.id)
        if row is None or row.state is not DownloadState.WAITING:
            return False
        assert row.entry.event is not None, "orders are destroyed with their entry"
        if row.entry.state in BEFORE_SEAL:
            row.state, row.file = DownloadState.SPOOLED, file
            self._wake(row)
            return True
        key = (row.entry.stream.connector, row.entry.stream.group_id)
        stream = self._open.get(key) if row.entry.stream.closed else row.entry.stream
        if stream is None:
            self._give_up(row, "it came after its stream was closed", at)
            return False
        row.state, row.file = DownloadState.SPOOLED, file
        timer = self._runs_now(row.entry.event, key, at)
        late = self._insert(stream, _media_event(row.entry.event, row.i, at, timer))
        if late is not None:
            row.entry, row.i = late, 0
        return True

    def _runs_now(self, parent: Event, key: Key, at: datetime) -> Timer | None:
        """What ends a message now; as long as its group was told no timers, what ended it then."""
        if key not in self._standing:
            return parent.timer
        return deadlines.running(
            lasting=deadlines.lasts(parent.kind, parent.upstream),
            sent_at=parent.sent_at,
            received_at=at,
            own_timer=parent.own_timer,
            standing=self._standing[key],
        )

    def _wake(self, row: OrderRow) -> None:
        """The entry waits no longer once none of its orders does."""
        waiting = any(
            order.state is DownloadState.WAITING for order in self._orders_of(row.entry.seq)
        )
        if not waiting and row.entry.state is EntryState.JUDGED:
            row.entry.next_try = LONG_AGO

    async def download_failed(
        self, order: DownloadOrder, *, why: str, at: datetime, next_try: datetime | None
    ) -> None:
        """Count a failure; the last one is a gap."""
        self._require_open()
        self._fetching.discard(order.id)
        row = self._orders.get(order.id)
        if row is not None and row.state is DownloadState.WAITING:
            if next_try is None:
                self._give_up(row, why, at)
            else:
                row.attempts += 1
                row.next_try = to_millisecond(next_try)
        self._signal(EntryState.RECEIVED, EntryState.JUDGED)
        await self._turn()

    def _give_up(self, row: OrderRow, why: str, at: datetime) -> None:
        row.attempts += 1
        row.state = DownloadState.FAILED
        size = row.attachment.size
        declared = "size not declared" if size is None else f"{size} bytes declared"
        loss = Loss(
            group_id=row.entry.stream.group_id,
            why="media_not_obtained",
            detail=f"{why} ({declared})",
        )
        self._gap(row.entry.stream, loss, at=at, after=row.entry.n)
        self._wake(row)

    def release_download(self, order: DownloadOrder) -> None:
        """Give an order back untouched."""
        self._fetching.discard(order.id)

    async def spooled(self) -> frozenset[str]:
        """Spool files an entry still needs."""
        self._require_open()
        found = frozenset(
            order.file.name
            for order in self._orders.values()
            if order.state is DownloadState.SPOOLED and order.file is not None
        )
        await self._turn()
        return found

    async def media_stored(self, seq: int) -> tuple[str, ...]:
        """Mark media stored; gives the files that may go."""
        self._require_open()
        names: list[str] = []
        for order in self._orders_of(seq):
            if order.file is not None:
                order.state = DownloadState.STORED
                names.append(order.file.name)
        await self._turn()
        return tuple(names)


def _media_event(parent: Event, i: int, at: datetime, timer: Timer | None) -> Event:
    own = f"media-{i}"
    return Event(
        group_id=parent.group_id,
        upstream_id=parent.upstream_id,
        revision=own if parent.revision is None else f"{parent.revision}+{own}",
        kind=EventKind.MEDIA,
        sender=parent.sender,
        sent_at=parent.sent_at,
        observed_at=at,
        relates_to=Relation(type=RelationType.MEDIA, upstream_id=parent.upstream_id),
        timer=timer,
        own_timer=parent.own_timer,
        upstream=tuple(fact for fact in parent.upstream if fact[0] == deadlines.STATE_FACT),
        method=parent.method,
        crypto=None if parent.crypto is None else replace(parent.crypto, clear=None),
        raw=parent.raw,
    )
