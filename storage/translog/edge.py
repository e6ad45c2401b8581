"""The right edge of a tree of tiles: what a writer must hold to append and to know the root.

At most 255 hashes of each level and 255 entries. Pure and immutable: a write that fails leaves
the edge where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.translog.malformed import TileError
from storage.translog.merkle import fold, leaf_hash, tree_hash
from storage.translog.tiles import (
    WIDTH,
    Bundle,
    Tile,
    bundle_bytes,
    edge_of,
    entries_of,
    hashes_of,
    tile_bytes,
)

Pieces = list[tuple[Tile | Bundle, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RightEdge:
    """The tree of ``size`` leaves: ``levels[l]`` are the hashes of its partial tile of level l."""

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = field(default=(), repr=False)
    entries: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, size: int, pieces: Mapping[Tile | Bundle, bytes]) -> RightEdge:
        """The edge of a tree of ``size`` leaves, from what :func:`tiles.edge_of` names.

        The caller MUST compare :meth:`root` with the checkpoint's.

        Raises:
            TileError: one is missing or not well formed, or an entry does not give its hash.
        """
        levels: dict[int, tuple[bytes, ...]] = {}
        entries: tuple[bytes, ...] = ()
        for piece in edge_of(size):
            data = pieces.get(piece)
            if data is None:
                raise TileError(f"{piece.path} is missing")
            parts = entries_of(data) if isinstance(piece, Bundle) else hashes_of(data)
            if len(parts) != piece.width:
                raise TileError(f"{piece.path} holds {len(parts)}")
            if isinstance(piece, Bundle):
                entries = parts
            else:
                levels[piece.level] = parts
        if tuple(leaf_hash(entry) for entry in entries) != levels.get(0, ()):
            raise TileError("the last bundle does not fit the last tile of level 0")
        height = max(levels, default=-1) + 1
        rows = tuple(levels.get(level, ()) for level in range(height))
        return cls(size=size, levels=rows, entries=entries)

    def root(self) -> bytes:
        """The root hash of the tree."""
        return fold(self._subtrees())

    def grow(self, entries: Sequence[bytes]) -> tuple[RightEdge, Pieces]:
        """The edge after ``entries``, and every tile and bundle that :func:`tiles.grown` names.

        Raises:
            ValueError: an entry is longer than 65,535 bytes.
        """
        index = (self.size - len(self.entries)) // WIDTH
        pieces: Pieces = []
        waiting = self.entries
        if entries:
            waiting, bundles = _cut(index, (*waiting, *entries))
            pieces += [(Bundle(at, len(part)), bundle_bytes(part)) for at, part in bundles]
        levels: list[tuple[bytes, ...]] = []
        risen = [leaf_hash(entry) for entry in entries]
        count = self.size
        for level in range(max(len(self.levels), _height(self.size + len(entries)))):
            row = self.levels[level] if level < len(self.levels) else ()
            if not risen:
                levels.append(row)
                continue
            row, tiles = _cut(count // WIDTH, (*row, *risen))
            pieces += [(Tile(level, at, len(part)), tile_bytes(part)) for at, part in tiles]
            risen = [tree_hash(part) for _, part in tiles if len(part) == WIDTH]
            levels.append(row)
            count //= WIDTH
        after = RightEdge(
            size=self.size + len(entries), levels=tuple(levels), entries=tuple(waiting)
        )
        return after, pieces

    def _subtrees(self) -> list[bytes]:
        """The complete subtrees of the tree, largest first."""
        subtrees: list[bytes] = []
        for row in reversed(self.levels):
            at = 0
            for bit in reversed(range(len(row).bit_length())):
                if len(row) >> bit & 1:
                    subtrees.append(tree_hash(row[at : at + (1 << bit)]))
                    at += 1 << bit
        return subtrees


def _cut(
    index: int, row: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], list[tuple[int, tuple[bytes, ...]]]]:
    """A row that begins at tile ``index``: what is left over at its end, and its tiles."""
    tiles = [(index + at // WIDTH, row[at : at + WIDTH]) for at in range(0, len(row), WIDTH)]
    rest = len(row) % WIDTH
    return (row[-rest:] if rest else ()), tiles


def _height(size: int) -> int:
    """How many levels of tiles a tree of ``size`` leaves has."""
    height = 0
    while size:
        height, size = height + 1, size // WIDTH
    return height
