"""A process that is killed at any moment leaves a whole journal with all it acknowledged."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.protocols import Entry
from tests.unit.storage.journal import appender
from tests.unit.storage.journal.files import opened, rows

ROOT = Path(__file__).parents[4]
KILLS = 15


@contextmanager
def _nursery(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.unit.storage.journal.appender", str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


def _killed(process: subprocess.Popen[str], generation: int, *, after: int) -> set[tuple[int, int]]:
    """One child, killed when it has acknowledged ``after`` batches; gives all it acknowledged."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{generation}\n")
    process.stdin.flush()
    child = None
    acknowledged: set[tuple[int, int]] = set()
    for line in process.stdout:
        first, _, second = line.strip().partition(" ")
        if first == "dead":
            return acknowledged
        if first == "pid":
            child = int(second)
        else:
            acknowledged.add((int(first), int(second)))
        if child is not None and len(acknowledged) >= after:
            os.kill(child, signal.SIGKILL)
            after = sys.maxsize  # once; what it had written before is still to be read
    raise AssertionError("the nursery ended")


async def _content(path: Path) -> tuple[list[Entry], bytes | None]:
    journal = await opened(path, seed=999)
    found: list[Entry] = []
    while page := await journal.after(found[-1].seq if found else 0, limit=500):
        found += page
    cursor = await journal.cursor("matrix")
    await journal.aclose()
    return found, cursor


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """After fifteen kills every acknowledged batch is there, wholly and once, without a hole."""
    path = tmp_path / "journal.db"
    chance = random.Random(7)
    acknowledged: set[tuple[int, int]] = set()
    with _nursery(path) as process:
        for generation in range(KILLS):
            after = 0 if generation % 5 == 0 else chance.randrange(1, 25)
            acknowledged |= _killed(process, generation, after=after)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    entries, cursor = asyncio.run(_content(path))
    _check_numbers(entries)
    batches = _check_batches(entries)
    assert acknowledged <= batches
    assert len(acknowledged) > KILLS
    assert cursor is not None
    last = entries[-1].event.upstream_id
    assert last.startswith(f"${cursor.decode()}/"), "the cursor stands with the last events"


def _check_numbers(entries: list[Entry]) -> None:
    streams: dict[str, list[int]] = {}
    for entry in entries:
        streams.setdefault(entry.stream.id, []).append(entry.n)
    assert len(streams) == len(appender.GROUPS)
    assert all(numbers == list(range(len(numbers))) for numbers in streams.values())


def _check_batches(entries: list[Entry]) -> set[tuple[int, int]]:
    """Every batch that is there is there with all its events; gives them."""
    found: dict[tuple[int, int], int] = {}
    for entry in entries:
        generation, number, _ = entry.event.upstream_id.removeprefix("$").split("/")
        batch = (int(generation), int(number))
        found[batch] = found.get(batch, 0) + 1
    assert set(found.values()) == {appender.EVENTS}
    return set(found)
