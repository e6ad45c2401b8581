"""Tiles and entry bundles: their paths, their bytes, which of them a tree has (C2SP tlog-tiles).

Paths are below the log's own folder (``log/<shard>/``). Pure.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from storage.translog.malformed import TileError
from storage.translog.merkle import HASH_BYTES

TILE_HEIGHT = 8
WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 63
MAX_ENTRY = 65535

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class Tile:
    """Up to 256 hashes of one level: each of a complete subtree of ``256**level`` leaves."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            raise ValueError(f"no tile has level {self.level}")
        _check(self.index, self.width)

    @property
    def path(self) -> str:
        """Such as ``tile/0/x001/234.p/5`` (section "Merkle Tree")."""
        return f"tile/{self.level}/{_place(self.index, self.width)}"

    @property
    def full(self) -> bool:
        """Whether it will never change: a partial one is superseded."""
        return self.width == WIDTH


@dataclass(frozen=True, slots=True)
class Bundle:
    """Up to 256 entries: the leaves whose hashes stand in the level 0 tile of the same place."""

    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        _check(self.index, self.width)

    @property
    def path(self) -> str:
        """Such as ``tile/entries/x001/234.p/5`` (section "Log entries")."""
        return f"tile/entries/{_place(self.index, self.width)}"

    @property
    def full(self) -> bool:
        """Whether it will never change: a partial one is superseded."""
        return self.width == WIDTH


def parse_path(path: str) -> Tile | Bundle | None:
    """What stands at ``path``; None unless it is exactly the path of a tile or bundle."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = int(match["width"]) if match["width"] else WIDTH
    if match["width"] and width >= WIDTH:
        return None
    if match["level"] == "entries":
        piece: Tile | Bundle = Bundle(index, width)
    elif int(match["level"]) <= MAX_LEVEL:
        piece = Tile(int(match["level"]), index, width)
    else:
        return None
    return piece if piece.path == path else None


def bundle_bytes(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle of these entries: each after its length as a big-endian uint16.

    Raises:
        ValueError: there is none, there are over 256, or one is longer than 65,535 bytes.
    """
    if not 1 <= len(entries) <= WIDTH:
        raise ValueError(f"a bundle cannot hold {len(entries)} entries")
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise ValueError(f"an entry is longer than {MAX_ENTRY} bytes")
    pack = _LENGTH.pack
    return b"".join([part for entry in entries for part in (pack(len(entry)), entry)])


def entries_of(data: bytes) -> tuple[bytes, ...]:
    """The entries of a bundle.

    Raises:
        TileError: the bytes are not those of 1 to 256 entries.
    """
    entries: list[bytes] = []
    place, size = 0, len(data)
    while place < size:
        start = place + 2
        place = start + int.from_bytes(data[place:start], "big")
        if place > size:
            raise TileError(f"the bundle ends within entry {len(entries)}")
        entries.append(data[start:place])
    if not 1 <= len(entries) <= WIDTH:
        raise TileError(f"the bundle holds {len(entries)} entries")
    return tuple(entries)


def tile_bytes(hashes: Iterable[bytes]) -> bytes:
    """The bytes of a tile of these hashes."""
    return b"".join(hashes)


def hashes_of(data: bytes) -> tuple[bytes, ...]:
    """The hashes of a tile.

    Raises:
        TileError: the bytes are not those of 1 to 256 hashes.
    """
    width, rest = divmod(len(data), HASH_BYTES)
    if rest or not 1 <= width <= WIDTH:
        raise TileError(f"a tile cannot have {len(data)} bytes")
    return tuple([data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])


def tiles_of(size: int) -> Iterator[Tile | Bundle]:
    """What a tree of ``size`` leaves consists of: every full tile and bundle, and the edge's."""
    return grown(0, size)


def grown(old_size: int, new_size: int) -> Iterator[Tile | Bundle]:
    """What must be written for ``new_size`` where all that belongs to ``old_size`` stands.

    Bundles first, then tiles by level; in each, full ones in order, then the partial one
    (section "Partial Tiles": its width is ``floor(size / 256**level) mod 256``).
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {old_size} leaves does not grow to {new_size}")
    for index, width in _grown(old_size, new_size):
        yield Bundle(index, width)
    level = 0
    while new_size:
        for index, width in _grown(old_size, new_size):
            yield Tile(level, index, width)
        level, old_size, new_size = level + 1, old_size // WIDTH, new_size // WIDTH


def edge_of(size: int) -> Iterator[Tile | Bundle]:
    """The partial bundle and the partial tiles of a tree of ``size`` leaves."""
    if size % WIDTH:
        yield Bundle(size // WIDTH, size % WIDTH)
    level = 0
    while size:
        if size % WIDTH:
            yield Tile(level, size // WIDTH, size % WIDTH)
        level, size = level + 1, size // WIDTH


def _grown(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Places and widths in a level that grew from ``old`` to ``new`` hashes."""
    for index in range(old // WIDTH, new // WIDTH):
        yield index, WIDTH
    if new % WIDTH and new != old:
        yield new // WIDTH, new % WIDTH


def _check(index: int, width: int) -> None:
    if index < 0:
        raise ValueError("an index cannot be negative")
    if not 1 <= width <= WIDTH:
        raise ValueError(f"no tile has width {width}")


def _place(index: int, width: int) -> str:
    elements = [f"{index % 1000:03d}"]
    while index := index // 1000:
        elements.append(f"x{index % 1000:03d}")
    place = "/".join(reversed(elements))
    return place if width == WIDTH else f"{place}.p/{width}"
