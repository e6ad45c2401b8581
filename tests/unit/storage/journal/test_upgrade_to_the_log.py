"""A journal from before the log was published is published from its first leaf on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.canonical import Leaf
from bridge.publisher import Publisher
from storage.journal.statements import MIGRATIONS
from tests.fakes.clock import FakeClock
from tests.fakes.log import FakeCheckpointPlace, FakeCheckpointStore, tiled_log
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.published import one_history, published
from tests.fakes.samples import NOW
from tests.unit.storage.journal.files import opened

BEFORE = 3
"""The schema's version before there was a log."""


def _write(path: Path, leaves: list[Leaf]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for number in range(BEFORE):
            db.executescript(f"BEGIN;\n{MIGRATIONS[number]}\nCOMMIT;")
        db.execute(f"PRAGMA user_version = {BEFORE}")
        db.executemany(
            "INSERT INTO leaf (idx, kind, body) VALUES (?, ?, ?)",
            [(i, leaf.kind, leaf.body) for i, leaf in enumerate(leaves)],
        )


async def test_leaf_rows_of_before_are_published_from_the_first(path: Path) -> None:
    """Rows keep the indices that they were given when nothing was published yet."""
    leaves = [Leaf.late(at=NOW, ref=0, late_ms=i) for i in range(1000)]
    _write(path, leaves)
    clock = FakeClock()
    store = FakeObjectStore(clock)
    heads, place = FakeCheckpointStore(), FakeCheckpointPlace(store, clock)
    journal = await opened(path)
    publisher = Publisher(
        record_log=tiled_log(store, heads, place, clock),
        journal=journal,
        clock=clock,
        checkpoint_seconds=10,
    )
    await publisher.begin()
    await publisher.round()
    assert await journal.leaf_count() == 1000
    await journal.aclose()
    assert published(store) == tuple(leaf.body for leaf in leaves)
    one_history(heads, place)
