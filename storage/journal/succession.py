"""The store is ahead of the journal: each group goes on in a stream that replaces the old one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge import keys
from bridge.errors import JournalKeyError
from bridge.lifecycle import EntryState
from bridge.model import Event, Group, Loss
from bridge.protocols import EarlierStream
from storage.journal.committer import Transaction
from storage.journal.core import as_json
from storage.journal.register_rows import GroupRow
from storage.journal.rows import StreamRow, to_ms
from storage.journal.stream_acts import close_act
from storage.journal.streams import YIELD_EVERY, StreamVerbs

REPLACED = "journal_replaced"
"""Why: nobody knows what was delivered between the lost journal's end and this one's beginning."""


class UnsealedRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``entry_unsealed``."""

    seq: int
    ident: bytes
    payload: bytes


class SealedOrderRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``download_sealed_of``."""

    id: int
    attachment: bytes
    file: bytes | None


class SuccessionVerbs(StreamVerbs):
    """See :class:`bridge.protocols.Journal`."""

    async def supersede(self, earlier: Sequence[EarlierStream], *, at: datetime) -> None:
        """Begin new streams, one transaction a group.

        Crash between two groups: the next start finds the same earlier streams and goes on.
        """
        groups: dict[tuple[str, str], list[EarlierStream]] = {}
        for each in earlier:
            groups.setdefault((each.connector, each.group_id), []).append(each)
        for (connector, group_id), found in groups.items():
            rows = await self._rows("register_one", GroupRow, connector, group_id)
            if rows:
                await self._succeed(rows[0].group(), found, at)
        self._signal(EntryState.RECEIVED)

    async def _succeed(self, group: Group, found: Sequence[EarlierStream], at: datetime) -> None:
        async def work(transaction: Transaction) -> None:
            known = await transaction.rows(
                "superseded_known", str, as_json([each.stream for each in found])
            )
            for each in {each.stream: each for each in found if each.stream not in known}.values():
                await transaction.run(
                    "superseded_insert",
                    each.stream,
                    group.connector,
                    group.group_id,
                    each.last_n,
                    to_ms(at),
                )
                await self._replace(transaction, group, each, at)

        async with self._opening:
            await self._committer.run(work)
            await self._load_streams()

    async def _replace(
        self, transaction: Transaction, group: Group, earlier: EarlierStream, at: datetime
    ) -> None:
        """End the open stream, begin another with its gap, and take along what has no leaf yet."""
        standing = await transaction.rows(
            "stream_open_of", StreamRow, group.connector, group.group_id
        )
        moving: list[UnsealedRow] = []
        for old in standing:
            moving += await self._end(transaction, old, earlier, at)
        new = await self._insert_stream(transaction, group, at=at, previous=earlier)
        loss = Loss(group_id=group.group_id, why=REPLACED, since=earlier.since, until=earlier.until)
        await self._arrivals.write_gap(transaction, new, loss, at_ms=to_ms(at))
        n = 0
        for i, row in enumerate(moving):
            if i % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            n += await self._move(transaction, row, new, n)
        await transaction.run("stream_advance", n, new.sid)

    async def _end(
        self, transaction: Transaction, old: StreamRow, earlier: EarlierStream, at: datetime
    ) -> list[UnsealedRow]:
        """The stream takes no more events; gives what leaves it.

        The lost journal went on in the stream itself: none of its free numbers is ours, and how
        many it has nobody knows. Another stream is ours alone: what stands below its last leaf
        stays, so that no number is missing, and it ends with its total.
        """
        await transaction.run("stream_close", to_ms(at), old.sid)
        if old.id == earlier.stream:
            return await transaction.rows("entry_unsealed", UnsealedRow, old.sid, -1)
        (last,) = await transaction.rows("entry_highest_sealed", int, old.sid)
        act = close_act(old, total=last + 1, salt=self._random(32), at=at)
        await self._insert(transaction, act)
        moving = await transaction.rows("entry_unsealed", UnsealedRow, old.sid, last)
        await transaction.run("stream_advance", last + 1, old.sid)
        return moving

    async def _move(
        self, transaction: Transaction, row: UnsealedRow, new: StreamRow, n: int
    ) -> int:
        """Receive an entry anew as number ``n``; gives how many numbers that took.

        Each sealed value is bound to the identity, which depends on the stream.
        """
        cipher = self._cipher
        try:
            event = cipher.open(row.payload, Event, column="payload", row=row.ident)
        except JournalKeyError:  # nobody can read it: it stays where it was
            return 0
        ident = keys.identity(self._blind_key, new.id, event.upstream_id, event.revision)

        def bound(sealed: bytes, column: str) -> bytes:
            data = cipher.open_bytes(sealed, column=column, row=row.ident)
            return cipher.seal_bytes(data, column=column, row=ident)

        for order in await transaction.rows("download_sealed_of", SealedOrderRow, row.seq):
            await transaction.run(
                "download_reseal",
                bound(order.attachment, "attachment"),
                None if order.file is None else bound(order.file, "file"),
                order.id,
            )
        payload = bound(row.payload, "payload")
        await transaction.run("entry_renumber", new.sid, n, ident, payload, row.seq)
        return 1
