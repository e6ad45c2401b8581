"""Verbs on the lines of the log: read for publishing, taken back from the store, counted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.canonical import Leaf, read_key
from bridge.model import Stream
from bridge.protocols import Anchor, SeenCount
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore, as_json
from storage.journal.leaf_rows import AnchorRow, LeafLine, NamedObject, ReferringRow
from storage.journal.rows import StreamRow, to_ms

PAGE = 2000
"""Rows that are rewritten or counted in one go."""

COUNTED = "leaves_counted"
"""How far seen leaves are counted."""

MOVED = ("entry_leaf_move", "gap_leaf_move", "placement_leaf_move", "anchor_leaf_move")


class LeafVerbs(JournalCore):
    """See :class:`bridge.protocols.Leaves`."""

    async def leaf_count(self) -> int:
        """How many there are."""
        (count,) = await self._rows("leaf_next", int)
        return count

    async def leaves(self, start: int, limit: int) -> tuple[bytes, ...]:
        """A page of them."""
        return tuple(await self._rows("leaf_page", bytes, start, limit))

    async def content_leaves(self, size: int) -> int:
        """Up to the last that is no anchor leaf."""
        found = await self._rows("leaf_content", int, size)
        return found[0] if found else 0

    async def graft(self, at: int, leaves: Sequence[bytes]) -> None:
        """Take them in, in one transaction.

        Crash before: the store is compared again and they are taken in then. Crash after: they
        are found to stand there, and the comparison goes on behind them.
        """
        lines = [msgspec.json.decode(body, type=LeafLine) for body in leaves]

        async def work(transaction: Transaction) -> None:
            (count,) = await transaction.rows("leaf_next", int)
            if not 0 <= at <= count:
                raise RuntimeError("leaves are taken in where the journal's own end, or before")
            if at < count:
                # Before the commit: what is written right behind it names rows that have moved,
                # and a caller that was cancelled would never come to say so.
                self._leaves_moved = True
                await _make_room(transaction, at, len(leaves))
            await transaction.many(
                "leaf_insert",
                [(at + i, line.k, leaves[i]) for i, line in enumerate(lines)],
            )
            await transaction.many(
                "grafted_insert",
                [(line.p, line.o, at + i) for i, line in enumerate(lines) if line.is_of_document],
            )

        # No reference is looked at meanwhile: every row of every table would be read for each leaf.
        await self._committer.run_unchecked(work)

    async def open_among(self, streams: Sequence[str]) -> tuple[Stream, ...]:
        """Own open streams."""
        rows = await self._rows("stream_open_among", StreamRow, as_json(sorted(streams)))
        return tuple(row.stream() for row in rows)

    async def seen_counts(self, *, through: int) -> tuple[SeenCount, ...]:
        """Counted on from where the last count ended, page by page.

        Crash between two pages: the next count goes on from there.
        """
        while await self._count_page(through):
            pass
        rows = await self._rows("seen_count_all", tuple[str, int, int])
        return tuple(SeenCount(stream=row[0], last_n=row[1], seen=row[2]) for row in rows)

    async def _count_page(self, through: int) -> bool:
        async def work(transaction: Transaction) -> bool:
            (start,) = await transaction.rows("meta_get", int, COUNTED) or [0]
            if start > through:
                raise RuntimeError("leaves are counted on, never back")
            rows = await transaction.rows(
                "seen_count_page", tuple[bytes, int], start, through, PAGE
            )
            found: dict[str, tuple[int, int]] = {}
            for body, is_seen in rows:
                if is_seen:
                    line = msgspec.json.decode(body, type=LeafLine)
                    last_n, seen = found.get(line.s, (-1, 0))
                    found[line.s] = max(last_n, line.n), seen + 1
            await transaction.many(
                "seen_count_add", [(stream, *counts) for stream, counts in found.items()]
            )
            await transaction.run("meta_set", COUNTED, start + len(rows))
            return len(rows) == PAGE

        return await self._committer.run(work)

    async def name_key(self, leaf: Leaf, *, start: int) -> bool:
        """Write it, in one transaction. Crash before: the next look finds it missing."""

        async def work(transaction: Transaction) -> bool:
            named = await transaction.rows("leaf_last_key", bytes, start)
            if named and read_key(named[0]) == read_key(leaf.body):
                return False
            await transaction.add_leaves([leaf])
            return True

        return await self._committer.run(work)

    async def audited(self, folder: str) -> bool:
        """Whether the day has its audit."""
        (found,) = await self._rows("placement_audited", int, folder)
        return bool(found)

    async def queue_anchor(self, anchor: Anchor) -> None:
        """Keep it. Crash before: another is got from the witness."""

        async def work(transaction: Transaction) -> None:
            await transaction.run(
                "anchor_insert", anchor.key, anchor.size, to_ms(anchor.at), anchor.body
            )

        await self._committer.run(work)

    async def anchors(self, *, limit: int) -> tuple[Anchor, ...]:
        """What waits."""
        rows = await self._rows("anchor_waiting", AnchorRow, limit)
        return tuple(row.anchor() for row in rows)

    async def anchored(self, key: str, *, leaf: Leaf | None) -> None:
        """Write its leaf. Crash before: the same bytes are put again under the same key."""

        async def work(transaction: Transaction) -> None:
            (stands,) = await transaction.rows("anchor_stands", int, key)
            if not stands:
                return
            index = None
            if leaf is not None:
                named = msgspec.json.decode(leaf.body, type=NamedObject)
                published = await transaction.rows("grafted_at", int, named.p, named.o)
                (index,) = published or await transaction.add_leaves([leaf])
            await transaction.run("anchor_settle", key, index)

        await self._committer.run(work)


async def _make_room(transaction: Transaction, at: int, count: int) -> None:
    """Move what stands from ``at`` on by ``count``, with all that names it."""
    await transaction.run("leaf_move_away", at, count)
    await transaction.run("leaf_move_back")
    for statement in MOVED:
        await transaction.run(statement, at, count)
    start = at + count
    while rows := await transaction.rows("leaf_referring", ReferringRow, start, PAGE):
        moved = [
            (row.idx, row.leaf.referring(row.ref + count).body) for row in rows if row.ref >= at
        ]
        await transaction.many("leaf_rewrite", moved)
        start = rows[-1].idx + 1
