"""Verbs on streams: what is delivered opens them and is numbered in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bridge import deadlines, keys
from bridge.canonical import Leaf, act_bytes
from bridge.canonical.json import Json, base64url_text, rfc3339
from bridge.groups import apply_sighting, first_sighting, is_arrival
from bridge.lifecycle import INITIAL, EntryState
from bridge.model import Batch, Cursor, Event, Group, GroupState, Loss, Sighting
from bridge.protocols import Appended, EarlierStream, Placement, PlacementKind
from tests.fakes.journal.inbox import InboxVerbs
from tests.fakes.journal.placements import PlacementVerbs
from tests.fakes.journal.rows import (
    EntryRow,
    OrderRow,
    ShutRow,
    StreamRow,
    is_unopened,
    sayable,
    to_millisecond,
)
from tests.fakes.journal.timers import TimerVerbs

MOST_PROPOSED = 200


class StreamVerbs(TimerVerbs, InboxVerbs, PlacementVerbs):
    """See :class:`bridge.protocols.Journal`."""

    @property
    def damaged(self) -> int:
        """Nothing in memory is ever damaged."""
        return 0

    async def cursor(self, connector: str) -> Cursor | None:
        """Where ``connector`` stands."""
        self._require_open()
        found = self._cursors.get(connector)
        await self._turn()
        return found

    async def append(self, batch: Batch) -> Appended:
        """Commit a batch."""
        self._require_open()
        now = self._clock.now()
        groups = dict.fromkeys(
            [event.group_id for event in batch.events] + [loss.group_id for loss in batch.losses]
        )
        unknown = [each for each in groups if (batch.connector, each) not in self._register]
        if unknown:
            raise RuntimeError(f"connector {batch.connector} delivered a group that is not listed")
        opened = tuple(each for each in groups if self._open_stream(batch.connector, each))
        for sighting in batch.sightings:
            self._sight(batch, sighting)
        for loss in batch.losses:
            self._gap(self._open[batch.connector, loss.group_id], loss, at=now)
        self._apply_timers(batch.connector, batch.timers)
        new = [
            self._insert(self._open[batch.connector, event.group_id], event)
            for event in batch.events
        ]
        self._take_messages(batch.connector, batch.to_device)
        self._unlisted += batch.unlisted
        if batch.cursor is not None:
            self._cursors[batch.connector] = batch.cursor
        self._signal(EntryState.RECEIVED)
        if batch.timers:
            self._signal(EntryState.JUDGED, EntryState.SEALED)
        fresh = sum(row is not None for row in new)
        await self._turn()
        return Appended(new=fresh, repeated=len(new) - fresh, opened=opened)

    async def record_gap(self, connector: str, loss: Loss, *, at: datetime) -> None:
        """A gap that no batch carries."""
        self._require_open()
        if (connector, loss.group_id) not in self._register:
            raise RuntimeError("a gap needs a listed group")
        self._open_stream(connector, loss.group_id)
        self._gap(self._open[connector, loss.group_id], loss, at=at)
        await self._turn()

    async def close_stream(self, group: Group, *, at: datetime) -> None:
        """End the stream with its total."""
        self._require_open()
        stream = self._open.pop((group.connector, group.group_id), None)
        if stream is not None:
            stream.closed = True
            self._add_placement(self._close_act(stream, at))
        await self._turn()

    def _close_act(self, stream: StreamRow, at: datetime) -> Placement:
        body = act_bytes(
            salt=self._random(32),
            kind="close",
            at=at,
            by="bridge",
            details={"stream": stream.id, "total": stream.next_n},
        )
        return Placement(
            kind=PlacementKind.CLOSE,
            folder=f"acts/{at:%Y/%m/%d}",
            body=body,
            connector=stream.connector,
            group_id=stream.group_id,
            at=at,
            stream=stream.id,
            total=stream.next_n,
        )

    def _open_stream(
        self,
        connector: str,
        group_id: str,
        *,
        at: datetime | None = None,
        previous: EarlierStream | None = None,
    ) -> bool:
        """Begin a group's stream and queue its ``open`` act. False: it is open."""
        if (connector, group_id) in self._open:
            return False
        group = self._register[connector, group_id]
        stream_key = self._random(32)
        stream = StreamRow(
            id=keys.stream_id(stream_key, group.platform, group_id),
            gid=keys.group_gid(self._blind_key, group.platform, group_id),
            connector=connector,
            platform=group.platform,
            group_id=group_id,
        )
        assert stream.id not in self._streams, "a stream key was drawn twice"
        self._open[connector, group_id] = self._streams[stream.id] = stream
        now = at or self._clock.now()
        self._add_placement(self._open_act(stream, stream_key, group, now, previous))
        return True

    def _open_act(
        self,
        stream: StreamRow,
        stream_key: bytes,
        group: Group,
        now: datetime,
        previous: EarlierStream | None,
    ) -> Placement:
        named = {"name": group.name} if group.name else {}
        body = act_bytes(
            salt=self._random(32),
            kind="open",
            at=now,
            by="bridge",
            details={
                "stream": stream.id,
                "stream_key": base64url_text(stream_key),
                "gid": stream.gid,
                "platform": stream.platform,
                "group": {"id": stream.group_id, **named},
                "previous": None if previous is None else _previous(previous),
            },
        )
        return Placement(
            kind=PlacementKind.OPEN,
            folder=f"acts/{now:%Y/%m/%d}",
            body=body,
            connector=stream.connector,
            group_id=stream.group_id,
            at=now,
            stream=stream.id,
        )

    def _note_newcomer(self, stream: StreamRow, event: Event) -> None:
        group = self._register[stream.connector, stream.group_id]
        since = [event.observed_at] + [group.newcomer_at] * (group.newcomer_at is not None)
        self._put_group(replace(group, newcomer_at=min(filter(None, since))))

    def _insert(self, stream: StreamRow, event: Event) -> EntryRow | None:
        """The new row with its number, orders and gap; None for a repeated event."""
        assert not stream.closed, "a closed stream takes no more events"
        ident = keys.identity(self._blind_key, stream.id, event.upstream_id, event.revision)
        if (stream.id, ident) in self._idents:
            return None
        deadline = deadlines.plan(
            sent_at=event.sent_at, received_at=event.observed_at, timer=event.timer
        )
        expires_at = deadline.expires_at
        row = EntryRow(
            seq=len(self._rows) + 1,
            n=stream.next_n,
            stream=stream,
            ident=ident,
            kind=event.kind,
            event=event,
            state=INITIAL,
            received_at=to_millisecond(event.observed_at),
            safe_by=to_millisecond(deadline.safe_by),
            expires_at=None if expires_at is None else to_millisecond(expires_at),
        )
        stream.next_n += 1
        self._rows[row.seq] = self._at_work[row.seq] = self._idents[stream.id, ident] = row
        if is_unopened(event):
            row.shut, row.next_try = ShutRow(), row.half_time
        self._order(row, event)
        if is_arrival(event):
            self._note_newcomer(stream, event)
        if event.missing is not None:
            self._note_missing(row, event)
        return row

    def _order(self, row: EntryRow, event: Event) -> None:
        for i, attachment in enumerate(event.attachments):
            order = OrderRow(
                id=next(self._order_ids), entry=row, i=i, attachment=attachment, due=row.safe_by
            )
            self._orders[order.id] = order

    def _note_missing(self, row: EntryRow, event: Event) -> None:
        loss = Loss(
            group_id=event.group_id,
            why=event.missing or "",
            since=event.sent_at,
            until=event.observed_at,
        )
        self._gap(row.stream, loss, at=event.observed_at, after=row.n)

    def _gap(
        self, stream: StreamRow, loss: Loss, *, at: datetime, after: int | None = None
    ) -> None:
        """A gap with its leaf; ``after`` defaults to the stream's last number."""
        kept = replace(loss, why=sayable(loss.why))
        leaf = Leaf.gap(
            at=to_millisecond(at),
            stream=stream.id,
            after=stream.next_n - 1 if after is None else after,
            why=kept.why,
            since=kept.since,
            until=kept.until,
        )
        self._write_gap(stream, kept, leaf=leaf)

    def _sight(self, batch: Batch, sighting: Sighting) -> None:
        if sighting.group_id != sayable(sighting.group_id):
            return
        known = self._register.get((batch.connector, sighting.group_id))
        if known is not None:
            self._put_group(apply_sighting(known, sighting))
            return
        proposed = sum(
            group.connector == batch.connector and group.state is GroupState.PROPOSED
            for group in self._register.values()
        )
        first = first_sighting(sighting, connector=batch.connector, platform=batch.platform)
        if first is not None and proposed < MOST_PROPOSED:
            self._put_group(first)


def _previous(earlier: EarlierStream) -> dict[str, Json]:
    named: dict[str, Json] = {
        "stream": earlier.stream,
        "last_n": earlier.last_n,
        "to": rfc3339(earlier.until),
    }
    if earlier.since is not None:
        named["from"] = rfc3339(earlier.since)
    return named
