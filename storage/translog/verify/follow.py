"""From a key that was replaced to the one that signs now, without reading the whole log.

The full verification has every `key` leaf before it. For one record it would cost too much: here
the anchors say where a key handed over, and the leaf that names the next one lies just below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from bridge.canonical import read_key
from bridge.protocols.evidence import Evidence, StoredVersion
from storage.translog.malformed import MalformedError, NoteError
from storage.translog.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from storage.translog.tilehashes import TileHashes, consistency_tiles, inclusion_tiles
from storage.translog.tiles import WIDTH, Bundle, Tile, entries_of
from storage.translog.verify.heads import SignedHead, Trust
from storage.translog.verify.names import anchor_place
from storage.translog.verify.reading import body_of
from storage.translog.verify.report import Gathering

BUNDLES = 66
"""So many are looked through below a hand-over: as many leaves as one checkpoint brings."""


class Follower:
    """Follows `key` leaves up to the key that signed ``head``."""

    def __init__(self, evidence: Evidence, shard: str, head: SignedHead, trust: Trust) -> None:
        self._evidence = evidence
        self._base = f"log/{shard}/"
        self._anchors = f"anchors/{shard}/"
        self._head = head
        self._trust = trust

    def follow(self, found: Gathering) -> None:
        """Have every key trusted that one leads to; changes nothing where none does.

        Each step trusts one more key, or is the last.
        """
        if self._head.signed_by(self._trust.keys):
            return
        notes = self._notes()
        while not self._head.signed_by(self._trust.keys):
            trusted = len(self._trust.keys)
            last = self._last_signed(notes)
            named = None if last is None else self._named(last.checkpoint.size)
            if last is None or named is None or not self._extends(last):
                return
            self._trust.grow([named], [last], {last.checkpoint.size: last.checkpoint.root}, found)
            if len(self._trust.keys) == trusted:
                return

    def _notes(self) -> list[tuple[int, StoredVersion]]:
        notes: list[tuple[int, StoredVersion]] = []
        for each in self._evidence.walk(self._anchors):
            place = anchor_place(each.key)
            if place is None or place.form != "note" or each.deleted or each.size < 0:
                continue
            if place.size <= self._head.checkpoint.size:
                notes.append((place.size, each))
        return sorted(notes, key=lambda note: note[0])

    def _last_signed(self, notes: Sequence[tuple[int, StoredVersion]]) -> SignedHead | None:
        """The last one that a trusted key signed, by halving: from the next on none did."""
        last: SignedHead | None = None
        low, high = 0, len(notes)
        while low < high:
            middle = (low + high) // 2
            head = self._read(notes[middle][1])
            if head is not None and head.signed_by(self._trust.keys):
                last, low = head, middle + 1
            else:
                high = middle
        return last

    def _read(self, note: StoredVersion) -> SignedHead | None:
        with suppress(NoteError):
            head = SignedHead.read(body_of(self._evidence, note), note.key)
            if head.checkpoint.origin == self._trust.origin:
                return head
        return None

    def _named(self, size: int) -> tuple[int, str] | None:
        """The last `key` leaf of so many, proved to stand under the head."""
        last = (size - 1) // WIDTH
        for block in range(last, max(last - BUNDLES, -1), -1):
            entries = self._bundle(block)
            for i in range(min(len(entries), size - block * WIDTH) - 1, -1, -1):
                key = read_key(entries[i])
                if key is not None:
                    index = block * WIDTH + i
                    return (index, key) if self._proved(index, entries[i]) else None
        return None

    def _bundle(self, block: int) -> tuple[bytes, ...]:
        size = self._head.checkpoint.size
        piece = Bundle(block, min(WIDTH, size - block * WIDTH))
        body = self._evidence.read(self._base + piece.path)
        with suppress(MalformedError):
            return () if body is None else entries_of(body)
        return ()

    def _proved(self, index: int, leaf: bytes) -> bool:
        size, root = self._head.checkpoint.size, self._head.checkpoint.root
        try:
            tiles = self._tiles(inclusion_tiles(index, size))
            hashes = inclusion_proof(index, size, TileHashes(size, tiles))
            verify_inclusion(index, size, leaf_hash(leaf), root, hashes)
        except MalformedError:
            return False
        return True

    def _extends(self, earlier: SignedHead) -> bool:
        """Whether the head's tree extends the one that was signed then: the leaf is in both."""
        old, new = earlier.checkpoint, self._head.checkpoint
        try:
            tiles = self._tiles(consistency_tiles(old.size, new.size))
            path = consistency_proof(old.size, new.size, TileHashes(new.size, tiles))
            verify_consistency(old.size, new.size, old.root, new.root, path)
        except MalformedError:
            return False
        return True

    def _tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        read = ((tile, self._evidence.read(self._base + tile.path)) for tile in wanted)
        return {tile: body for tile, body in read if body is not None}
