"""What one delivery brings: new entries with their numbers, orders, gaps and sightings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from bridge import deadlines, keys
from bridge.canonical import Leaf
from bridge.groups import apply_sighting, first_sighting
from bridge.model import Batch, Event, GroupState, Loss, Sighting
from bridge.protocols import Appended
from storage.journal.cipher import JournalCipher
from storage.journal.committer import Transaction, Value
from storage.journal.rows import GroupRow, StreamRow, from_ms, group_values, sayable, to_ms

MOST_PROPOSED = 200
"""Invitations from unknown groups beyond this many are counted, not listed."""


@dataclass(slots=True)
class PreparedEvent:
    """An event with everything computed that does not depend on the database."""

    stream: StreamRow
    event: Event
    ident: bytes
    payload: bytes
    deadline: deadlines.Deadline


@dataclass(slots=True)
class PreparedBatch:
    """A batch ready to be written."""

    batch: Batch
    at_ms: int
    events: list[PreparedEvent]
    losses: list[tuple[StreamRow, Loss]] = field(default_factory=list)


class StreamClosedError(RuntimeError):
    """The stream was closed since the event was prepared for it. Nothing was written."""


class Arrivals:
    """Writes prepared batches. Pure preparation outside, all effects inside one transaction."""

    def __init__(self, cipher: JournalCipher, blind_key: bytes) -> None:
        self._cipher = cipher
        self._blind_key = blind_key

    def prepare(self, event: Event, stream: StreamRow) -> PreparedEvent:
        """Identity, sealed payload and deadline of one event."""
        ident = keys.identity(self._blind_key, stream.id, event.upstream_id, event.revision)
        return PreparedEvent(
            stream=stream,
            event=event,
            ident=ident,
            payload=self._cipher.seal(event, column="payload", row=ident),
            deadline=deadlines.plan(
                sent_at=event.sent_at, received_at=event.observed_at, timer=event.timer
            ),
        )

    def writing(self, prepared: PreparedBatch) -> Callable[[Transaction], Awaitable[Appended]]:
        """The piece of work that writes ``prepared``."""

        async def work(transaction: Transaction) -> Appended:
            return await self._write(transaction, prepared)

        return work

    async def _write(self, transaction: Transaction, prepared: PreparedBatch) -> Appended:
        """Sightings, losses, events, cursor.

        What was lost lies between the last delivery and this one: its gap comes before the events.
        """
        batch = prepared.batch
        for sighting in batch.sightings:
            await self._apply(transaction, prepared, sighting)
        for stream, loss in prepared.losses:
            await self.write_gap(transaction, stream, loss, at_ms=prepared.at_ms)
        fresh = await self.insert(transaction, prepared.events)
        if batch.unlisted:
            await transaction.run("meta_add", "unlisted", batch.unlisted)
        if batch.cursor is not None:
            await transaction.run("place_set", batch.connector, batch.cursor, prepared.at_ms)
        return Appended(new=len(fresh), repeated=len(prepared.events) - len(fresh))

    async def insert(
        self, transaction: Transaction, events: Sequence[PreparedEvent]
    ) -> dict[int, int]:
        """Insert what is new; gives the new row's ``seq`` by ``id()`` of the prepared event.

        Raises:
            StreamClosedError: one of the streams takes no more events.
        """
        if not events:
            return {}
        known = await self._known(transaction, events)
        numbers = await self._numbers(transaction, {event.stream.sid for event in events})
        (seq,) = await transaction.rows("entry_next_seq", int)
        rows: list[Sequence[Value]] = []
        orders: list[Sequence[Value]] = []
        missing: list[tuple[PreparedEvent, int]] = []
        fresh: dict[int, int] = {}
        for event in events:
            sid = event.stream.sid
            if (sid, event.ident) in known:
                continue
            known.add((sid, event.ident))
            n = numbers[sid]
            numbers[sid] = n + 1
            rows.append(_entry_values(seq, n, event))
            orders += self._orders(seq, event)
            if event.event.missing is not None:
                missing.append((event, n))
            fresh[id(event)] = seq
            seq += 1
        await transaction.many("entry_insert", rows)
        if orders:
            await transaction.many("download_insert", orders)
        await transaction.many("stream_advance", [(n, sid) for sid, n in numbers.items()])
        for event, n in missing:
            await self._note_missing(transaction, event, n)
        return fresh

    async def _known(
        self, transaction: Transaction, events: Sequence[PreparedEvent]
    ) -> set[tuple[int, bytes]]:
        by_stream: dict[int, list[str]] = {}
        for event in events:
            by_stream.setdefault(event.stream.sid, []).append(event.ident.hex())
        known: set[tuple[int, bytes]] = set()
        for sid, idents in by_stream.items():
            found = await transaction.rows(
                "entry_known", bytes, sid, msgspec.json.encode(idents).decode()
            )
            known.update((sid, ident) for ident in found)
        return known

    async def _numbers(self, transaction: Transaction, sids: set[int]) -> dict[int, int]:
        rows = await transaction.rows(
            "stream_next_n", tuple[int, int, int], msgspec.json.encode(sorted(sids)).decode()
        )
        if any(closed for _, _, closed in rows):
            raise StreamClosedError("the stream takes no more events")
        return {sid: next_n for sid, next_n, _ in rows}

    def _orders(self, seq: int, event: PreparedEvent) -> list[Sequence[Value]]:
        return [
            (
                seq,
                i,
                to_ms(event.deadline.safe_by),
                self._cipher.seal(attachment, column="attachment", row=event.ident),
            )
            for i, attachment in enumerate(event.event.attachments)
        ]

    async def _note_missing(self, transaction: Transaction, event: PreparedEvent, n: int) -> None:
        """The platform shows that something was there and no longer what: a known loss."""
        loss = Loss(
            group_id=event.event.group_id,
            why=event.event.missing or "",
            since=event.event.sent_at,
            until=event.event.observed_at,
        )
        at_ms = to_ms(event.event.observed_at)
        await self.write_gap(transaction, event.stream, loss, at_ms=at_ms, after=n)

    async def write_gap(
        self,
        transaction: Transaction,
        stream: StreamRow,
        loss: Loss,
        *,
        at_ms: int,
        after: int | None = None,
    ) -> None:
        """A gap with its leaf; ``after`` defaults to the stream's last number."""
        if after is None:
            (next_n,) = await transaction.rows("stream_last", int, stream.sid)
            after = next_n - 1
        why = sayable(loss.why)
        leaf = Leaf.gap(
            at=from_ms(at_ms),
            stream=stream.id,
            after=after,
            why=why,
            since=loss.since,
            until=loss.until,
        )
        (index,) = await transaction.add_leaves([leaf])
        await transaction.run(
            "gap_insert",
            stream.sid,
            after,
            why,
            to_ms(loss.since) if loss.since else None,
            to_ms(loss.until) if loss.until else None,
            self._cipher.seal(loss.detail, column="detail", row=stream.id.encode()),
            at_ms,
            index,
        )

    async def _apply(
        self, transaction: Transaction, prepared: PreparedBatch, sighting: Sighting
    ) -> None:
        connector = prepared.batch.connector
        if sighting.group_id != sayable(sighting.group_id):
            await transaction.run("meta_add", "unlisted_invitations", 1)
            return  # a name that nobody could approve
        rows = await transaction.rows("register_one", GroupRow, connector, sighting.group_id)
        if rows:
            before = rows[0].group()
            group = apply_sighting(before, sighting)
            if group_values(group) == group_values(before):
                return
        else:
            proposed = GroupState.PROPOSED.value
            (listed,) = await transaction.rows("register_count", int, connector, proposed)
            if listed >= MOST_PROPOSED:
                await transaction.run("meta_add", "unlisted_invitations", 1)
                return
            first = first_sighting(sighting, connector=connector, platform=prepared.batch.platform)
            if first is None:
                return
            group = first
        await transaction.run("register_put", *group_values(group))


def _entry_values(seq: int, n: int, event: PreparedEvent) -> Sequence[Value]:
    deadline = event.deadline
    return (
        seq,
        event.stream.sid,
        n,
        event.ident,
        event.event.kind.value,
        to_ms(event.event.observed_at),
        to_ms(deadline.safe_by),
        None if deadline.expires_at is None else to_ms(deadline.expires_at),
        event.payload,
    )
