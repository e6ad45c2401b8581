"""Verbs on the lines of the log: read for publishing, taken back from the store, counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from bridge.canonical import Leaf, read_key
from bridge.model import Stream
from bridge.protocols import Anchor, PlacementKind, SeenCount
from tests.fakes.journal.core import MemoryCore
from tests.fakes.journal.rows import to_millisecond

REFERRING = frozenset({"stored", "decision", "late"})


class LeafVerbs(MemoryCore):
    """See :class:`bridge.protocols.Leaves`."""

    async def leaf_count(self) -> int:
        """How many there are."""
        self._require_open()
        count = len(self.log)
        await self._turn()
        return count

    async def leaves(self, start: int, limit: int) -> tuple[bytes, ...]:
        """A page of them."""
        self._require_open()
        found = tuple(leaf.body for leaf in self.log[start : start + limit])
        await self._turn()
        return found

    async def content_leaves(self, size: int) -> int:
        """Up to the last that is no anchor leaf."""
        self._require_open()
        content = [i + 1 for i, leaf in enumerate(self.log[:size]) if leaf.kind != "anchor"]
        await self._turn()
        return max(content, default=0)

    async def graft(self, at: int, leaves: Sequence[bytes]) -> None:
        """Take them in."""
        self._require_open()
        if not 0 <= at <= len(self.log):
            raise RuntimeError("leaves are taken in where the journal's own end, or before")
        bodies = [json.loads(body) for body in leaves]
        taken = [Leaf(kind=body["k"], body=leaf) for body, leaf in zip(bodies, leaves, strict=True)]
        count = len(taken)
        own = [self._moved(leaf, at, count) for leaf in self.log[at:]]
        self._leaves_moved |= bool(own)
        self.log[at:] = [*taken, *own]
        for row in self._rows.values():
            if row.seen_leaf is not None and row.seen_leaf >= at:
                row.seen_leaf += count
        for placement in self._placements:
            if placement.leaf is not None and placement.leaf >= at:
                placement.leaf += count
        self._gap_leaves = [i + count if i >= at else i for i in self._gap_leaves]
        for i, body in enumerate(bodies):
            if "p" in body and body["k"] != "stored":
                self._grafted.setdefault((body["p"], body["o"]), at + i)
        await self._turn()

    def _moved(self, leaf: Leaf, at: int, count: int) -> Leaf:
        if leaf.kind not in REFERRING:
            return leaf
        ref = json.loads(leaf.body)["ref"]
        return leaf.referring(ref + count if ref >= at else ref)

    async def open_among(self, streams: Sequence[str]) -> tuple[Stream, ...]:
        """Own open streams."""
        self._require_open()
        found = tuple(self._stream(row) for row in self._open.values() if row.id in streams)
        await self._turn()
        return found

    async def seen_counts(self, *, through: int) -> tuple[SeenCount, ...]:
        """Counted from the start."""
        self._require_open()
        if through < self._counted:
            raise RuntimeError("leaves are counted on, never back")
        self._counted = through
        found: dict[str, SeenCount] = {}
        for leaf in self.log[:through]:
            if leaf.kind == "seen":
                line = json.loads(leaf.body)
                known = found.get(line["s"], SeenCount(stream=line["s"], last_n=-1, seen=0))
                found[known.stream] = replace(
                    known, last_n=max(known.last_n, line["n"]), seen=known.seen + 1
                )
        await self._turn()
        return tuple(found[stream] for stream in sorted(found))

    async def name_key(self, leaf: Leaf, *, start: int) -> bool:
        """Write it, unless it is the last one."""
        self._require_open()
        named = [read_key(each.body) for each in self.log[start:] if each.kind == "key"]
        due = not named or named[-1] != read_key(leaf.body)
        if due:
            self.log.append(leaf)
        await self._turn()
        return due

    async def audited(self, folder: str) -> bool:
        """Whether the day has its audit."""
        self._require_open()
        found = self._is_audited(folder)
        await self._turn()
        return found

    def _is_audited(self, folder: str) -> bool:
        return any(
            row.placement.kind is PlacementKind.AUDIT and row.placement.folder == folder
            for row in self._placements
        )

    async def queue_anchor(self, anchor: Anchor) -> None:
        """Keep it."""
        self._require_open()
        if anchor.key not in self._anchor_keys:
            self._anchor_keys.add(anchor.key)
            self._anchors.append(replace(anchor, at=to_millisecond(anchor.at)))
        await self._turn()

    async def anchors(self, *, limit: int) -> tuple[Anchor, ...]:
        """What waits."""
        self._require_open()
        found = tuple(self._anchors[:limit])
        await self._turn()
        return found

    async def anchored(self, key: str, *, leaf: Leaf | None) -> None:
        """Write its leaf."""
        self._require_open()
        left = [anchor for anchor in self._anchors if anchor.key != key]
        if len(left) < len(self._anchors) and leaf is not None:
            self._published_or_added(leaf)
        self._anchors = left
        await self._turn()

    def _published_or_added(self, leaf: Leaf) -> int:
        """A leaf that another life of this log published stands already."""
        body = json.loads(leaf.body)
        published = self._grafted.get((body["p"], body["o"]))
        return self._add_leaf(leaf) if published is None else published
