"""Verbs on streams: what is delivered opens them and is numbered in them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from bridge import keys
from bridge.lifecycle import EntryState
from bridge.model import Batch, Cursor, Event, Group, Loss
from bridge.protocols import Appended, EarlierStream
from storage.journal.arrivals import PreparedBatch, PreparedEvent, StreamClosedError
from storage.journal.committer import Transaction
from storage.journal.placements import PlacementVerbs
from storage.journal.register_rows import GroupRow
from storage.journal.rows import StreamRow, to_ms
from storage.journal.stream_acts import open_act
from storage.journal.to_device import PreparedMessage

YIELD_EVERY = 200
"""Events prepared before the event loop gets a turn: a batch of thousands must not stall it."""


class StreamVerbs(PlacementVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def cursor(self, connector: str) -> Cursor | None:
        """Where ``connector`` stands."""
        rows = await self._rows("place_get", bytes, connector)
        return Cursor(rows[0]) if rows else None

    async def append(self, batch: Batch) -> Appended:
        """Commit a batch. Crash before the commit: nothing of it, and it is delivered again."""
        opened: list[str] = []
        appended: Appended | None = None
        while appended is None:
            streams = await self._streams_for(batch, opened)
            prepared = PreparedBatch(
                batch=batch,
                at_ms=self._now_ms(),
                events=await self._prepare(batch, streams),
                losses=[(streams[loss.group_id], loss) for loss in batch.losses],
                to_device=await self._prepare_messages(batch),
            )
            try:
                appended = await self._committer.join(self._arrivals.write, prepared)
            except StreamClosedError:  # between the two; nothing was written: the next stream
                await self._load_streams()
        self._signal(EntryState.RECEIVED)
        if batch.timers:  # what rested may be due now
            self._signal(EntryState.JUDGED, EntryState.SEALED)
        return replace(appended, opened=tuple(opened)) if opened else appended

    async def _streams_for(self, batch: Batch, opened: list[str]) -> dict[str, StreamRow]:
        """The open stream of each group in the batch; adds to ``opened`` what was not there."""
        streams: dict[str, StreamRow] = {}
        for group_id in _groups_of(batch):
            stream = self._streams.get((batch.connector, group_id))
            while stream is None:
                if await self._open_stream(batch.connector, group_id):
                    opened.append(group_id)
                stream = self._streams.get((batch.connector, group_id))
            streams[group_id] = stream
        return streams

    async def _prepare(self, batch: Batch, streams: dict[str, StreamRow]) -> list[PreparedEvent]:
        prepared = []
        for i, event in enumerate(batch.events):
            if i % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            prepared.append(self._arrivals.prepare(event, streams[event.group_id]))
        return prepared

    async def _prepare_messages(self, batch: Batch) -> list[PreparedMessage]:
        prepared = []
        for i, raw in enumerate(batch.to_device):
            if i % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            prepared.append(self._arrivals.prepare_message(batch.connector, raw))
        return prepared

    async def _open_stream(self, connector: str, group_id: str) -> bool:
        """Begin a group's stream and queue its ``open`` act. False: somebody else did.

        A transaction of its own: a crash after it leaves a stream without events, which the
        repeated delivery then fills.
        """
        async with self._opening:
            if (connector, group_id) in self._streams:
                return False
            rows = await self._rows("register_one", GroupRow, connector, group_id)
            if not rows:
                raise RuntimeError(f"connector {connector} delivered a group that is not listed")
            group = rows[0].group()
            now = self._clock.now()

            async def work(transaction: Transaction) -> None:
                await self._insert_stream(transaction, group, at=now)

            await self._committer.run(work)
            await self._load_streams()
            return True

    async def _insert_stream(
        self,
        transaction: Transaction,
        group: Group,
        *,
        at: datetime,
        previous: EarlierStream | None = None,
    ) -> StreamRow:
        """A new stream with its key, and its ``open`` act."""
        stream_key = self._random(32)
        stream = keys.stream_id(stream_key, group.platform, group.group_id)
        gid = keys.group_gid(self._blind_key, group.platform, group.group_id)
        names = (stream, group.connector, group.group_id, gid)
        sealed = self._cipher.seal_bytes(stream_key, column="stream_key", row=stream.encode())
        (sid,) = await transaction.rows("stream_insert", int, *names, sealed, to_ms(at))
        act = open_act(
            group,
            stream=stream,
            gid=gid,
            stream_key=stream_key,
            salt=self._random(32),
            at=at,
            previous=previous,
        )
        await self._insert(transaction, act)
        return StreamRow(
            sid=sid,
            id=stream,
            gid=gid,
            connector=group.connector,
            platform=group.platform,
            group_id=group.group_id,
            name=group.name,
            capture_all=int(group.capture_all),
            retention=group.particulars.retention,
        )


def _groups_of(batch: Batch) -> list[str]:
    """The groups whose stream this batch needs, once each."""
    events: list[Event | Loss] = [*batch.events, *batch.losses]
    return list(dict.fromkeys(item.group_id for item in events))
