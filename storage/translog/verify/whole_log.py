"""The whole log for one record: only all of it can tell that no leaf names something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bridge.protocols.evidence import Evidence
from storage.translog.checkpoint import Checkpoint
from storage.translog.tiles import Bundle, Tile
from storage.translog.verify.lines import LeafError, matched
from storage.translog.verify.pieces import Pieces
from storage.translog.verify.report import Gathering
from storage.translog.verify.tree import TreeWalk


@dataclass(frozen=True, slots=True)
class ProvedLeaf:
    """A leaf under the checkpoint."""

    index: int
    kind: str
    fields: dict[str, bytes]


class NeededPieces(Pieces):
    """Tiles and bundles that a tree needs, read by their keys; superseded ones are left alone."""

    def read(self, piece: Tile | Bundle) -> bytes | None:
        """The bytes of a piece, or None."""
        return self._evidence.read(self.key(piece))


class Sought:
    """The leaves that hold one of some texts, in order, and the ``last`` line of the log."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._holds = re.compile(b"|".join(map(re.escape, texts))).search
        self._count = 0
        self.found: list[ProvedLeaf] = []
        self.last: bytes | None = None

    def extend(self, entries: Sequence[bytes]) -> None:
        """The next entries of the log."""
        for index, line in enumerate(entries, self._count):
            if self._holds(line):
                try:
                    kind, fields = matched(line)
                except LeafError:
                    continue
                self.found.append(ProvedLeaf(index, kind, fields))
        self._count += len(entries)
        self.last = entries[-1]


def leaves_with(
    texts: Iterable[bytes],
    evidence: Evidence,
    shard: str,
    checkpoint: Checkpoint,
    *,
    pool: ThreadPoolExecutor,
    found: Gathering,
) -> Sought | None:
    """What all leaves under a checkpoint say of these texts.

    None where what stands in the store is not that log: then ``found`` says what of it is wrong.
    """
    sought = Sought(texts)
    walk = TreeWalk(
        NeededPieces(evidence, shard, pool),
        sought,
        size=checkpoint.size,
        root=checkpoint.root,
        sizes=(),
        step=lambda _: None,
    )
    return sought if walk.walk(found).proved else None
