"""``muniment witness``: a witness for another organisation's log, without settings of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.app.reading import as_config_error
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.notekeys import (
    Algorithm,
    NoteSigner,
    NoteVerifier,
    generate,
    parse_signing_key,
    parse_verifier,
)
from bridge.protocols import Clock
from config.secrets import read_public, read_secret
from config.values import host_and_port
from storage.signer import Ed25519Signer
from storage.translog.witness_memory import WitnessMemory
from storage.translog.witness_server import MinimalWitness, WitnessServer

SIGNING_KEY = "signing.key"
PUBLIC_KEY = "public.key"
MEMORY = "witness.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessing:
    """A witness at work: its name, its port, and the logs it signs."""

    name: str
    port: int
    origins: tuple[str, ...]


def new_witness(name: str, folder: Path, *, random_bytes: Callable[[int], bytes]) -> str:
    """Make a folder with a cosigning key and an empty memory; gives the verifier key.

    Raises:
        ConfigError: the name cannot name a key, or the folder is there or cannot be made.
    """
    try:
        signing_line, verifier_line = generate(name, random_bytes, algorithm=Algorithm.COSIGNATURE)
    except ConfigError:
        raise ConfigError(
            f"{name!r} cannot name a witness.",
            hint="Give a name as witness.example.org/w1, without spaces and without +.",
        ) from None
    try:
        folder.mkdir(mode=0o700, parents=True)
        _write(folder / SIGNING_KEY, signing_line, mode=0o600)
        _write(folder / PUBLIC_KEY, verifier_line, mode=0o644)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made ({error.strerror}).", hint="Name a new folder."
        ) from None
    WitnessMemory.create(folder / MEMORY, key=verifier_line)
    return verifier_line


@asynccontextmanager
async def witnessing(
    *,
    listen: str,
    log_keys: Sequence[Path],
    signing_key_file: Path,
    memory_file: Path,
    clock: Clock | None = None,
) -> AsyncIterator[Witnessing]:
    """A witness that answers for as long as the block lasts.

    Raises:
        ConfigError: a key, the memory or the address cannot be used.
    """
    host, port = _address(listen)
    key, logs = await asyncio.to_thread(_keys, signing_key_file, log_keys)
    async with AsyncExitStack() as stack:
        memory = await asyncio.to_thread(WitnessMemory.open, memory_file, key=key.verifier.line)
        stack.push_async_callback(asyncio.to_thread, memory.close)
        witness = MinimalWitness(signer=Ed25519Signer(key), logs=logs, memory=memory)
        server = WitnessServer(witness, clock or SystemClock())
        stack.push_async_callback(server.aclose)
        try:
            port = await server.serve(host, port)
        except OSError as error:
            raise ConfigError(
                f"{listen} cannot be listened on ({error.strerror}).",
                hint="Give --listen an address of this machine whose port is free.",
            ) from None
        yield Witnessing(name=key.name, port=port, origins=tuple(logs))


def _keys(
    signing_key_file: Path, log_keys: Sequence[Path]
) -> tuple[NoteSigner, dict[str, list[NoteVerifier]]]:
    with as_config_error():
        line = read_secret(signing_key_file)
        lines = [(file, each) for file in log_keys for each in read_public(file).split("\n")]
    try:
        key = parse_signing_key(line, algorithm=Algorithm.COSIGNATURE)
    except ConfigError as error:
        hint = "Give --signing-key-file the signing.key that `muniment witness init` made."
        raise ConfigError(f"{signing_key_file}: {error}.", hint=hint) from None
    logs: dict[str, list[NoteVerifier]] = {}
    for file, each in lines:
        try:
            verifier = parse_verifier(each)
        except ConfigError as error:
            hint = "Give --log-key the public.key of the log to be witnessed."
            raise ConfigError(f"{file}: {error}.", hint=hint) from None
        logs.setdefault(verifier.name, []).append(verifier)
    return key, logs


def _address(listen: str) -> tuple[str, int]:
    try:
        return host_and_port(listen)
    except ValueError:
        raise ConfigError(
            f"--listen is {listen!r}.", hint="Write HOST:PORT, as 127.0.0.1:8091."
        ) from None


def _write(file: Path, line: str, *, mode: int) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with os.fdopen(os.open(file, flags, mode), "w", encoding="utf-8") as out:
        out.write(f"{line}\n")
        out.flush()
        os.fsync(out.fileno())
