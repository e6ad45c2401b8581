"""Hashes of complete subtrees, read out of tiles: what proofs are made from. Pure.

First ask which tiles a proof takes (:func:`tiles_for`), fetch them, then make the proof with
:class:`TileHashes` over what was fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from storage.translog.malformed import TileError
from storage.translog.merkle import (
    HASH_BYTES,
    HashAt,
    consistency_proof,
    inclusion_proof,
    tree_hash,
)
from storage.translog.tiles import TILE_HEIGHT, WIDTH, Tile, hashes_of


def tile_at(level: int, index: int, size: int) -> Tile:
    """The tile of row ``level`` in which hash ``index`` stands, as wide as ``size`` leaves make it.

    Raises:
        ValueError: the tree of ``size`` leaves has no such hash.
    """
    count = size >> (TILE_HEIGHT * level)
    if not 0 <= index < count:
        raise ValueError(f"a tree of {size} leaves has no hash {index} at tile level {level}")
    return Tile(level, index // WIDTH, min(WIDTH, count - index // WIDTH * WIDTH))


class TileHashes:
    """A :data:`merkle.HashAt` over the tiles of a tree of ``size`` leaves."""

    def __init__(self, size: int, tiles: Mapping[Tile, bytes]) -> None:
        self._size = size
        self._tiles = tiles

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree of ``2**level`` leaves number ``index``.

        Raises:
            TileError: its tile was not given, or is not well formed.
        """
        tile, start, count = _where(level, index, self._size)
        data = self._tiles.get(tile)
        if data is None:
            raise TileError(f"{tile.path} is missing")
        if len(data) != tile.width * HASH_BYTES:
            raise TileError(f"{tile.path} has {len(data)} bytes")
        return tree_hash(hashes_of(data[start * HASH_BYTES : (start + count) * HASH_BYTES]))


def tiles_for(proof: Callable[[HashAt], object], size: int) -> tuple[Tile, ...]:
    """The tiles of the tree of ``size`` leaves that ``proof`` reads hashes of, each once."""
    tiles: dict[Tile, None] = {}

    def note(level: int, index: int) -> bytes:
        tiles[_where(level, index, size)[0]] = None
        return b""

    proof(note)
    return tuple(tiles)


def inclusion_tiles(index: int, size: int) -> tuple[Tile, ...]:
    """The tiles for :func:`merkle.inclusion_proof`."""
    return tiles_for(partial(inclusion_proof, index, size), size)


def consistency_tiles(old: int, new: int) -> tuple[Tile, ...]:
    """The tiles for :func:`merkle.consistency_proof`: of the new tree."""
    return tiles_for(partial(consistency_proof, old, new), new)


def _where(level: int, index: int, size: int) -> tuple[Tile, int, int]:
    """The tile that holds a subtree's leaves, and which of its hashes they are."""
    row, height = divmod(level, TILE_HEIGHT)
    first, count = index << height, 1 << height
    return tile_at(row, first + count - 1, size), first % WIDTH, count
