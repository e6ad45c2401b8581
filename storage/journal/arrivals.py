"""What one delivery brings: new entries with their numbers, orders, gaps and sightings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from bridge import deadlines, keys
from bridge.groups import apply_sighting, first_sighting, is_arrival
from bridge.model import Batch, Event, GroupState, Loss, Sighting
from bridge.protocols import Appended
from storage.journal.cipher import JournalCipher
from storage.journal.committer import Transaction, Value
from storage.journal.gaps import PlacedLoss, write_gaps
from storage.journal.register_rows import GroupRow, group_values
from storage.journal.replanning import apply_timers
from storage.journal.rows import StreamRow, sayable, to_ms
from storage.journal.to_device import PreparedMessage, prepare_message, write_messages
from storage.journal.unopened import mark_of

MOST_PROPOSED = 200
"""Invitations from unknown groups beyond this many are counted, not listed."""

ROWS_AT_ONCE = 500
"""Entries of one statement: their payloads stand in memory end to end."""


@dataclass(slots=True)
class PreparedEvent:
    """An event with everything computed that does not depend on the database.

    ``session`` is the mark of the key it waits for, if it waits for one.
    """

    stream: StreamRow
    event: Event
    ident: bytes
    payload: bytes
    deadline: deadlines.Deadline
    session: bytes | None = None


@dataclass(slots=True)
class PreparedBatch:
    """A batch ready to be written."""

    batch: Batch
    at_ms: int
    events: list[PreparedEvent]
    losses: list[tuple[StreamRow, Loss]] = field(default_factory=list)
    to_device: list[PreparedMessage] = field(default_factory=list)


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
            session=mark_of(self._blind_key, event),
        )

    def prepare_message(self, connector: str, raw: bytes) -> PreparedMessage:
        """A message to our device, sealed."""
        return prepare_message(self._cipher, self._blind_key, connector, raw)

    async def write(
        self, transaction: Transaction, batches: Sequence[PreparedBatch]
    ) -> list[Appended]:
        """Write batches as if one after the other; what was done, one for each.

        Crash before the commit: nothing of any of them is there, none was acknowledged, and each
        is delivered again; after it: all of all of them, each connector's cursor with its events.

        Raises:
            StreamClosedError: one of their streams takes no more events.
        """
        appended: list[Appended] = []
        for together in _runs(batches):
            await self._prelude(transaction, together[0])
            events = [event for prepared in together for event in prepared.events]
            fresh = await self.insert(transaction, events)
            await self._conclude(transaction, together)
            for prepared in together:
                new = sum(id(event) in fresh for event in prepared.events)
                appended.append(Appended(new=new, repeated=len(prepared.events) - new))
        return appended

    async def _prelude(self, transaction: Transaction, prepared: PreparedBatch) -> None:
        """Sightings, losses, timers: all that a batch does before its events.

        What was lost lies between the last delivery and this one: its gap comes before the events.

        Raises:
            StreamClosedError: the stream of a gap takes no more of them.
        """
        batch = prepared.batch
        for sighting in batch.sightings:
            await self._apply(transaction, prepared, sighting)
        if prepared.losses:  # none of them is written behind the end of its stream
            await self._numbers(transaction, {stream.sid for stream, _ in prepared.losses})
        for stream, loss in prepared.losses:
            await self.write_gap(transaction, stream, loss, at_ms=prepared.at_ms)
        if batch.timers:
            await apply_timers(transaction, self._cipher, batch.connector, batch.timers)

    async def _conclude(self, transaction: Transaction, together: list[PreparedBatch]) -> None:
        """Where the connectors now stand. The last cursor of each is the one it would end with."""
        for prepared in together:
            if prepared.to_device:
                name = prepared.batch.connector
                await write_messages(transaction, name, prepared.to_device, at_ms=prepared.at_ms)
        if unlisted := sum(prepared.batch.unlisted for prepared in together):
            await transaction.run("meta_add", "unlisted", unlisted)
        places = {
            prepared.batch.connector: (prepared.batch.connector, cursor, prepared.at_ms)
            for prepared in together
            if (cursor := prepared.batch.cursor) is not None
        }
        if places:
            await transaction.many("place_set", list(places.values()))

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
        numbers, seq = await self._numbers(transaction, {event.stream.sid for event in events})
        fresh: list[tuple[PreparedEvent, int]] = []
        for event in events:
            sid = event.stream.sid
            if (sid, event.ident) in known:
                continue
            known.add((sid, event.ident))
            fresh.append((event, numbers[sid]))
            numbers[sid] += 1
        if not fresh:
            return {}
        for start in range(0, len(fresh), ROWS_AT_ONCE):
            columns = _entry_columns(fresh[start : start + ROWS_AT_ONCE])
            await transaction.run("entry_insert", seq + start, *columns)
        await transaction.many("stream_advance", [(n, sid) for sid, n in numbers.items()])
        seqs = {id(event): seq + i for i, (event, _) in enumerate(fresh)}
        await self._attach(transaction, seqs, fresh)
        return seqs

    async def _attach(
        self,
        transaction: Transaction,
        seqs: dict[int, int],
        fresh: Sequence[tuple[PreparedEvent, int]],
    ) -> None:
        """What comes with new entries: orders, the keys they wait for, newcomers to tell, gaps."""
        orders = [order for event, _ in fresh for order in self.orders(seqs[id(event)], event)]
        if orders:
            await transaction.many("download_insert", orders)
        shut = [
            (seqs[id(event)], event.stream.connector, event.session, to_ms(event.event.observed_at))
            for event, _ in fresh
            if event.session is not None
        ]
        if shut:
            await transaction.many("unopened_insert", shut)
        came = [
            (to_ms(event.event.observed_at), event.stream.connector, event.stream.group_id)
            for event, _ in fresh
            if is_arrival(event.event)
        ]
        if came:
            await transaction.many("register_newcomer", came)
        for event, n in fresh:
            if event.event.missing is not None:
                await self._note_missing(transaction, event, n)

    async def _known(
        self, transaction: Transaction, events: Sequence[PreparedEvent]
    ) -> set[tuple[int, bytes]]:
        """Those of the events that are there already, by stream and identity."""
        sids = msgspec.json.encode([event.stream.sid for event in events]).decode()
        idents = b"".join([event.ident for event in events])
        return set(await transaction.rows("entry_known", tuple[int, bytes], sids, idents))

    async def _numbers(
        self, transaction: Transaction, sids: set[int]
    ) -> tuple[dict[int, int], int]:
        """The next number of each stream, and the next ``seq``."""
        rows = await transaction.rows(
            "stream_next_n", tuple[int, int, int, int], msgspec.json.encode(sorted(sids)).decode()
        )
        if any(closed for _, _, closed, _ in rows):
            raise StreamClosedError("the stream takes no more events")
        return {sid: next_n for sid, next_n, _, _ in rows}, rows[0][3]

    def orders(self, seq: int, event: PreparedEvent) -> list[Sequence[Value]]:
        """The rows of an entry's download orders."""
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
        placed = PlacedLoss(stream=stream, loss=loss, after=after)
        await write_gaps(transaction, self._cipher, [placed], at_ms=at_ms)

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


