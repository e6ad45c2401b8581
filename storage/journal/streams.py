"""Verbs on streams: what is delivered opens them and is numbered in them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from bridge import keys
from bridge.canonical import act_bytes
from bridge.canonical.json import base64url_text
from bridge.lifecycle import EntryState
from bridge.model import Batch, Cursor, Event, Group, Loss
from bridge.protocols import Appended, Placement, PlacementKind
from storage.journal.arrivals import PreparedBatch, PreparedEvent, StreamClosedError
from storage.journal.committer import Transaction
from storage.journal.placements import PlacementVerbs
from storage.journal.rows import GroupRow, StreamRow, to_ms

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
            )
            try:
                appended = await self._committer.run(self._arrivals.writing(prepared))
            except StreamClosedError:  # between the two; nothing was written: the next stream
                await self._load_streams()
        self._signal(EntryState.RECEIVED)
        return replace(appended, opened=tuple(opened))

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
            stream_key = self._random(32)
            stream = keys.stream_id(stream_key, group.platform, group_id)
            gid = keys.group_gid(self._blind_key, group.platform, group_id)
            now = self._clock.now()
            act = Placement(
                kind=PlacementKind.OPEN,
                folder=keys.act_folder(now),
                body=self._open_act(group, stream, gid, stream_key, now),
                connector=connector,
                group_id=group_id,
                at=now,
                stream=stream,
            )
            sealed = self._cipher.seal_bytes(stream_key, column="stream_key", row=stream.encode())

            async def work(transaction: Transaction) -> None:
                await transaction.rows(
                    "stream_insert", int, stream, connector, group_id, gid, sealed, to_ms(now)
                )
                await self._insert(transaction, act)

            await self._committer.run(work)
            await self._load_streams()
            return True

    def _open_act(
        self, group: Group, stream: str, gid: str, stream_key: bytes, now: datetime
    ) -> bytes:
        named = {"name": group.name} if group.name else {}
        return act_bytes(
            salt=self._random(32),
            kind="open",
            at=now,
            by="bridge",
            details={
                "stream": stream,
                "stream_key": base64url_text(stream_key),
                "gid": gid,
                "platform": group.platform,
                "group": {"id": group.group_id, **named},
            },
        )

    async def record_gap(self, connector: str, loss: Loss, *, at: datetime) -> None:
        """A gap that no batch carries."""
        blank = Batch(connector=connector, platform="", cursor=None, losses=(loss,))
        stream = (await self._streams_for(blank, []))[loss.group_id]

        async def work(transaction: Transaction) -> None:
            await self._arrivals.write_gap(transaction, stream, loss, at_ms=to_ms(at))

        await self._committer.run(work)


def _groups_of(batch: Batch) -> list[str]:
    """The groups whose stream this batch needs, once each."""
    events: list[Event | Loss] = [*batch.events, *batch.losses]
    return list(dict.fromkeys(item.group_id for item in events))
