"""The program's own witness on loopback, with a memory of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.notekeys import Algorithm, NoteVerifier
from bridge.protocols import Clock
from storage.signer import Ed25519Signer
from storage.translog.witness_memory import WitnessMemory
from storage.translog.witness_server import MinimalWitness, WitnessServer
from tests.fakes.anchors import WITNESS
from tests.fakes.heads import signer_for


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWitness:
    """Where it listens, who it is, what it remembers, and how it decides."""

    url: str
    signer: Ed25519Signer
    memory: WitnessMemory
    witness: MinimalWitness

    @property
    def verifier(self) -> NoteVerifier:
        """Its key."""
        return self.signer.verifier


@asynccontextmanager
async def witness_server(
    file: Path, clock: Clock, *logs: NoteVerifier, name: str = WITNESS
) -> AsyncIterator[RunningWitness]:
    """A witness of these logs for as long as the block lasts; ``file`` is made if it is new."""
    signer = signer_for(name, algorithm=Algorithm.COSIGNATURE)
    memory = await asyncio.to_thread(_memory, file, signer.verifier.line)
    witness = MinimalWitness(signer=signer, logs=by_origin(logs), memory=memory)
    server = WitnessServer(witness, clock)
    try:
        port = await server.serve("127.0.0.1", 0)
        url = f"http://127.0.0.1:{port}"
        yield RunningWitness(url=url, signer=signer, memory=memory, witness=witness)
    finally:
        await server.aclose()
        await asyncio.to_thread(memory.close)


def by_origin(logs: Sequence[NoteVerifier]) -> dict[str, list[NoteVerifier]]:
    """Keys by the log that they sign."""
    found: dict[str, list[NoteVerifier]] = {}
    for verifier in logs:
        found.setdefault(verifier.name, []).append(verifier)
    return found


def _memory(file: Path, key: str) -> WitnessMemory:
    if not file.exists():
        WitnessMemory.create(file, key=key)
    return WitnessMemory.open(file, key=key)
