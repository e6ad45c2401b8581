"""Verbs on attachments: orders, files in the spool, and those that come after the seal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bridge.deadlines import STATE_FACT
from bridge.lifecycle import EntryState
from bridge.model import (
    Event,
    EventKind,
    Loss,
    Relation,
    RelationType,
    SpooledFile,
)
from bridge.protocols import DownloadOrder, MediaState
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore, as_json
from storage.journal.replanning import Standing, standing_of
from storage.journal.rows import (
    DueDownloadRow,
    EntryPlace,
    FileRow,
    MediaRow,
    StreamRow,
    sayable,
    to_ms,
)

TOO_LATE = "it came after its stream was closed"
BEFORE_SEAL = frozenset({EntryState.RECEIVED, EntryState.JUDGED})


class DownloadVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def media(self, seq: int) -> tuple[MediaState, ...]:
        """The attachments of an entry."""
        rows = await self._rows("download_of", MediaRow, seq)
        return tuple(row.media(self._cipher) for row in rows)

    async def claim_download(self, *, now: datetime) -> DownloadOrder | None:
        """Lease the order that is due first."""
        async with self._fetching.choosing() as taken:
            rows = await self._rows("download_due", DueDownloadRow, to_ms(now), len(taken) + 1)
            free = next((row for row in rows if row.id not in taken), None)
            if free is not None:
                self._fetching.take([free.id])
        return free.order(self._cipher) if free is not None else None

    async def downloaded(self, order: DownloadOrder, file: SpooledFile, *, at: datetime) -> bool:
        """The file is in the spool. Crash before: it is fetched again, the old file removed."""

        async def work(transaction: Transaction) -> bool:
            places = await transaction.rows("entry_place", EntryPlace, order.seq)
            if not places or places[0].payload is None:
                return False
            (place,) = places
            before = EntryState(place.state) in BEFORE_SEAL
            stream = None if before else await self._recording(transaction, order, place)
            if stream is None and not before:
                await self._give_up(transaction, order, TOO_LATE, place, at)
                return False
            sealed = self._cipher.seal(file, column="file", row=place.ident)
            if not await transaction.run("download_done", sealed, order.id):
                return False
            if stream is None:
                await transaction.run("entry_wake", order.seq)
            else:
                await self._append_media(transaction, order, file, place, stream=stream, at=at)
            return True

        try:
            wanted = await self._committer.run(work)
        finally:
            self._fetching.give_back([order.id])
        self._signal(EntryState.RECEIVED, EntryState.JUDGED)
        return wanted

    async def _recording(
        self, transaction: Transaction, order: DownloadOrder, place: EntryPlace
    ) -> StreamRow | None:
        """The stream that a late medium goes to: its message's, or the one after it."""
        if not place.closed:
            (row,) = await transaction.rows("stream_some", StreamRow, as_json([place.sid]))
            return row
        found = await transaction.rows("stream_open_of", StreamRow, order.connector, order.group_id)
        return found[0] if found else None

    async def _append_media(
        self,
        transaction: Transaction,
        order: DownloadOrder,
        file: SpooledFile,
        place: EntryPlace,
        *,
        stream: StreamRow,
        at: datetime,
    ) -> None:
        """A medium that came after the seal is an entry of its own; the sealed one stays."""
        assert place.payload is not None  # noqa: S101 - checked by the caller
        parent = self._cipher.open(place.payload, Event, column="payload", row=place.ident)
        standing = await standing_of(transaction, order.connector, order.group_id)
        prepared = self._arrivals.prepare(_media_event(parent, order, at, standing), stream)
        seqs = await self._arrivals.insert(transaction, [prepared])
        seq = seqs.get(id(prepared))
        if seq is None:
            return
        ident = prepared.ident
        await transaction.run(
            "download_move",
            seq,
            self._cipher.seal(order.attachment, column="attachment", row=ident),
            self._cipher.seal(file, column="file", row=ident),
            order.id,
        )

    async def download_failed(
        self, order: DownloadOrder, *, why: str, at: datetime, next_try: datetime | None
    ) -> None:
        """Count a failure; the last one is a gap with size and reason."""

        async def work(transaction: Transaction) -> None:
            if next_try is not None:
                error = sayable(why[:500])
                await transaction.run("download_retry", error, to_ms(next_try), order.id)
                return
            for place in await transaction.rows("entry_place", EntryPlace, order.seq):
                await self._give_up(transaction, order, why, place, at)

        try:
            await self._committer.run(work)
        finally:
            self._fetching.give_back([order.id])
        self._signal(EntryState.RECEIVED, EntryState.JUDGED)

    async def _give_up(
        self,
        transaction: Transaction,
        order: DownloadOrder,
        why: str,
        place: EntryPlace,
        at: datetime,
    ) -> None:
        """The attachment is lost: a gap where its message stands, which waits for it no longer."""
        if not await transaction.run("download_give_up", sayable(why[:500]), order.id):
            return
        (row,) = await transaction.rows("stream_some", StreamRow, as_json([place.sid]))
        loss = Loss(group_id=order.group_id, why="media_not_obtained", detail=_detail(order, why))
        await self._arrivals.write_gap(transaction, row, loss, at_ms=to_ms(at), after=place.n)
        await transaction.run("entry_wake", order.seq)

    def release_download(self, order: DownloadOrder) -> None:
        """Give an order back untouched."""
        self._fetching.give_back([order.id])

    async def spooled(self) -> frozenset[str]:
        """Spool files an entry still needs."""
        rows = await self._rows("download_spooled_files", FileRow)
        return frozenset(row.name(self._cipher) for row in rows)

    async def media_stored(self, seq: int) -> tuple[str, ...]:
        """Mark media stored. Crash before the files go: the next start removes them."""
        names = [media.file.name for media in await self.media(seq) if media.file is not None]

        async def work(transaction: Transaction) -> None:
            await transaction.run("download_stored", seq)

        if names:
            await self._committer.run(work)
        return tuple(names)


def _detail(order: DownloadOrder, why: str) -> str:
    size = order.attachment.size
    return f"{why} ({size} bytes declared)" if size is not None else f"{why} (size not declared)"


def _media_event(
    parent: Event, order: DownloadOrder, at: datetime, standing: Standing | None
) -> Event:
    """The event that an attachment came late.

    Its deadline runs from the message it belongs to, by the timer that ends this now.
    """
    revision = f"media-{order.i}"
    if parent.revision is not None:
        revision = f"{parent.revision}+{revision}"
    return Event(
        group_id=parent.group_id,
        upstream_id=parent.upstream_id,
        revision=revision,
        kind=EventKind.MEDIA,
        sender=parent.sender,
        sent_at=parent.sent_at,
        observed_at=at,
        relates_to=Relation(type=RelationType.MEDIA, upstream_id=parent.upstream_id),
        timer=standing.running(parent, received_at=at) if standing is not None else parent.timer,
        own_timer=parent.own_timer,
        upstream=tuple(fact for fact in parent.upstream if fact[0] == STATE_FACT),
        method=parent.method,
        crypto=None if parent.crypto is None else replace(parent.crypto, clear=None),
        raw=parent.raw,
    )
