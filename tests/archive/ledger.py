"""The log of an archive while it is written: leaves, tiles, checkpoints, and the objects."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from bridge.canonical import Leaf, dumps, rfc3339
from bridge.canonical.json import Json
from bridge.keys import absolute
from bridge.model import Digest
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.edge import RightEdge
from tests.archive.archive import TENANT, Stored

RECORDS_DAYS = 3650
REVIEW_DAYS = 30


def leaf_of(kind: str, at: datetime, fields: dict[str, Json]) -> Leaf:
    """A leaf of a kind or with fields that :class:`bridge.canonical.Leaf` has no verb for."""
    return Leaf(kind=kind, body=dumps({"k": kind, "v": 1, "t": rfc3339(at), **fields}))


class Ledger:
    """Leaves in order, what was published of them, and every object put.

    Time goes on with every leaf. The log is published now and then, so that old partial tiles
    lie in the store, as behind a real writer.
    """

    def __init__(self, rng: random.Random, signer: Ed25519Signer, start: datetime) -> None:
        self.rng = rng
        self.now = start
        self.leaves: list[bytes] = []
        self.notes: list[bytes] = []
        self.sizes: list[int] = []
        self.objects: dict[str, Stored] = {}
        self.origin = signer.verifier.name
        self._signer = signer
        self._edge = RightEdge()

    def tick(self, least: int = 50, most: int = 3000) -> datetime:
        """Some milliseconds later."""
        self.now += timedelta(milliseconds=self.rng.randint(least, most))
        return self.now

    def add(self, leaf: Leaf) -> int:
        """Append a leaf; gives its index."""
        self.leaves.append(leaf.body)
        return len(self.leaves) - 1

    def put(self, key: str, body: bytes, *, days: int | None = RECORDS_DAYS) -> Digest:
        """Put an object now, kept for so many days."""
        until = None if days is None else self.now + timedelta(days=days)
        self.objects[key] = Stored(key=key, body=body, modified_at=self.now, retain_until=until)
        return Digest.of(body)

    def place(self, kind: str, key: str, body: bytes, **more: Json) -> int:
        """Put a manifest part or an act, and write its leaf."""
        self.tick()
        digest = self.put(key, body)
        fields: dict[str, Json] = {"p": self.place_of(key), "o": digest.hex, **more}
        return self.add(leaf_of(kind, self.tick(), fields))

    def place_of(self, key: str) -> str:
        """``p`` of a key."""
        return Digest.of(absolute(TENANT, key).encode()).hex

    def publish(self) -> None:
        """Write tiles, bundles and the checkpoint for every leaf so far."""
        if self._edge.size == len(self.leaves):
            return
        self.tick()
        self._edge, pieces = self._edge.grow(self.leaves[self._edge.size :])
        for piece, data in pieces:
            self.put(f"log/0/{piece.path}", data, days=RECORDS_DAYS if piece.full else None)
        head = Checkpoint(origin=self.origin, size=self._edge.size, root=self._edge.root())
        note = sign_checkpoint(head, self._signer)
        self.put("log/0/checkpoint", note, days=None)
        self.notes.append(note)
        self.sizes.append(self._edge.size)
