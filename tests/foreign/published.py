"""A log of 70,000 leaves in a folder, written by the product's own writer."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from bridge.canonical import rfc3339
from bridge.model import Digest
from bridge.notekeys import NoteSigner, NoteVerifier, generate, origin, parse_signing_key
from storage.objects import LocalObjectStore
from storage.signer import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, open_checkpoint
from storage.translog.heads import SqliteCheckpointStore
from storage.translog.log import TiledLog
from storage.translog.merkle import HashAt, inclusion_proof
from storage.translog.proof import TlogProof
from storage.translog.tilehashes import TileHashes
from storage.translog.tiles import Tile, tiles_of
from tests.fakes.clock import FakeClock

SIZES = (0, 1, 2, 255, 256, 257, 1000, 4097, 30_001, 65_535, 65_536, 65_537, 69_999, 70_000)
"""Where a checkpoint was published: around every edge of a tile."""

INDICES = (0, 1, 255, 256, 999, 65_535, 65_536, 69_887, 69_888, 69_999)
TENANT = "demo"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class PublishedLog:
    """What stands in ``folder``: leaves, and the notes of every checkpoint from the first on."""

    folder: Path
    key: NoteSigner = field(repr=False)
    leaves: tuple[bytes, ...] = field(repr=False)
    notes: tuple[bytes, ...] = field(repr=False)

    @property
    def verifier(self) -> NoteVerifier:
        """Whose signature the checkpoints carry."""
        return self.key.verifier

    @cached_property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """What the notes say, oldest first."""
        return tuple(open_checkpoint(note, self.verifier) for note in self.notes)

    @cached_property
    def hashes(self) -> HashAt:
        """Any complete subtree of the whole log, out of its tiles."""
        tiles = [piece for piece in tiles_of(len(self.leaves)) if isinstance(piece, Tile)]
        read = {tile: (self.folder / tile.path).read_bytes() for tile in tiles}
        return TileHashes(len(self.leaves), read)

    def proof(self, index: int) -> TlogProof:
        """The proof file of one leaf, under the newest checkpoint."""
        hashes = inclusion_proof(index, len(self.leaves), self.hashes)
        return TlogProof(index=index, hashes=hashes, checkpoint=self.notes[-1])

    def spoilt(self, folder: Path, path: str, *, place: int = -1) -> Path:
        """A copy of the log in ``folder`` with one bit of one file flipped."""
        shutil.copytree(self.folder, folder, copy_function=os.link)
        data = bytearray((folder / path).read_bytes())
        data[place] ^= 1
        (folder / path).unlink()
        (folder / path).write_bytes(data)
        return folder


def publish(root: Path) -> PublishedLog:
    """Write the log below ``root``, one checkpoint for each of :data:`SIZES`."""
    name = origin("records.example.org", TENANT)
    key = parse_signing_key(generate(name, lambda n: bytes(range(n)))[0])
    leaves = tuple(_leaf(n) for n in range(SIZES[-1]))
    notes = asyncio.run(_write(root, key, leaves))
    folder = root / "objects" / "v1" / TENANT / "log" / "0"
    return PublishedLog(folder=folder, key=key, leaves=leaves, notes=notes)


async def _write(root: Path, key: NoteSigner, leaves: tuple[bytes, ...]) -> tuple[bytes, ...]:
    store = LocalObjectStore(root / "objects", TENANT)
    await store.start()
    log = TiledLog(
        store=store,
        heads=SqliteCheckpointStore(root / "log.db"),
        place=store.checkpoint_place(),
        signer=Ed25519Signer(key),
        clock=FakeClock(),
        retention=None,
    )
    await log.open()
    notes = [(await log.extend(leaves[old:new])).note for old, new in pairwise(SIZES)]
    await log.aclose()
    await store.aclose()
    return tuple(notes)


def _leaf(n: int) -> bytes:
    stream, number = divmod(n, 1000)
    digest = Digest.of(n.to_bytes(8, "big")).hex
    at = rfc3339(START + timedelta(milliseconds=n))
    return (
        f'{{"c":"capture","cl":"rules@7+none","d":"{digest}","k":"seen","n":{number},'
        f'"s":"{stream:016x}","t":"{at}","v":1}}'
    ).encode()
