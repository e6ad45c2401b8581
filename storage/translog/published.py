"""A tree as the store shows it, read back piece by piece and proved on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from bridge import keys
from bridge.protocols import ObjectStore
from storage.translog.edge import RightEdge
from storage.translog.malformed import TileError
from storage.translog.merkle import (
    consistency_proof,
    leaf_hash,
    tree_hash,
    verify_consistency,
)
from storage.translog.tilehashes import TileHashes, consistency_tiles
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

READS_AT_ONCE = 4
SizeAndRoot = tuple[int, bytes]


class PublishedTree:
    """The tree whose right edge this is; the edge MUST have the root of a checkpoint.

    Raises :class:`storage.translog.malformed.MalformedError` for what does not fit it, and what
    the store raises.
    """

    def __init__(self, store: ObjectStore, shard: str, edge: RightEdge) -> None:
        self._store = store
        self._shard = shard
        self._edge = edge
        self._proved: dict[int, tuple[int, tuple[bytes, ...]]] = {}

    @classmethod
    async def edge(cls, store: ObjectStore, shard: str, size: int) -> RightEdge:
        """The right edge of a tree of ``size`` leaves, not yet compared with any root."""
        pieces = list(edge_of(size))
        found = await asyncio.gather(*(_partial(store, shard, piece) for piece in pieces))
        there = {piece: data for piece, data in zip(pieces, found, strict=True) if data is not None}
        return RightEdge.read(size, there)

    @classmethod
    async def require_prefix(
        cls, store: ObjectStore, shard: str, old: SizeAndRoot, new: SizeAndRoot
    ) -> None:
        """Prove by the store's tiles that the second tree extends the first."""
        tiles = consistency_tiles(old[0], new[0])
        found = await asyncio.gather(*(_partial(store, shard, tile) for tile in tiles))
        there = {tile: data for tile, data in zip(tiles, found, strict=True) if data is not None}
        proof = consistency_proof(old[0], new[0], TileHashes(new[0], there))
        verify_consistency(old[0], new[0], old[1], new[1], proof)

    @staticmethod
    async def require_no_other(
        store: ObjectStore, shard: str, index: int, entries: Sequence[bytes]
    ) -> None:
        """Whatever stands in the place of this bundle, as wide or not, holds the same entries."""
        async for info in store.list(keys.log_key(shard, Bundle(index).path)):
            theirs = entries_of(await store.get(info.key) or b"")
            if any(one != other for one, other in zip(theirs, entries, strict=False)):
                raise TileError(f"{info.key} holds other leaves")

    async def leaves(self, start: int, stop: int) -> tuple[bytes, ...]:
        """Leaves ``start`` to ``stop``, proved up to the root."""
        if start == stop:
            return ()
        first, last = start // WIDTH, (stop - 1) // WIDTH
        found: list[bytes] = []
        for index in range(first, last + 1, READS_AT_ONCE):
            group = range(index, min(index + READS_AT_ONCE, last + 1))
            for entries in await self._bundles(group):
                found += entries
        return tuple(found[start - first * WIDTH : stop - first * WIDTH])

    async def _bundles(self, group: range) -> list[Sequence[bytes]]:
        full = [index for index in group if index < self._edge.size // WIDTH]
        read = await asyncio.gather(*(self._get(Bundle(index)) for index in full))
        bundles: list[Sequence[bytes]] = []
        for index, data in zip(full, read, strict=True):
            entries = await asyncio.to_thread(entries_of, data)
            hashes = await asyncio.to_thread(lambda found: tuple(map(leaf_hash, found)), entries)
            if hashes != await self._tile(0, index):
                raise TileError(f"{Bundle(index).path} does not fit its tile")
            bundles.append(entries)
        if len(full) < len(group):
            bundles.append(self._edge.entries)
        return bundles

    async def _tile(self, level: int, index: int) -> tuple[bytes, ...]:
        """The hashes of a tile, proved: those of the edge are, others by the tile above them."""
        count = self._edge.size // WIDTH**level
        if index == count // WIDTH:
            return self._edge.levels[level]
        kept = self._proved.get(level)
        if kept is not None and kept[0] == index:
            return kept[1]
        hashes = hashes_of(await self._get(Tile(level, index)))
        above = await self._tile(level + 1, index // WIDTH)
        if len(hashes) != WIDTH or tree_hash(hashes) != above[index % WIDTH]:
            raise TileError(f"{Tile(level, index).path} does not fit the tile above it")
        self._proved[level] = index, hashes
        return hashes

    async def _get(self, piece: Tile | Bundle) -> bytes:
        data = await self._store.get(keys.log_key(self._shard, piece.path))
        if data is None:
            raise TileError(f"{piece.path} is missing")
        return data


async def _partial(store: ObjectStore, shard: str, piece: Tile | Bundle) -> bytes | None:
    """A piece, or as much of the full one in its place: partial ones need not be kept."""
    get = partial(_get, store, shard)
    data = await get(piece)
    if data is not None or piece.full:
        return data
    if isinstance(piece, Bundle):
        full = await get(Bundle(piece.index))
        return None if full is None else bundle_bytes(entries_of(full)[: piece.width])
    full = await get(Tile(piece.level, piece.index))
    return None if full is None else tile_bytes(hashes_of(full)[: piece.width])


async def _get(store: ObjectStore, shard: str, piece: Tile | Bundle) -> bytes | None:
    return await store.get(keys.log_key(shard, piece.path))
