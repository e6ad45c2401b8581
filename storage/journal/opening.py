"""Verbs on what is encrypted: messages to our device, and entries that wait for their key."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from bridge.errors import JournalKeyError
from bridge.lifecycle import EntryState
from bridge.model import Event, Loss
from bridge.protocols import Decryption, ToDevice, Unopened
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore, as_json
from storage.journal.decrypting import YIELD_EVERY, Decrypting
from storage.journal.gaps import PlacedLoss, write_gaps
from storage.journal.rows import StreamRow, from_ms, sayable, to_ms
from storage.journal.to_device import COLUMN, drop, resume
from storage.journal.unopened import is_unopened, session_mark

UNDECRYPTABLE = "undecryptable"
"""Why: nobody gave us the key of what was said, for as long as it was waited for."""

LONGEST_WHY = 500
PAGE = 200


class ToDeviceRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``to_device_waiting``."""

    number: int
    digest: bytes
    at: int
    raw: bytes


class WaitingRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``unopened_waiting`` or ``unopened_of_sessions``."""

    seq: int
    why: str
    gave_up: int


class AgedRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``unopened_aged`` or ``unopened_final``."""

    seq: int
    received_at: int
    why: str
    n: int
    ident: bytes
    payload: bytes
    sid: int


class Sent(msgspec.Struct, kw_only=True, frozen=True):
    """Of a sealed event when it was sent. The rest of it is not decoded."""

    sent_at: datetime | None = None


class OpeningVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def to_device(self, connector: str, *, after: int, limit: int) -> tuple[ToDevice, ...]:
        """What the decrypter has not taken. What is damaged is passed over.

        Crash before it is known that they are given: they are given again. After it, and before
        they were taken: the same, since the decrypter does not have their numbers.
        """
        found: list[ToDevice] = []
        while len(found) < limit:
            wanted = limit - len(found)
            rows = await self._rows("to_device_waiting", ToDeviceRow, connector, after, wanted)
            if not rows:
                break
            after = rows[-1].number
            found += [message for row in rows if (message := self._message(connector, row))]
        if found:
            last = found[-1].number

            async def work(transaction: Transaction) -> None:
                await transaction.run("to_device_given_set", connector, last)

            await self._committer.run(work)
        return tuple(found)

    def _message(self, connector: str, row: ToDeviceRow) -> ToDevice | None:
        try:
            raw = self._cipher.open_bytes(row.raw, column=COLUMN, row=row.digest)
        except JournalKeyError:
            self._damaged_messages.add((connector, row.number))
            return None
        return ToDevice(number=row.number, raw=raw, at=from_ms(row.at))

    async def resume_to_device(self, connector: str, *, taken: int) -> None:
        """Destroy what was taken; of another journal's decrypter, number anew what waits.

        Crash before the commit: the next start does it. After it: the next one finds nothing.
        """

        async def work(transaction: Transaction) -> None:
            await resume(transaction, connector, taken)

        await self._committer.run(work)
        await self._committer.write_back()

    async def drop_to_device(self, connector: str, *, through: int) -> None:
        """Destroy what was taken, then write the log back: from there the file's old bytes go.

        Crash before the first: they are dropped at the next start, by the number the decrypter
        has. Crash between: the log is written back when it is long, or by the next drop.
        """

        async def work(transaction: Transaction) -> None:
            await drop(transaction, connector, through)

        await self._committer.run(work)
        await self._committer.write_back()

    async def unopened(
        self,
        connector: str,
        *,
        sessions: frozenset[str] | None = None,
        given_up: bool = False,
        after: int = 0,
        limit: int,
    ) -> tuple[Unopened, ...]:
        """What waits for its key. What is damaged, or was decrypted meanwhile, is passed over."""
        name, asked = "unopened_all" if given_up else "unopened_waiting", list[str]()
        if sessions is not None:
            marks = sorted(session_mark(self._blind_key, each).hex() for each in sessions)
            name, asked = "unopened_of_sessions", [as_json(marks)]
        found: list[Unopened] = []
        while len(found) < limit:
            page = min(limit - len(found), PAGE)
            rows = await self._rows(name, WaitingRow, connector, *asked, after, page)
            if not rows:
                break
            after = rows[-1].seq
            found += await self._shut(rows)
        return tuple(found)

    async def _shut(self, rows: Sequence[WaitingRow]) -> list[Unopened]:
        entries = {entry.seq: entry for entry in await self._entries([row.seq for row in rows])}
        return [
            Unopened(
                seq=row.seq,
                group_id=entry.stream.group_id,
                session=(entry.event.crypto.session or "") if entry.event.crypto else "",
                event=entry.event,
                why=row.why,
                gave_up=bool(row.gave_up),
            )
            for row in rows
            if (entry := entries.get(row.seq)) is not None and is_unopened(entry.event)
        ]

    async def decrypted(self, decryptions: Sequence[Decryption]) -> tuple[int, ...]:
        """Give entries their content. Crash before the commit: they are decrypted again.

        What is to be changed in place is leased until the commit is over, even if the caller is
        cancelled: a claim in between would read the old content and judge the new one by it.
        """
        wanted: dict[int, Event] = {}
        for each in decryptions:
            wanted.setdefault(each.seq, each.event)
        if not wanted:
            return ()
        async with self._leased.choosing() as held:
            free = frozenset(wanted) - held
            self._leased.take(free)
        at = self._clock.now()

        async def work(transaction: Transaction) -> tuple[int, ...]:
            return await Decrypting(transaction, self._arrivals, free=free, at=at).run(wanted)

        task = asyncio.ensure_future(self._committer.run(work))
        task.add_done_callback(lambda done: self._end_round(done, free))
        return await asyncio.shield(task)

    def _end_round(self, done: asyncio.Future[tuple[int, ...]], free: Collection[int]) -> None:
        self._leased.give_back(free)
        self._signal(EntryState.RECEIVED)
        if not done.cancelled():
            done.exception()  # a caller that was cancelled never looks

    async def opened_beside(self, stream: str, numbers: Sequence[int]) -> frozenset[int]:
        """Which of these have their content elsewhere."""
        asked = as_json(list(numbers))
        return frozenset(await self._rows("entry_is_opened_beside", int, stream, asked))

    async def not_opened(
        self, reasons: Sequence[tuple[int, str]], *, final: Collection[int] = ()
    ) -> None:
        """Remember what is in the way. Crash before: it is found again, with the same end."""
        at_ms = self._now_ms()

        async def work(transaction: Transaction) -> None:
            await transaction.many(
                "unopened_why", [(sayable(why[:LONGEST_WHY]), seq) for seq, why in reasons]
            )
            if final:
                asked = as_json(sorted(final))
                rows = await transaction.rows("unopened_final", AgedRow, asked)
                await self._give_up_rows(transaction, rows, at_ms=at_ms)
                await transaction.run("entry_wait_over", asked)

        await self._committer.run(work)
        if final:
            self._signal(EntryState.RECEIVED)

    async def give_up_unopened(
        self, connector: str, *, received_before: datetime, limit: int
    ) -> int:
        """Write the gaps. Crash before the commit: none is there and none is marked."""
        at_ms = self._now_ms()

        async def work(transaction: Transaction) -> int:
            before = to_ms(received_before)
            rows = await transaction.rows("unopened_aged", AgedRow, connector, before, limit)
            await self._give_up_rows(transaction, rows, at_ms=at_ms)
            return len(rows)

        return await self._committer.run(work)

    async def _give_up_rows(
        self, transaction: Transaction, rows: Sequence[AgedRow], *, at_ms: int
    ) -> None:
        """The gaps, each with its leaf, and the mark that they are written."""
        sids = as_json(sorted({row.sid for row in rows}))
        streams = {row.sid: row for row in await transaction.rows("stream_some", StreamRow, sids)}
        losses: list[PlacedLoss] = []
        for i, row in enumerate(rows):
            if i % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            losses.append(self._loss(row, streams[row.sid]))
        if losses:
            await write_gaps(transaction, self._cipher, losses, at_ms=at_ms)
            await transaction.run("unopened_give_up", as_json([row.seq for row in rows]))

    def _loss(self, row: AgedRow, stream: StreamRow) -> PlacedLoss:
        """Where it stands; of one that is damaged it is not known when it was sent."""
        try:
            sent_at = self._cipher.open(row.payload, Sent, column="payload", row=row.ident).sent_at
        except JournalKeyError:
            sent_at = None
        loss = Loss(
            group_id=stream.group_id,
            why=UNDECRYPTABLE,
            since=sent_at,
            until=from_ms(row.received_at),
            detail=row.why,
        )
        return PlacedLoss(stream=stream, loss=loss, after=row.n)
