"""The published log: leaves appended per second into a folder, hashed, synced, signed, published.

Each checkpoint brings as many leaves as its row says; a leaf counts once the checkpoint over it
stands in the folder. Leaves are those of seen and stored messages, made before the clock starts.
Run: ``python -m benchmarks.log_append [--json FILE] [--folder FOLDER]``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.canonical import rfc3339
from bridge.clock import SystemClock
from bridge.notekeys import generate, parse_signing_key
from storage.objects import LocalObjectStore
from storage.signer import Ed25519Signer
from storage.translog.edge import RightEdge
from storage.translog.heads import SqliteCheckpointStore
from storage.translog.log import TiledLog
from storage.translog.merkle import Frontier, leaf_hash

LEAVES = 200_000
STEPS = (1_000, 10_000, 100_000)
"""Leaves of one checkpoint."""
ROUNDS = 3
WANTED = 20_000
"""Leaves a second."""
BEGAN = datetime(2026, 1, 1, 10, tzinfo=UTC)
RETENTION = timedelta(days=3650)
NAME = "records.bench.example/bench/log/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one way of appending gave, leaves per second of each round."""

    step: int
    rates: tuple[float, ...]
    files: int

    @property
    def rate(self) -> float:
        """The middle one."""
        return statistics.median(self.rates)


def workload() -> list[bytes]:
    """A seen and a stored leaf of each message."""
    return [body for n in range(LEAVES // 2) for body in (_seen(n), _stored(n))]


def _seen(n: int) -> bytes:
    at = rfc3339(BEGAN + timedelta(milliseconds=n))
    return (
        f'{{"c":"capture","cl":"rules@7+none","d":"{_digest(n)}","k":"seen","n":{n // 20},'
        f'"s":"{n % 20:016x}","t":"{at}","v":1}}'
    ).encode()


def _stored(n: int) -> bytes:
    at = BEGAN + timedelta(milliseconds=n + 80)
    return (
        f'{{"k":"stored","o":"{_digest(n)}","p":"{_digest(-n - 1)}","ref":{2 * n},'
        f'"ret":"{rfc3339(at + RETENTION)}","t":"{rfc3339(at)}","v":1}}'
    ).encode()


def _digest(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


async def appended(folder: Path, leaves: list[bytes], step: int) -> tuple[float, int]:
    """Leaves per second into a new log, and how many files it then has.

    Raises:
        RuntimeError: the checkpoint does not have the root of the leaves.
    """
    store = LocalObjectStore(folder / "objects", "bench")
    await store.start()
    log = TiledLog(
        store=store,
        heads=SqliteCheckpointStore(folder / "log.db"),
        place=store.checkpoint_place(),
        signer=Ed25519Signer(parse_signing_key(generate(NAME, os.urandom)[0])),
        clock=SystemClock(),
        retention=None,
    )
    await log.open()
    gc.collect()
    began = time.perf_counter()
    for start in range(0, len(leaves), step):
        head = await log.extend(leaves[start : start + step])
    spent = time.perf_counter() - began
    await log.aclose()
    await store.aclose()
    tree = Frontier()
    tree.extend(leaf_hash(leaf) for leaf in leaves)
    if (head.size, head.root) != (len(leaves), tree.root()):
        raise RuntimeError("the published head is not that of the leaves")
    files = sum(path.is_file() for path in (folder / "objects" / "v1").rglob("*"))
    return len(leaves) / spent, files


def hashed(leaves: list[bytes]) -> float:
    """Leaves per second without a store: hashes, tiles and bundles in memory."""
    edge = RightEdge()
    began = time.perf_counter()
    for start in range(0, len(leaves), STEPS[1]):
        edge, _ = edge.grow(leaves[start : start + STEPS[1]])
    edge.root()
    return len(leaves) / (time.perf_counter() - began)


def measure(folder: Path, leaves: list[bytes]) -> list[Row]:
    """Each way in turn, several times over."""
    rates: dict[int, list[float]] = {step: [] for step in STEPS}
    files: dict[int, int] = {}
    for turn in range(ROUNDS):
        for step in STEPS:
            with tempfile.TemporaryDirectory(dir=folder, prefix=f"{turn}-") as place:
                rate, files[step] = asyncio.run(appended(Path(place), leaves, step))
            rates[step].append(rate)
    return [Row(step=step, rates=tuple(rates[step]), files=files[step]) for step in STEPS]


def main() -> None:
    """Measure and print; exit 1 where no way of appending is fast enough."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, metavar="FILE")
    options.add_argument("--folder", type=Path, default=None)
    chosen = options.parse_args()
    leaves = workload()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        rows = measure(Path(folder), leaves)
    alone = statistics.median(hashed(leaves) for _ in range(ROUNDS))
    average = sum(map(len, leaves)) / len(leaves)
    print(
        f"{LEAVES:,} leaves of {average:.0f} bytes into a new folder store, every file and folder "
        f"synced; medians of {ROUNDS} rounds. Wanted: {WANTED:,}.\n"
    )
    print("| leaves of one checkpoint | leaves/s | lowest to highest | files of the log |")
    print("|---|---|---|---|")
    for row in rows:
        span = f"{min(row.rates):,.0f} to {max(row.rates):,.0f}"
        print(f"| {row.step:,} | {row.rate:,.0f} | {span} | {row.files:,} |")
    print(f"\nHashes, tiles and bundles alone, in memory: {alone:,.0f} leaves/s.")
    if chosen.json:
        figures = {str(row.step): row.rate for row in rows} | {"memory": alone}
        chosen.json.write_text(json.dumps(figures))
    if min(row.rate for row in rows) < WANTED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
