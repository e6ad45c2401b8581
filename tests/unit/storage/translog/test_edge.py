"""The right edge: growing in any steps gives one tree, and it is read back from its tiles."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from storage.translog.edge import RightEdge
from storage.translog.malformed import TileError
from storage.translog.merkle import Frontier, leaf_hash
from storage.translog.tiles import Bundle, Tile, bundle_bytes, edge_of, grown, tiles_of
from tests.unit.storage.translog.trees import some_leaves, tree_root

LEAVES = some_leaves(70_000)


def test_growing_in_steps() -> None:
    """In whatever steps, the tiles of a size are the same bytes, and each step is what must be."""
    sizes = [0, 1, 2, 255, 256, 257, 511, 5000, 65_535, 65_536, 65_537, 70_000]
    edge, store = RightEdge(), dict[Tile | Bundle, bytes]()
    frontier = Frontier()
    for old, new in pairwise(sizes):
        edge, pieces = edge.grow(LEAVES[old:new])
        frontier.extend(leaf_hash(leaf) for leaf in LEAVES[old:new])
        assert [piece for piece, _ in pieces] == list(grown(old, new))
        assert (edge.size, edge.root()) == (new, frontier.root())
        store.update(pieces)
    _, at_once = RightEdge().grow(LEAVES)
    assert [piece for piece, _ in at_once] == list(tiles_of(70_000))
    assert {piece: store[piece] for piece, _ in at_once} == dict(at_once)
    assert edge.grow(()) == (edge, [])


def test_the_root_is_that_of_the_definition() -> None:
    """For every size up to 600 it is the Merkle Tree Hash of the leaves."""
    edge = RightEdge()
    for size in range(1, 601):
        edge, _ = edge.grow(LEAVES[size - 1 : size])
        if size % 7 == 1 or size in {256, 512}:
            assert edge.root() == tree_root(LEAVES[:size])


@pytest.mark.parametrize("seed", range(20))
def test_it_is_read_back(seed: int) -> None:
    """The partial tiles and the partial bundle of a size are all that is needed to go on."""
    size = random.Random(seed).choice(
        [0, 1, 255, 256, 300, 65_536, random.Random(seed).randrange(70_000)]
    )
    edge, pieces = RightEdge().grow(LEAVES[:size])
    wanted = set(edge_of(size))
    again = RightEdge.read(size, {piece: data for piece, data in pieces if piece in wanted})
    assert again == edge
    assert again.root() == edge.root()


def test_what_does_not_fit_is_refused() -> None:
    """A missing piece, one of another width, or a bundle whose entries give other hashes."""
    _, all_pieces = RightEdge().grow(LEAVES[:600])
    pieces = {piece: data for piece, data in all_pieces if not piece.full}
    bundle = Bundle(2, 88)
    assert set(pieces) == {bundle, Tile(0, 2, 88), Tile(1, 0, 2)}
    for piece, data in pieces.items():
        with pytest.raises(TileError, match="missing"):
            RightEdge.read(600, {p: d for p, d in pieces.items() if p != piece})
        with pytest.raises(TileError):
            RightEdge.read(600, {**pieces, piece: data[:-32]})
    with pytest.raises(TileError, match="holds 87"):
        RightEdge.read(600, {**pieces, bundle: bundle_bytes(LEAVES[512:599])})
    with pytest.raises(TileError, match="does not fit"):
        RightEdge.read(600, {**pieces, bundle: bundle_bytes(LEAVES[511:599])})


def test_a_step_that_fails_leaves_the_edge() -> None:
    """An entry that is too long is refused, and the edge is where it was."""
    edge, _ = RightEdge().grow(LEAVES[:5])
    with pytest.raises(ValueError, match="longer than 65535"):
        edge.grow([b"x", bytes(65_536)])
    assert (edge.size, edge.root()) == (5, tree_root(LEAVES[:5]))
