"""Consistency proofs out of the tiles that the store holds."""

from __future__ import annotations

import pytest

from bridge.errors import AnchorUnavailableError
from bridge.protocols import ObjectBody
from storage.translog.edge import RightEdge
from storage.translog.merkle import verify_consistency
from storage.translog.proving import StoredProofs
from tests.fakes.clock import FakeClock
from tests.fakes.object_store import FakeObjectStore

SIZES = (1, 5, 255, 256, 257, 700, 66_000)


async def published(sizes: tuple[int, ...] = SIZES) -> tuple[FakeObjectStore, dict[int, bytes]]:
    """A store with the tiles of a log that grew through these sizes, and its roots."""
    store, edge, roots = FakeObjectStore(FakeClock()), RightEdge(), {}
    for size in sizes:
        edge, pieces = edge.grow([b"%d" % i for i in range(edge.size, size)])
        roots[size] = edge.root()
        for piece, data in pieces:
            if piece.path.startswith("tile/entries"):
                continue  # no proof reads them
            await store.put(f"log/0/{piece.path}", ObjectBody.of(data), retain_until=None)
    return store, roots


async def test_every_pair_of_published_sizes() -> None:
    """From each earlier size to each later one the proof is right."""
    store, roots = await published()
    proofs = StoredProofs(store)
    for old in SIZES:
        for new in SIZES:
            if old <= new:
                proof = await proofs.consistency(old, new)
                verify_consistency(old, new, roots[old], roots[new], proof)
    assert await proofs.consistency(0, 700) == ()


async def test_a_store_that_is_away() -> None:
    """The witness is asked another time."""
    store, _ = await published(SIZES[:3])
    store.down = True
    with pytest.raises(AnchorUnavailableError, match="cannot be shown to a witness"):
        await StoredProofs(store).consistency(1, 255)


async def test_a_tile_that_is_gone() -> None:
    """No proof is made without it, and nothing of the store's words is lost."""
    store, _ = await published(SIZES[:3])
    del store.objects["log/0/tile/0/000.p/255"]
    with pytest.raises(AnchorUnavailableError, match="missing"):
        await StoredProofs(store).consistency(1, 255)
