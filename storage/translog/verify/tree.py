"""The tree: its root recomputed from the leaves, and every tile and bundle compared with it.

Two candidates run side by side: the hashes of the bundles' leaves, and those in the tiles of level
0. Where the leaves give the checkpoint's root, whatever differs from them is wrong; where only the
tiles do, the bundles that differ are; where neither does, nothing can be told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from storage.translog.malformed import TileError
from storage.translog.merkle import HASH_BYTES, Frontier, fold, tree_hash
from storage.translog.tiles import WIDTH, Bundle, Tile, entries_of
from storage.translog.verify.codes import Code
from storage.translog.verify.pieces import Pieces
from storage.translog.verify.report import Gathering

_sha256 = hashlib.sha256


@dataclass(slots=True)
class Candidate:
    """One idea of what the leaves' hashes are, and what is wrong if it is right.

    ``tops`` are the hashes of the complete blocks of 256 leaves, ``blocks`` the tree of these;
    ``rest`` are the hashes of the leaves behind them.
    """

    blocks: Frontier = field(default_factory=Frontier)
    tops: bytearray = field(default_factory=bytearray)
    rest: Sequence[bytes] = ()
    found: Gathering = field(default_factory=Gathering)
    possible: bool = True

    def copy(self) -> Candidate:
        """Another one, the same so far."""
        found = Gathering()
        found.take(self.found)
        return Candidate(self.blocks.copy(), bytearray(self.tops), self.rest, found)

    def grow(self, hashes: Sequence[bytes]) -> None:
        """The next block."""
        if len(hashes) < WIDTH:
            self.rest = hashes
            return
        top = tree_hash(hashes)
        self.tops += top
        self.blocks.push(top)

    def root(self, hashes: Sequence[bytes] | None = None) -> bytes:
        """The root now, or with these hashes of leaves behind the complete blocks."""
        rest = Frontier()
        rest.extend(self.rest if hashes is None else hashes)
        return fold((*self.blocks.subtrees, *rest.subtrees))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What came of it. ``proved``: the leaves read are those under the checkpoint.

    ``roots`` are those at the sizes that were asked for; none unless it is proved.
    """

    proved: bool
    roots: dict[int, bytes] = field(default_factory=dict)


class TakesLeaves(Protocol):
    """Whoever is handed the leaves; they are proved once the walk says so."""

    def extend(self, entries: Sequence[bytes]) -> None:
        """The next entries of the log."""


