"""Consistency proofs of the published log, made from the tiles in the store."""

from __future__ import annotations

from bridge.errors import AnchorUnavailableError, ObjectStoreError
from bridge.protocols import ObjectStore
from storage.translog.malformed import TileError
from storage.translog.merkle import consistency_proof
from storage.translog.tilehashes import TileHashes, consistency_tiles
from storage.translog.tiles import Tile


class StoredProofs:
    """Reads the few tiles that a proof takes; nothing is kept."""

    def __init__(self, store: ObjectStore, *, shard: str = "0") -> None:
        self._store = store
        self._folder = f"log/{shard}"

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """That the tree of ``new`` leaves, which MUST be published, extends that of ``old``.

        Raises:
            AnchorUnavailableError: the tiles cannot be read now.
        """
        tiles: dict[Tile, bytes] = {}
        try:
            for tile in consistency_tiles(old, new):
                data = await self._store.get(f"{self._folder}/{tile.path}")
                if data is not None:
                    tiles[tile] = data
            return consistency_proof(old, new, TileHashes(new, tiles))
        except (ObjectStoreError, TileError) as error:
            raise AnchorUnavailableError(
                f"The log cannot be shown to a witness: {error}", hint="Check the store."
            ) from None
