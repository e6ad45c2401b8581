"""Verbs on encrypted entries that wait for their key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bridge import deadlines, keys
from bridge.lifecycle import EntryState
from bridge.model import Event, Loss, Relation, RelationType, Timer
from bridge.protocols import Decryption, Unopened
from tests.fakes.journal.rows import (
    LONG_AGO,
    EntryRow,
    is_unopened,
    sayable,
    to_millisecond,
)
from tests.fakes.journal.streams import StreamVerbs

NO_STREAM = "Its key came when its group was not recorded any more."


class OpeningVerbs(StreamVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def unopened(
        self,
        connector: str,
        *,
        sessions: frozenset[str] | None = None,
        given_up: bool = False,
        after: int = 0,
        limit: int,
    ) -> tuple[Unopened, ...]:
        """What waits for its key."""
        self._require_open()
        found = [
            value
            for row in self._shut()
            if row.stream.connector == connector
            and row.seq > after
            and (value := _unopened(row)) is not None
            and (given_up or not value.gave_up if sessions is None else value.session in sessions)
        ]
        await self._turn()
        return tuple(found[:limit])

    async def decrypted(self, decryptions: Sequence[Decryption]) -> tuple[int, ...]:
        """Give entries their content."""
        self._require_open()
        found: dict[int, tuple[EntryRow, Event]] = {}
        for each in decryptions:
            row = self._rows.get(each.seq)
            if row is not None and row.shut is not None:
                self._require_same(row, each.event)
                found.setdefault(each.seq, (row, each.event))
        busy = [seq for seq in found if seq in self._leased]
        for seq, (row, event) in found.items():
            if seq in busy:
                continue
            if row.state is EntryState.RECEIVED:
                self._open_in_place(row, event)
            else:
                self._open_beside(row, event)
        self._signal(EntryState.RECEIVED)
        await self._turn()
        return tuple(busy)

    def _require_same(self, row: EntryRow, event: Event) -> None:
        name = (event.upstream_id, event.revision)
        if keys.identity(self._blind_key, row.stream.id, *name) != row.ident:
            raise RuntimeError("an entry was given the content of another event")

    def _timer_now(self, row: EntryRow, event: Event, received_at: datetime) -> Timer | None:
        key = (row.stream.connector, row.stream.group_id)
        if key not in self._standing:
            return event.timer
        return deadlines.running(
            lasting=deadlines.lasts(event.kind, event.upstream),
            sent_at=event.sent_at,
            received_at=received_at,
            own_timer=event.own_timer,
            standing=self._standing[key],
        )

    def _open_in_place(self, row: EntryRow, event: Event) -> None:
        deadline = deadlines.plan(
            sent_at=event.sent_at,
            received_at=event.observed_at,
            timer=self._timer_now(row, event, event.observed_at),
        )
        row.event, row.kind, row.shut = event, event.kind, None
        row.opened_at = to_millisecond(self._clock.now())
        row.safe_by = min(row.safe_by, to_millisecond(deadline.safe_by))
        ends = [at for at in (row.expires_at, deadline.expires_at) if at is not None]
        row.expires_at = to_millisecond(min(ends)) if ends else None
        row.try_again_at(LONG_AGO)
        self._order(row, event)

    def _open_beside(self, row: EntryRow, event: Event) -> None:
        assert row.shut is not None, "it is encrypted"
        stream = self._open.get((row.stream.connector, row.stream.group_id))
        if stream is None:
            row.shut.why = NO_STREAM
            return
        row.shut, row.opened_beside = None, True
        first = str(row.n) if stream is row.stream else f"{row.stream.id}/{row.n}"
        now = self._clock.now()
        own = Relation(type=RelationType.DECRYPTED, upstream_id=event.upstream_id)
        revision = "decrypted" if event.revision is None else f"{event.revision}+decrypted"
        late = replace(
            event,
            revision=revision,
            observed_at=now,
            relates_to=event.relates_to or own,
            timer=self._timer_now(row, event, now),
            upstream=(*event.upstream, ("decrypts", first)),
        )
        self._insert(stream, late)

    async def opened_beside(self, stream: str, numbers: Sequence[int]) -> frozenset[int]:
        """Which have their content elsewhere."""
        self._require_open()
        wanted = frozenset(numbers)
        found = frozenset(
            row.n
            for row in self._rows.values()
            if row.stream.id == stream and row.n in wanted and row.opened_beside
        )
        await self._turn()
        return found

    async def not_opened(
        self, reasons: Sequence[tuple[int, str]], *, final: Collection[int] = ()
    ) -> None:
        """Remember what is in the way."""
        self._require_open()
        for seq, why in reasons:
            row = self._rows.get(seq)
            if row is not None and row.shut is not None:
                row.shut.why = sayable(why[:500])
        ended = [row for row in self._shut() if row.seq in final]
        self._lose([row for row in ended if row.shut is not None and not row.shut.gave_up])
        for row in ended:
            if row.state is EntryState.RECEIVED and row.attempts == 0:
                row.try_again_at(LONG_AGO)
        self._signal(EntryState.RECEIVED)
        await self._turn()

    async def give_up_unopened(
        self, connector: str, *, received_before: datetime, limit: int
    ) -> int:
        """Write the gaps."""
        self._require_open()
        old = [
            row
            for row in self._shut()
            if row.stream.connector == connector
            and row.shut is not None
            and not row.shut.gave_up
            and row.received_at < to_millisecond(received_before)
        ]
        old = sorted(old, key=lambda row: (row.received_at, row.seq))[:limit]
        self._lose(old)
        await self._turn()
        return len(old)

    def _lose(self, rows: Sequence[EntryRow]) -> None:
        """A gap for each."""
        now = self._clock.now()
        for row in rows:
            assert row.event is not None
            assert row.shut is not None
            loss = Loss(
                group_id=row.stream.group_id,
                why="undecryptable",
                since=row.event.sent_at,
                until=row.received_at,
                detail=row.shut.why,
            )
            self._gap(row.stream, loss, at=now, after=row.n)
            row.shut.gave_up = True


def _unopened(row: EntryRow) -> Unopened | None:
    if row.shut is None or row.event is None:
        return None
    assert is_unopened(row.event), "what was decrypted is not in the way of anything"
    assert row.event.crypto is not None
    return Unopened(
        seq=row.seq,
        group_id=row.stream.group_id,
        session=row.event.crypto.session or "",
        event=row.event,
        why=row.shut.why,
        gave_up=row.shut.gave_up,
    )
