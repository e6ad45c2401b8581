"""Properties: tiles give the frontier's root, every proof verifies, no flipped bit does."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.translog.edge import RightEdge
from storage.translog.malformed import MalformedError, NoteError, ProofError, TileError
from storage.translog.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from storage.translog.note import Note
from storage.translog.proof import TlogProof
from storage.translog.tilehashes import (
    TileHashes,
    consistency_tiles,
    inclusion_tiles,
    tile_at,
    tiles_for,
)
from storage.translog.tiles import (
    Bundle,
    Tile,
    bundle_bytes,
    entries_of,
    hashes_of,
    parse_path,
)

LARGEST = 70_000
LEAVES = [n.to_bytes(3, "big") for n in range(LARGEST)]
SIZES = st.integers(1, 600) | st.integers(1, LARGEST) | st.sampled_from([256, 65_536, 65_537])
_EDGE, _PIECES = RightEdge().grow(LEAVES)
FULL = {piece: data for piece, data in _PIECES if isinstance(piece, Tile)}


def _tile(tile: Tile) -> bytes:
    """Any tile of any smaller tree: of a wider one its beginning, or hashed from the row below."""
    for wide, data in FULL.items():
        if (wide.level, wide.index) == (tile.level, tile.index):
            return data[: tile.width * 32]
    raise AssertionError(tile)


def _root(size: int) -> bytes:
    tiles = tiles_for(partial(root_of, size), size)
    return root_of(size, TileHashes(size, {tile: _tile(tile) for tile in tiles}))


@given(SIZES)
@settings(deadline=None, max_examples=25)
def test_a_root_from_tiles(size: int) -> None:
    """The tiles of any size give the root that a frontier gives."""
    edge, pieces = RightEdge().grow(LEAVES[:size])
    tiles = {piece: data for piece, data in pieces if isinstance(piece, Tile)}
    frontier = Frontier()
    frontier.extend(leaf_hash(leaf) for leaf in LEAVES[:size])
    assert root_of(size, TileHashes(size, tiles)) == frontier.root() == edge.root() == _root(size)


@given(SIZES, st.data())
@settings(deadline=None, max_examples=150)
def test_inclusion_proofs_out_of_tiles(size: int, data: st.DataObject) -> None:
    """Any leaf of any size is proved from the few tiles named, and no flipped bit is."""
    index = data.draw(st.integers(0, size - 1))
    tiles = inclusion_tiles(index, size)
    assert len(tiles) <= 6
    proof = inclusion_proof(index, size, TileHashes(size, {tile: _tile(tile) for tile in tiles}))
    leaf, root = leaf_hash(LEAVES[index]), _root(size)
    verify_inclusion(index, size, leaf, root, proof)
    parts = [leaf, root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = _flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        verify_inclusion(index, size, parts[0], parts[1], parts[2:])


@given(SIZES, st.data())
@settings(deadline=None, max_examples=150)
def test_consistency_proofs_out_of_tiles(new: int, data: st.DataObject) -> None:
    """Any two sizes are proved from the few tiles named, and no flipped bit is."""
    old = data.draw(st.integers(1, new))
    tiles = {tile: _tile(tile) for tile in consistency_tiles(old, new)}
    proof = consistency_proof(old, new, TileHashes(new, tiles))
    parts = [_root(old), _root(new), *proof]
    verify_consistency(old, new, parts[0], parts[1], parts[2:])
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = _flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        verify_consistency(old, new, parts[0], parts[1], parts[2:])


def test_tiles_that_are_missing_or_short() -> None:
    """A proof over tiles that were not given, or that are cut, is not made."""
    (tile,) = inclusion_tiles(5, 8)
    assert tile == Tile(0, 0, 8)
    with pytest.raises(TileError, match="missing"):
        inclusion_proof(5, 8, TileHashes(8, {}))
    for wrong in (31, 7 * 32, 9 * 32, 256 * 32):
        with pytest.raises(TileError, match="bytes"):
            inclusion_proof(5, 8, TileHashes(8, {tile: bytes(wrong)}))
    with pytest.raises(ValueError, match="has no hash"):
        tile_at(0, 8, 8)


@given(st.integers(0, 63), st.integers(0, 10**15), st.integers(1, 256))
def test_paths_read_back(level: int, index: int, width: int) -> None:
    """Every tile and bundle has a path, and the path is only its own."""
    assert parse_path(Tile(level, index, width).path) == Tile(level, index, width)
    assert parse_path(Bundle(index, width).path) == Bundle(index, width)


@given(st.text(st.sampled_from("tile/entrs0123456789x.p-"), max_size=30).map("tile/".__add__))
def test_paths_have_one_form(path: str) -> None:
    """What is read as a path writes back as the same."""
    piece = parse_path(path)
    assert piece is None or piece.path == path


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_read_back(entries: list[bytes]) -> None:
    """Whatever entries were put in come out."""
    assert entries_of(bundle_bytes(entries)) == tuple(entries)


@given(st.binary(max_size=200))
def test_parsers_raise_only_their_verdict(data: bytes) -> None:
    """Any bytes are read or refused; what is read writes back as the same bytes."""
    for parse in (_bundle, _tile_bytes, _note, _proof):
        try:
            assert parse(data) == data
        except MalformedError:
            continue


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_notes_that_nearly_are(text: bytes, line: bytes) -> None:
    """Bytes with the marks of a note are read back exactly or refused."""
    data = text + b"\n\n\xe2\x80\x94 name " + line + b"\n"
    try:
        assert Note.parse(data).encode() == data
    except NoteError:
        return


def _flipped(data: bytes, bit: int) -> bytes:
    spoilt = bytearray(data)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def _bundle(data: bytes) -> bytes:
    return bundle_bytes(entries_of(data))


def _tile_bytes(data: bytes) -> bytes:
    return b"".join(hashes_of(data))


def _note(data: bytes) -> bytes:
    return Note.parse(data).encode()


def _proof(data: bytes) -> bytes:
    return TlogProof.parse(data).encode()
