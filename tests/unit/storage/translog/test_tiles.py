"""Tiles and bundles: the specification's paths and its tree of 70,000, strict parsing."""

from __future__ import annotations

from collections import Counter

import pytest

from storage.translog.malformed import TileError
from storage.translog.tiles import (
    MAX_ENTRY,
    Bundle,
    Tile,
    bundle_bytes,
    edge_of,
    entries_of,
    grown,
    hashes_of,
    parse_path,
    tile_bytes,
    tiles_of,
)

PATHS: dict[str, Tile | Bundle] = {
    "tile/0/000": Tile(0, 0),
    "tile/0/005": Tile(0, 5),
    "tile/0/999": Tile(0, 999),
    "tile/0/x001/000": Tile(0, 1000),
    "tile/0/x001/x234/067": Tile(0, 1234067),
    "tile/0/x001/x234/067.p/1": Tile(0, 1234067, 1),
    "tile/3/x123/x456/x789/012.p/255": Tile(3, 123456789012, 255),
    "tile/63/000.p/17": Tile(63, 0, 17),
    "tile/entries/000": Bundle(0),
    "tile/entries/x001/x234/067": Bundle(1234067),
    "tile/entries/x001/x234/067.p/8": Bundle(1234067, 8),
}


@pytest.mark.parametrize("path", PATHS)
def test_known_paths(path: str) -> None:
    """Indices are written in groups of three digits, all but the last behind an x."""
    assert PATHS[path].path == path
    assert parse_path(path) == PATHS[path]
    assert PATHS[path].full == (".p/" not in path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0",
        "tile/0/",
        "tile//000",
        "tile/00/000",
        "tile/64/000",
        "tile/100/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries",
        "tile/entries/0",
        "tile/0/0000",
        "tile/0/00",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/x001000",
        "tile/0/X001/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/1000",
        "tile/0/000.p/-1",
        "tile/0/000.p/5/6",
        "tile/0/000/",
        "/tile/0/000",
        "./tile/0/000",
        "tile/0/../0/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/٠/000",
        "tile/0/" + "x001/" * 60 + "000",
    ],
)
def test_paths_that_are_none(path: str) -> None:
    """Anything but the one path of a tile or bundle is something else."""
    assert parse_path(path) is None


def test_a_tree_of_seventy_thousand() -> None:
    """The specification's example: 273 and 112, 1 and 17, and 1; the same bundles as leaf tiles."""
    pieces = list(tiles_of(70_000))
    tiles = [piece for piece in pieces if isinstance(piece, Tile)]
    assert Counter(tile.level for tile in tiles if tile.full) == {0: 273, 1: 1}
    assert [tile for tile in tiles if not tile.full] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    bundles = [piece for piece in pieces if isinstance(piece, Bundle)]
    assert bundles == [Bundle(tile.index, tile.width) for tile in tiles if tile.level == 0]
    assert list(edge_of(70_000)) == [piece for piece in pieces if not piece.full]


def test_a_tree_of_one_full_tile() -> None:
    """256 leaves have a full tile and one of a single hash above it."""
    assert list(tiles_of(256)) == [Bundle(0), Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(edge_of(0)) == []
    assert list(edge_of(256)) == [Tile(1, 0, 1)]


def test_growing_writes_nothing_twice() -> None:
    """A tree consists of what it had, partial ones of the past aside, and what it grew by."""
    for old, new in ((0, 1), (1, 256), (255, 257), (256, 257), (300, 70_000), (65_536, 65_537)):
        had, has, more = set(tiles_of(old)), set(tiles_of(new)), list(grown(old, new))
        assert len(more) == len(set(more))
        assert not had & set(more)
        assert set(more) == has - had
    assert list(grown(70_000, 70_000)) == []
    with pytest.raises(ValueError, match="does not grow"):
        list(grown(5, 4))


def test_bundles_read_back() -> None:
    """Entries of any length up to 65,535 bytes, the empty one included, are what was put in."""
    entries = (b"", b"x", bytes(MAX_ENTRY), b"\x00\x01")
    data = bundle_bytes(entries)
    assert data[:5] == b"\x00\x00\x00\x01x"
    assert entries_of(data) == entries
    assert entries_of(bundle_bytes([b"a"] * 256)) == (b"a",) * 256


@pytest.mark.parametrize("entries", [(), (b"x",) * 257, (bytes(MAX_ENTRY + 1),)])
def test_bundles_that_cannot_be(entries: tuple[bytes, ...]) -> None:
    """None, too many, or too long: never written."""
    with pytest.raises(ValueError, match="entr"):
        bundle_bytes(entries)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x00\x01", b"\x00\x02x", b"\x00\x01xy", b"\x00\x01x\x00", b"\x00\x00" * 257],
)
def test_bundles_that_are_none(data: bytes) -> None:
    """Cut short, with a rest, empty, or with too many entries: refused."""
    with pytest.raises(TileError):
        entries_of(data)


def test_tiles_read_back() -> None:
    """A tile is its hashes in a row, 1 to 256 of 32 bytes; nothing else is one."""
    hashes = tuple(bytes([n]) * 32 for n in range(256))
    assert hashes_of(tile_bytes(hashes)) == hashes
    assert hashes_of(hashes[7]) == (hashes[7],)
    for data in (b"", bytes(31), bytes(33), bytes(257 * 32)):
        with pytest.raises(TileError):
            hashes_of(data)


def test_tiles_that_cannot_be() -> None:
    """No such level, index or width."""
    for level, index, width in ((-1, 0, 256), (64, 0, 256), (0, -1, 256), (0, 0, 0), (0, 0, 257)):
        with pytest.raises(ValueError, match=r"level|index|width"):
            Tile(level, index, width)
    with pytest.raises(ValueError, match="width"):
        Bundle(0, 0)
