"""Journal throughput: rows acknowledged per second, beside plain aiosqlite single commits.

Two hundred producers append at the same time to twenty streams of one file; a row counts once the
append that brought it has returned, that is, once it is on the disk. The events are made before
the clock starts. Run: ``python -m benchmarks.journal [--json FILE] [--folder FOLDER]``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosqlite

from bridge.clock import SystemClock
from bridge.model import Batch, Cursor, Event, EventKind, Group, GroupState, NoticeState, Sender
from storage.journal import SqliteJournal

PRODUCERS = 200
GROUPS = 20
ROUNDS = 5
SINGLE_ROWS = 20_000
SYNC_ROWS = 40_000
PLAIN_ROWS = 2_000
SYNC = 10
"""Events of one batch as a sync response brings them."""
WANTED = 20_000
"""Rows a second."""

SEED = 3
BEGAN = datetime(2024, 5, 1, 9, tzinfo=UTC)
CONNECTOR = "bench"
PLAIN_TABLE = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, sid INTEGER NOT NULL, ident TEXT NOT NULL, "
    "payload BLOB NOT NULL, UNIQUE (sid, ident))"
)
PLAIN_INSERT = "INSERT INTO entry (sid, ident, payload) VALUES (?, ?, ?)"


def group_id(number: int) -> str:
    """One of the groups."""
    return f"!room{number % GROUPS:03d}:bench.example"


def message(chance: random.Random, number: int, group: int) -> Event:
    """A plain message as the Matrix connector hands it on, with its exact bytes."""
    words = " ".join(chance.choices(("approve", "option", "budget", "flood", "gate"), k=12))
    upstream_id = f"${number:08d}_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    sender = f"@person{number % 50}:bench.example"
    at = BEGAN + timedelta(milliseconds=number)
    raw = {
        "type": "m.room.message",
        "sender": sender,
        "content": {"msgtype": "m.text", "body": words},
        "origin_server_ts": int(at.timestamp() * 1000),
        "unsigned": {"membership": "join", "age": 120},
        "event_id": upstream_id,
    }
    return Event(
        group_id=group_id(group),
        upstream_id=upstream_id,
        kind=EventKind.MESSAGE,
        sender=Sender(id=sender, display_name=f"Person {number % 50}"),
        sent_at=at,
        observed_at=at + timedelta(milliseconds=80),
        body=words,
        raw=json.dumps(raw).encode(),
    )


def workload(rows: int, size: int, turn: int) -> list[list[Batch]]:
    """The batches of each producer, ``size`` events each; the same in every run."""
    chance = random.Random(SEED + turn)
    producers: list[list[Batch]] = [[] for _ in range(PRODUCERS)]
    for i in range(rows // size):
        first = turn * rows + i * size
        # A batch of one is of the producer's group; a larger one goes over several, as a sync does.
        events = tuple(message(chance, first + j, i + j % 4) for j in range(size))
        cursor = Cursor(f"s{first + size}_1_1_1".encode())
        producers[i % PRODUCERS].append(
            Batch(connector=CONNECTOR, platform="matrix", cursor=cursor, events=events)
        )
    return producers


async def timed(
    produce: Callable[[list[Batch]], Awaitable[None]], work: list[list[Batch]]
) -> float:
    """Rows acknowledged per second while all producers are at work."""
    rows = sum(len(batch.events) for batches in work for batch in batches)
    gc.collect()
    began = time.perf_counter()
    await asyncio.gather(*map(produce, work))
    return rows / (time.perf_counter() - began)


async def opened(path: Path) -> SqliteJournal:
    """A new journal with the groups in its register."""
    journal = await SqliteJournal.open(
        path,
        key=os.urandom(32),
        blind_key=os.urandom(32),
        random_bytes=os.urandom,
        clock=SystemClock(),
    )
    for number in range(GROUPS):
        group = Group(
            connector=CONNECTOR,
            platform="matrix",
            group_id=group_id(number),
            name="Bench",
            state=GroupState.ACTIVE,
            notice=NoticeState.POSTED,
        )
        await journal.set_group(group, expect=None)
    return journal


async def ours(path: Path, rows: int, size: int) -> list[float]:
    """Rates of our journal over the rounds; the rows are counted in the file afterwards."""
    journal = await opened(path)

    async def produce(batches: list[Batch]) -> None:
        for batch in batches:
            appended = await journal.append(batch)
            if appended.new != len(batch.events):
                raise RuntimeError("an append did not take its events")

    rates = [await timed(produce, workload(rows, size, turn)) for turn in range(ROUNDS + 1)]
    await journal.aclose()
    async with (
        aiosqlite.connect(path) as db,
        db.execute("SELECT COUNT(*) FROM entry") as counted,
    ):
        if await counted.fetchone() != (rows * (ROUNDS + 1),):
            raise RuntimeError("the file does not hold what was acknowledged")
    return rates[1:]


async def plain(path: Path) -> list[float]:
    """Rates of one INSERT and one commit per row, clear text, with the journal's pragmas."""
    async with aiosqlite.connect(path) as db:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            await db.execute(f"PRAGMA {pragma}")
        await db.execute(PLAIN_TABLE)
        alone = asyncio.Lock()  # one transaction at a time on one connection

        async def produce(batches: list[Batch]) -> None:
            for batch in batches:
                (event,) = batch.events
                sid = int(event.group_id[5:8])
                async with alone:
                    await db.execute(PLAIN_INSERT, (sid, event.upstream_id, event.raw))
                    await db.commit()

        works = [workload(PLAIN_ROWS, 1, turn) for turn in range(ROUNDS + 1)]
        rates = [await timed(produce, work) for work in works]
    return rates[1:]


def filesystem(folder: Path) -> str:
    """The kind of filesystem that ``folder`` stands on, as the kernel mounts it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = {str(each) for each in (folder.resolve(), *folder.resolve().parents)}
    _, kind = max((mount for mount in mounts if mount[0] in above), key=lambda m: len(m[0]))
    return kind


def told(name: str, rates: Sequence[float], beside: float) -> str:
    """One row of the table."""
    rate = statistics.median(rates)
    spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
    return f"| {name} | {rate:,.0f} | {spread} | {rate / beside:.1f} |"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, metavar="FILE")
    options.add_argument("--folder", type=Path, help="where the files stand while it runs")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        kind = filesystem(folder)
        single = asyncio.run(ours(folder / "single.db", SINGLE_ROWS, 1))
        sync = asyncio.run(ours(folder / "sync.db", SYNC_ROWS, SYNC))
        beside = asyncio.run(plain(folder / "plain.db"))
    plain_rate = statistics.median(beside)
    print(
        f"{PRODUCERS} producers, {GROUPS} streams, WAL with synchronous=FULL, on {kind}; "
        f"medians of {ROUNDS} rounds. Wanted of the journal: {WANTED:,}.\n\n"
        "| | acknowledged rows/s | lowest to highest | ratio |\n|---|---|---|---|\n"
        + told("muniment, batches of one event", single, plain_rate)
        + "\n"
        + told(f"muniment, batches of {SYNC} events", sync, plain_rate)
        + "\n"
        + told("plain aiosqlite, one INSERT and commit per row", beside, plain_rate)
    )
    if chosen.json:
        chosen.json.write_text(json.dumps({"single": single, "sync": sync, "plain": beside}))


if __name__ == "__main__":
    main()
