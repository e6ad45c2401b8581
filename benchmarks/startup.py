"""From the start of `muniment run` until it is ready, over a large journal.

    python -m benchmarks.startup [--groups 100] [--rows 1000000] [--runs 5]

Against the Bot API server for tests and a `file:` store. The recorder first records a little in
each group; what it has then is multiplied in the journal's table of entries, under other numbers,
as entries of long ago would stand there. Each start is on a warm disk.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from pathlib import Path
from statistics import median

from benchmarks.scene import use_free_port
from benchmarks.soak import Soak, rooms_of, send
from benchmarks.telegram_loss import Town
from bridge.app import read_settings
from bridge.demo.recorder import Recorder
from tests.servers.bot_api import bot_api_process

_PEOPLE = 4
_PATIENCE = 120.0


def multiply(journal: Path, rows: int) -> int:
    """Bring the table of entries to ``rows``; nobody else MUST have it open. How many there are.

    What is copied is what is done with: it has its own number and its own blinded identity, and
    names the leaf of its original.
    """
    with closing(sqlite3.connect(journal, isolation_level=None)) as database:
        names = [str(row[1]) for row in database.execute("PRAGMA table_info(entry)")]
        kept = [name for name in names if name not in {"seq", "n", "ident"}]
        columns = ", ".join(kept)
        database.execute("BEGIN")
        while True:
            (there,) = database.execute("SELECT COUNT(*) FROM entry").fetchone()
            if there >= rows:
                break
            database.execute(
                f"INSERT INTO entry (n, ident, {columns})"  # noqa: S608 - the schema's own names
                " SELECT n + (SELECT next_n FROM stream s WHERE s.sid = e.sid), randomblob(16),"
                f" {columns} FROM entry e WHERE state IN ('stored', 'discarded') LIMIT ?",
                (rows - there,),
            )
            database.execute(
                "UPDATE stream SET next_n ="
                " (SELECT MAX(n) + 1 FROM entry e WHERE e.sid = stream.sid)"
            )
        database.execute("COMMIT")
        return int(there)


def ready_after(address: str, began: float) -> float:
    """Seconds from ``began`` until it says that it is ready. Blocks."""
    while time.monotonic() < began + _PATIENCE:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - loopback
                return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise RuntimeError("it was never ready")


async def measure(groups: int, rows: int, runs: int, folder: Path) -> None:
    """Prepare, start it several times, print."""
    async with AsyncExitStack() as stack:
        api = stack.enter_context(bot_api_process())
        town = Town(api, stack.enter_context(ThreadPoolExecutor(_PEOPLE)))
        people = [person.name for person in await town.people(_PEOPLE)]
        token, approved = await rooms_of(town, people, groups)
        recorder = Recorder(folder=folder / "recorder", command=(sys.executable, "-m", "bridge"))
        await recorder.prepare_telegram(api_base=api.url, token=token, groups=approved)
        await asyncio.to_thread(use_free_port, recorder)
        await recorder.start(patience=300.0)
        await send(town, people, approved, Soak(seconds=20.0, rate=50.0, groups=groups))
        await asyncio.sleep(5.0)
        await recorder.stop()
        settings = await asyncio.to_thread(read_settings, recorder.config)
        journal = settings.service.data_dir / "journal.db"
        there = await asyncio.to_thread(multiply, journal, rows)
        address = f"http://{settings.service.metrics}/readyz"
        took = []
        for _ in range(runs):
            began = time.monotonic()
            await recorder.spawn()
            took.append(await asyncio.to_thread(ready_after, address, began))
            await recorder.stop()
    size = journal.stat().st_size / 1e6
    print(
        f"{groups} groups, {there} entries ({size:.0f} MB): ready after {min(took):.2f} to"
        f" {max(took):.2f} s, median {median(took):.2f} s of {runs} starts."
    )


def main() -> None:
    """Read the arguments, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(chosen.groups, chosen.rows, chosen.runs, Path(folder)))


if __name__ == "__main__":
    main()
