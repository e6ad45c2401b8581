"""Verbs on what was heard of a platform, and on what its groups are still to be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from bridge.model import Batch, Loss
from bridge.protocols import Saying
from storage.journal.committer import Transaction
from storage.journal.core import as_json
from storage.journal.rows import StreamRow, from_ms, sayable, to_ms
from storage.journal.streams import StreamVerbs


class SayingRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``saying_waiting``."""

    id: int
    connector: str
    group_id: str
    text: str
    key: str
    until: int

    def saying(self) -> Saying:
        """The row as a value."""
        return Saying(
            id=self.id,
            connector=self.connector,
            group_id=self.group_id,
            text=self.text,
            key=self.key,
            until=from_ms(self.until),
        )


class SpeechVerbs(StreamVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def heard(
        self,
        connector: str,
        *,
        at: datetime,
        losses: Sequence[Loss] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """Remember the moment, with the gaps and the words of the silence before it.

        Crash before: the platform was last heard before the silence, which is found again at the
        next start; a stream that was opened for a gap is then there and empty. Crash after: it is
        not found again. Repeated by a caller that was cancelled: a gap of the same group, cause
        and period is there, and a saying has its key.
        """

        async def work(transaction: Transaction, streams: Mapping[str, StreamRow]) -> None:
            for loss in losses:
                await self._write_once(transaction, streams[loss.group_id], loss, at_ms=to_ms(at))
            if losses:
                hit = as_json(sorted({loss.group_id for loss in losses}))
                await transaction.run("register_say_again", connector, hit)
            await write_sayings(transaction, sayings)
            await transaction.run("hearing_set", connector, to_ms(at))

        await self._in_open_streams(connector, losses, work)

    async def record_gap(self, connector: str, loss: Loss, *, at: datetime) -> None:
        """A gap that no batch carries."""

        async def work(transaction: Transaction, streams: Mapping[str, StreamRow]) -> None:
            stream = streams[loss.group_id]
            await self._arrivals.write_gap(transaction, stream, loss, at_ms=to_ms(at))

        await self._in_open_streams(connector, [loss], work)

    async def _in_open_streams(
        self,
        connector: str,
        losses: Sequence[Loss],
        write: Callable[[Transaction, Mapping[str, StreamRow]], Awaitable[None]],
    ) -> None:
        """Write with the streams that these gaps belong to; none of them takes no more events."""
        blank = Batch(connector=connector, platform="", cursor=None, losses=tuple(losses))
        done = False
        while not done:
            streams = await self._streams_for(blank, [])

            async def work(
                transaction: Transaction, streams: Mapping[str, StreamRow] = streams
            ) -> bool:
                sids = as_json(sorted({stream.sid for stream in streams.values()}))
                rows = await transaction.rows("stream_next_n", tuple[int, int, int, int], sids)
                if any(closed for _, _, closed, _ in rows):
                    return False
                await write(transaction, streams)
                return True

            done = await self._committer.run(work)
            if not done:  # closed between the two; nothing was written: the next stream
                await self._load_streams()

    async def _write_once(
        self, transaction: Transaction, stream: StreamRow, loss: Loss, *, at_ms: int
    ) -> None:
        (known,) = await transaction.rows(
            "gap_known",
            int,
            stream.connector,
            stream.group_id,
            sayable(loss.why),
            to_ms(loss.since) if loss.since else None,
            to_ms(loss.until) if loss.until else None,
        )
        if not known:
            await self._arrivals.write_gap(transaction, stream, loss, at_ms=at_ms)

    async def last_heard(self, connector: str) -> datetime | None:
        """When the platform was last heard."""
        found = await self._rows("hearing_get", int, connector)
        return from_ms(found[0]) if found else None

    async def say(self, sayings: Sequence[Saying]) -> None:
        """Have groups told something. Crash before: whoever asked asks again, under the keys."""

        async def work(transaction: Transaction) -> None:
            await write_sayings(transaction, sayings)

        await self._committer.run(work)

    async def sayings(self, *, limit: int) -> tuple[Saying, ...]:
        """What is still to be said, oldest first."""
        return tuple(row.saying() for row in await self._rows("saying_waiting", SayingRow, limit))

    async def said(self, saying: Saying) -> None:
        """It was said. Crash before: it is said again, under the same key."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("saying_said", saying.id)

        await self._committer.run(work)


async def write_sayings(transaction: Transaction, sayings: Sequence[Saying]) -> None:
    """What was said stays, so that its key is known for ever."""
    await transaction.many(
        "saying_insert",
        [
            (each.connector, each.group_id, each.key, to_ms(each.until), sayable(each.text))
            for each in sayings
        ],
    )
