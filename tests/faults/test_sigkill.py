"""SIGKILL before and after every effect, on real files: the next life finishes the work."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from bridge.lifecycle import EntryState
from bridge.model import Digest
from storage.translog.checkpoint import open_checkpoint
from storage.translog.edge import RightEdge
from tests.fakes.log import KEY
from tests.faults.life import (
    ANSWER,
    BANTER,
    DATA,
    DOUBTED,
    PICTURE,
    QUESTION,
    open_journal,
    run,
)
from tests.faults.test_every_step import POINTS


def _objects(folder: Path) -> dict[str, bytes]:
    root = folder / "store" / "v1" / "demo"
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


async def _nothing_is_amiss(folder: Path) -> None:
    """One object per record, its leaves once each, no number missing, and no file left over."""
    objects = await asyncio.to_thread(_objects, folder)
    journal = await open_journal(folder, lives=99)
    try:
        entries = await journal.after(0, limit=100)
        rows = await journal._reader.execute_fetchall("SELECT body FROM leaf ORDER BY idx")
    finally:
        await journal.aclose()
    assert {entry.event.upstream_id: entry.state for entry in entries} == {
        QUESTION: EntryState.STORED,
        BANTER: EntryState.DISCARDED,
        PICTURE: EntryState.STORED,
        ANSWER: EntryState.STORED,
        DOUBTED: EntryState.STORED,
    }
    assert sorted(entry.n for entry in entries) == [0, 1, 2, 3, 4]
    kept = {
        e.record.key: e.record.body for e in entries if e.state is EntryState.STORED and e.record
    }
    media = {key: data for key, data in objects.items() if "/media/" in key}
    areas = ("records/", "review/")
    assert {k: d for k, d in objects.items() if k.startswith(areas) and k not in media} == kept
    assert list(media.values()) == [DATA]
    leaves = [json.loads(row[0]) for row in rows]
    receipts = Counter(leaf["ref"] for leaf in leaves if leaf["k"] == "stored")
    assert receipts == {e.seen_leaf: 1 for e in entries if e.state is EntryState.STORED}
    assert sorted(leaf["n"] for leaf in leaves if leaf["k"] == "seen") == [0, 1, 2, 3, 4]
    placed = Counter(leaf["p"] for leaf in leaves if leaf["k"] in {"manifest", "open"})
    documents = [k for k in objects if k.startswith(("manifests/", "acts/"))]
    assert placed == {Digest.of(f"v1/demo/{key}".encode()).hex: 1 for key in documents}
    assert not await asyncio.to_thread(lambda: list((folder / "spool").iterdir()))
    _published(objects, [row[0] for row in rows])


def _published(objects: dict[str, bytes], rows: list[bytes]) -> None:
    """The folder shows the journal's leaves, and a checkpoint over exactly these."""
    checkpoint = open_checkpoint(objects["log/0/checkpoint"], KEY.verifier)
    edge, pieces = RightEdge().grow(rows)
    assert (checkpoint.size, checkpoint.root) == (len(rows), edge.root())
    assert all(objects[f"log/0/{piece.path}"] == data for piece, data in pieces)


@pytest.mark.parametrize("point", POINTS)
async def test_the_next_life_finishes_what_a_killed_one_began(tmp_path: Path, point: str) -> None:
    """Acknowledged is in the journal, once; a record is in the store, once."""
    killed = await asyncio.to_thread(lambda: run(tmp_path, lives=1, point=point))
    assert killed == -signal.SIGKILL
    assert await asyncio.to_thread(lambda: run(tmp_path, lives=2)) == 0
    await _nothing_is_amiss(tmp_path)


async def test_a_life_that_is_killed_over_and_over_loses_nothing(tmp_path: Path) -> None:
    """Each life is killed one effect further on, until one comes to its end."""
    for lives, point in enumerate(POINTS):
        await asyncio.to_thread(run, tmp_path, lives=lives, point=point)
    assert await asyncio.to_thread(lambda: run(tmp_path, lives=len(POINTS))) == 0
    await _nothing_is_amiss(tmp_path)