class TreeWalk:
    """Reads every bundle and tile of a log of ``size`` leaves."""

    def __init__(
        self,
        pieces: Pieces,
        leaves: TakesLeaves,
        *,
        size: int,
        root: bytes,
        sizes: Iterable[int],
        step: Callable[[int], None],
    ) -> None:
        """``sizes``: where the root is wanted too. ``step`` is told how many leaves were read."""
        self._pieces = pieces
        self._leaves = leaves
        self._size = size
        self._root = root
        self._wanted = sorted({each for each in sizes if 0 <= each <= size}, reverse=True)
        self._roots: dict[int, bytes] = {}
        self._step = step
        self._read = Candidate()
        self._kept: Candidate | None = None

    def walk(self, found: Gathering) -> Tree:
        """All of it, in order."""
        self._take_roots(0, ())
        for index, bundle, tile in self._pieces.blocks(self._size):
            self._block(index, bundle, tile)
            self._step(min(WIDTH, self._size - index * WIDTH))
            if not self._read.possible and self._kept is not None and not self._kept.possible:
                break  # nothing has judged yet whether the size is true: it may be any number
        for candidate, proved in ((self._read, True), (self._kept, False)):
            if candidate is None or not candidate.possible:
                continue
            if candidate.root() != self._root:
                continue
            self._above(candidate)
            found.take(candidate.found)
            return Tree(proved=proved, roots=self._roots if proved else {})
        missing = self._read.found if not self._read.possible else None
        if missing is not None:
            found.take(missing)
        what = "Neither the leaves nor the tiles give the root in the checkpoint."
        found.add(Code.ROOT_MISMATCH, what, key=self._pieces.checkpoint)
        return Tree(proved=False)

    def _block(self, index: int, bundle: bytes | None, tile: bytes | None) -> None:
        """One bundle and its tile."""
        width = min(WIDTH, self._size - index * WIDTH)
        entries = self._entries(index, width, bundle)
        hashes = [_sha256(b"\x00" + entry).digest() for entry in entries]
        joined = b"".join(hashes)
        usable = tile if tile is not None and len(tile) == width * HASH_BYTES else None
        if self._kept is None and joined != usable and usable is not None:
            self._kept = self._read.copy()
        if self._kept is not None:
            self._keep(index, bundle, usable)
        if self._read.possible:
            self._judge(self._read, index, joined, bundle, tile)
            self._take_roots(index * WIDTH, hashes)
            self._read.grow(hashes)
            self._leaves.extend(entries)

    def _entries(self, index: int, width: int, bundle: bytes | None) -> tuple[bytes, ...]:
        piece = Bundle(index, width)
        key = self._pieces.key(piece)
        if bundle is None:
            self._impossible(Code.BUNDLE_MISSING, f"{key} is missing.", key)
            return ()
        try:
            entries = entries_of(bundle)
        except TileError as error:
            self._impossible(Code.BUNDLE_MALFORMED, f"{key} is malformed: {error}.", key)
            return ()
        if len(entries) != width:
            what = f"{key} holds {len(entries)} leaves instead of {width}."
            self._impossible(Code.BUNDLE_MALFORMED, what, key)
            return ()
        return entries

    def _impossible(self, code: Code, what: str, key: str) -> None:
        """The leaves cannot give the root. The tiles may; what is wrong with the bundle stays."""
        if self._kept is None:
            self._kept = self._read.copy()
        self._read.possible = False
        self._read.found.add(code, what, key=key)
        self._kept.found.add(code, what, key=key)

    def _keep(self, index: int, bundle: bytes | None, tile: bytes | None) -> None:
        """Go on with the tiles' own hashes."""
        kept = self._kept
        if kept is None or not kept.possible:
            return
        if tile is None:
            kept.possible = False
            return
        kept.grow([tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)])
        self._judge(kept, index, tile, bundle, tile)

    def _judge(
        self,
        candidate: Candidate,
        index: int,
        truth: bytes,
        bundle: bytes | None,
        tile: bytes | None,
    ) -> None:
        """Compare what stands for a block, old partial pieces too, with what should stand."""
        width = len(truth) // HASH_BYTES
        found = candidate.found
        piece = Tile(0, index, width)
        if tile is None:
            key = self._pieces.key(piece)
            found.add(Code.TILE_MISSING, f"{key} is missing.", key=key)
        elif tile != truth:
            self._differs(found, piece)
        if bundle is not None and candidate is not self._read:
            self._judge_bundle(found, Bundle(index, width), bundle, truth)
        for old, body in self._pieces.old_tiles(0, index, width):
            if body != truth[: old.width * HASH_BYTES]:
                self._differs(found, old)
        for older, body in self._pieces.old_bundles(index, width):
            if bundle is None or not bundle.startswith(body) or not _ends(body, older.width):
                self._judge_bundle(found, older, body, truth)

    def _judge_bundle(self, found: Gathering, piece: Bundle, body: bytes, truth: bytes) -> None:
        """Say which leaf of a bundle is not the one in the log."""
        key = self._pieces.key(piece)
        try:
            entries = entries_of(body)
        except TileError as error:
            found.add(Code.BUNDLE_MALFORMED, f"{key} is malformed: {error}.", key=key)
            return
        if len(entries) != piece.width:
            what = f"{key} holds {len(entries)} leaves instead of {piece.width}."
            found.add(Code.BUNDLE_MALFORMED, what, key=key)
            return
        for i, entry in enumerate(entries):
            if _sha256(b"\x00" + entry).digest() != truth[i * HASH_BYTES : (i + 1) * HASH_BYTES]:
                leaf = piece.index * WIDTH + i
                what = f"{key} holds another leaf {leaf} than the one in the log."
                found.add(Code.BUNDLE_MISMATCH, what, key=key, leaf=leaf)

    def _differs(self, found: Gathering, piece: Tile) -> None:
        key = self._pieces.key(piece)
        found.add(Code.TILE_MISMATCH, f"{key} does not hold the hashes of the leaves.", key=key)

    def _above(self, candidate: Candidate) -> None:
        """The tiles of the higher levels."""
        row, level = bytes(candidate.tops), 1
        while row:
            count = len(row) // HASH_BYTES
            above = bytearray()
            for index in range(-(-count // WIDTH)):
                truth = row[index * WIDTH * HASH_BYTES : (index + 1) * WIDTH * HASH_BYTES]
                self._judge_above(candidate.found, level, index, truth)
                if len(truth) == WIDTH * HASH_BYTES:
                    above += tree_hash(
                        [truth[at : at + HASH_BYTES] for at in range(0, len(truth), HASH_BYTES)]
                    )
            row, level = bytes(above), level + 1

    def _judge_above(self, found: Gathering, level: int, index: int, truth: bytes) -> None:
        width = len(truth) // HASH_BYTES
        piece = Tile(level, index, width)
        body = self._pieces.read(piece)
        if body is None:
            key = self._pieces.key(piece)
            found.add(Code.TILE_MISSING, f"{key} is missing.", key=key)
        elif body != truth:
            self._differs(found, piece)
        for old, stands in self._pieces.old_tiles(level, index, width):
            if stands != truth[: old.width * HASH_BYTES]:
                self._differs(found, old)

    def _take_roots(self, start: int, hashes: Sequence[bytes]) -> None:
        """The roots that are wanted at ``start`` and among the leaves that follow it."""
        while self._wanted and self._wanted[-1] <= start + len(hashes):
            size = self._wanted.pop()
            self._roots[size] = self._read.root(hashes[: size - start])


def _ends(body: bytes, width: int) -> bool:
    """Whether a bundle consists of exactly so many entries."""
    at = count = 0
    while at < len(body):
        at += 2 + int.from_bytes(body[at : at + 2], "big")
        count += 1
    return at == len(body) and count == width
