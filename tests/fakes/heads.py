"""A log in memory whose heads are really signed: for those who are shown heads."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from bridge.notekeys import Algorithm, NoteVerifier, generate, parse_signing_key
from bridge.protocols import Head
from storage.signer import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.merkle import Frontier, consistency_proof, leaf_hash, tree_hash
from tests.fakes.clock import START

ORIGIN = "records.example.org/demo/log/0"


def signer_for(
    name: str, *, seed: int = 1, algorithm: Algorithm = Algorithm.ED25519
) -> Ed25519Signer:
    """A signer with a key of this name; the same for the same seed."""
    line, _ = generate(name, random.Random(f"{name} {seed}").randbytes, algorithm=algorithm)
    return Ed25519Signer(parse_signing_key(line, algorithm=algorithm))


class SampleLog:
    """Leaves of one history; another ``history`` with another ``seed``."""

    def __init__(self, *, origin: str = ORIGIN, seed: int = 1, shared: int = 0) -> None:
        """The first ``shared`` leaves are those of every history."""
        self.signer = signer_for(origin)
        self._seed = seed
        self._shared = shared
        self._hashes: list[bytes] = []

    @property
    def verifier(self) -> NoteVerifier:
        """Who signs it."""
        return self.signer.verifier

    def checkpoint(self, size: int) -> Checkpoint:
        """Its tree head of this size."""
        frontier = Frontier()
        frontier.extend(self._leaves(size))
        return Checkpoint(origin=self.verifier.name, size=size, root=frontier.root())

    def head(self, size: int, *, at: datetime = START) -> Head:
        """The same, signed."""
        checkpoint = self.checkpoint(size)
        note = sign_checkpoint(checkpoint, self.signer)
        return Head(size=size, root=checkpoint.root, note=note, at=at)

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the larger tree extends the smaller."""
        return self.proof(old, new)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        """The same at once."""
        leaves = self._leaves(new)
        return consistency_proof(
            old, new, lambda level, i: tree_hash(leaves[i << level : (i + 1) << level])
        )

    def _leaves(self, size: int) -> list[bytes]:
        while len(self._hashes) < size:
            index = len(self._hashes)
            history = self._seed if index >= self._shared else 0
            self._hashes.append(leaf_hash(f"leaf {index} of {history}".encode()))
        return self._hashes[:size]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHead:
    """See :class:`bridge.protocols.Published`."""

    head: Head
    content_size: int
    handing_over: bool = False
