"""Tiles and bundles as they lie in the store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bridge.protocols.evidence import Evidence
from storage.translog.tiles import WIDTH, Bundle, Tile, parse_path
from storage.translog.verify.codes import Code
from storage.translog.verify.holdings import Holding, holdings
from storage.translog.verify.reading import body_of, in_order
from storage.translog.verify.report import Gathering

BUNDLES = -1
"""The level under which bundles are filed here."""


class Pieces:
    """Everything under ``log/<shard>/``. Nothing is read before it is asked for.

    ``known`` are the keys of the tiles and bundles of a tree of ``size`` leaves; ``strange`` is
    everything else there, the checkpoint apart.
    """

    def __init__(self, evidence: Evidence, shard: str, pool: ThreadPoolExecutor | None) -> None:
        self._evidence = evidence
        self._pool = pool
        self._base = f"log/{shard}/"
        self._places: dict[tuple[int, int], dict[int, Holding]] = {}
        self.checkpoint = f"{self._base}checkpoint"
        self.known: set[str] = set()

    def list(self, size: int) -> None:
        """See what is there, and which of it belongs to a tree of ``size`` leaves."""
        for holding in holdings(self._evidence.walk(self._base)):
            piece = parse_path(holding.key.removeprefix(self._base))
            if piece is None or not holding.versions or not holding.is_plain:
                continue
            level = piece.level if isinstance(piece, Tile) else BUNDLES
            height = 8 * max(level, 0)
            if piece.index * WIDTH + piece.width <= size >> height:
                self._places.setdefault((level, piece.index), {})[piece.width] = holding
                self.known.add(holding.key)

    def key(self, piece: Tile | Bundle) -> str:
        """The key of a piece."""
        return f"{self._base}{piece.path}"

    def judge_versions(self, found: Gathering) -> None:
        """Whatever a bucket with versions holds besides the oldest ones."""
        for widths in self._places.values():
            for holding in widths.values():
                judge_versions(self._evidence, holding, found, must_stand=True)

    def holding(self, piece: Tile | Bundle) -> Holding | None:
        """What stands for a piece."""
        level = piece.level if isinstance(piece, Tile) else BUNDLES
        return self._places.get((level, piece.index), {}).get(piece.width)

    def read(self, piece: Tile | Bundle) -> bytes | None:
        """The bytes of a piece, or None."""
        holding = self.holding(piece)
        return None if holding is None else body_of(self._evidence, holding.record)

    def full(self) -> Iterator[Holding]:
        """The full tiles and bundles, which are kept for good."""
        for widths in self._places.values():
            if WIDTH in widths:
                yield widths[WIDTH]

    def blocks(self, size: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """Each bundle with its tile of level 0, read ahead."""

        def both(index: int) -> tuple[int, bytes | None, bytes | None]:
            width = min(WIDTH, size - index * WIDTH)
            return index, self.read(Bundle(index, width)), self.read(Tile(0, index, width))

        return in_order(self._pool, both, range(-(-size // WIDTH)), window=32)

    def old_tiles(self, level: int, index: int, width: int) -> Iterator[tuple[Tile, bytes]]:
        """Partial tiles that were superseded."""
        for each, holding in self._places.get((level, index), {}).items():
            if each < width:
                yield Tile(level, index, each), body_of(self._evidence, holding.record)

    def old_bundles(self, index: int, width: int) -> Iterator[tuple[Bundle, bytes]]:
        """Partial bundles that were superseded."""
        for each, holding in self._places.get((BUNDLES, index), {}).items():
            if each < width:
                yield Bundle(index, each), body_of(self._evidence, holding.record)


def judge_versions(
    evidence: Evidence, holding: Holding, found: Gathering, *, must_stand: bool
) -> None:
    """Later versions with other bytes, and delete markers, of an object that must stand."""
    key = holding.key
    if holding.hidden and must_stand:
        found.add(Code.HIDDEN, f"{key} is hidden by a delete marker.", key=key)
    elif holding.markers and not holding.hidden:
        found.add(Code.MARKER_PAST, f"{key} was once hidden by a delete marker.", key=key)
    if len(holding.versions) < 2:
        return
    first = body_of(evidence, holding.record)
    for later in holding.versions[1:]:
        if body_of(evidence, later) != first:
            what = f"Version {later.version} of {key} has other bytes than the first one."
            found.add(Code.VERSION_MISMATCH, what, key=key)