def _runs(batches: Sequence[PreparedBatch]) -> Iterator[list[PreparedBatch]]:
    """The batches, cut before each that does something ahead of its events.

    Between two cuts there are only events, numbered one after the other, and cursors: one pass
    over them leaves the rows that one batch after the other would.
    """
    run: list[PreparedBatch] = []
    for prepared in batches:
        batch = prepared.batch
        if run and (batch.sightings or prepared.losses or batch.timers):
            yield run
            run = []
        run.append(prepared)
    if run:
        yield run


def _first_try(event: PreparedEvent) -> int:
    """When it may be judged: at once, or, while its key may yet come, at half the time it has."""
    if event.session is None:
        return 0
    received = to_ms(event.event.observed_at)
    return received + max(to_ms(event.deadline.safe_by) - received, 0) // 2


def _entry_columns(fresh: Sequence[tuple[PreparedEvent, int]]) -> tuple[str, bytes, bytes]:
    """The rows of new entries with their numbers, as ``entry_insert`` takes them.

    One statement for all: SQLite goes through it without coming back for each row.
    """
    rows = []
    begins = 1
    for event, n in fresh:
        deadline = event.deadline
        rows.append(
            (
                event.stream.sid,
                n,
                event.event.kind.value,
                to_ms(event.event.observed_at),
                to_ms(deadline.safe_by),
                None if deadline.expires_at is None else to_ms(deadline.expires_at),
                _first_try(event),
                begins,
                len(event.payload),
            )
        )
        begins += len(event.payload)
    idents = b"".join([event.ident for event, _ in fresh])
    payloads = b"".join([event.payload for event, _ in fresh])
    return msgspec.json.encode(rows).decode(), idents, payloads
