"""What the journal promises of the lines of the log, and of what is known about the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bridge.canonical import Leaf
from bridge.model import Stream
from bridge.protocols.journal_values import SeenCount
from bridge.protocols.log import Anchor


class Leaves(Protocol):
    """Verbs on leaf rows. A row's index is its leaf's place in the log."""

    async def leaf_count(self) -> int:
        """How many leaves the journal has; they are gapless from 0."""

    async def leaves(self, start: int, limit: int) -> tuple[bytes, ...]:
        """Leaves from index ``start`` on, in order."""

    async def content_leaves(self, size: int) -> int:
        """Of the first ``size`` leaves those up to the last that is no ``anchor`` leaf."""

    async def graft(self, at: int, leaves: Sequence[bytes]) -> None:
        """Take in ``leaves``, which the store shows published from index ``at`` on.

        What stands there already MUST never have been published: it moves behind them, and
        everything that names its indices (``ref`` in leaves, seen leaves of entries, leaves of
        gaps, documents and anchors) moves with it. From then on a leaf that is handed in for an
        entry is made to name the seen leaf the entry has now. MAY be called page by page.
        """

    async def open_among(self, streams: Sequence[str]) -> tuple[Stream, ...]:
        """Those of these streams that are this journal's own and still open."""

    async def seen_counts(self, *, through: int) -> tuple[SeenCount, ...]:
        """Of each stream in the first ``through`` leaves: its highest number, how many are seen.

        ``through`` MUST be published, and MUST NOT be less than it was before.
        """

    async def name_key(self, leaf: Leaf, *, start: int) -> bool:
        """Write the ``key`` leaf, unless the last one from index ``start`` on names the same key.

        ``start`` MUST be the size of the published log: what key that ends with, it says itself.
        True: it was written.
        """

    async def audited(self, folder: str) -> bool:
        """Whether the day whose acts stand in ``folder`` has its audit, placed or not."""

    async def queue_anchor(self, anchor: Anchor) -> None:
        """Keep an anchor until it has its place. Of a key that is there already nothing changes."""

    async def anchors(self, *, limit: int) -> tuple[Anchor, ...]:
        """Anchors that wait for their place, oldest first."""

    async def anchored(self, key: str, *, leaf: Leaf | None) -> None:
        """The store has the anchor: write its leaf, once. Without one it is given up."""
