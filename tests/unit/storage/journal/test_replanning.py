"""What SQLite adds to new deadlines: one transaction, damaged rows, an index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.lifecycle import EntryState
from bridge.model import GroupTimer, Timer
from storage.journal import SqliteJournal
from storage.journal.statements import MIGRATIONS, STATEMENTS
from tests.fakes.samples import GROUP_ID, NOW, batch, event
from tests.unit.storage.journal.files import rows

TOLD = replace(
    batch(event("$late"), cursor=b"later"),
    timers=(GroupTimer(group_id=GROUP_ID, standing=Timer(seconds=40.0, basis="x")),),
)


async def test_a_damaged_row_keeps_its_deadline(journal: SqliteJournal, path: Path) -> None:
    """A row that does not open is passed over; the others get their new deadline."""
    await journal.append(batch(*(event(f"${i}") for i in range(3))))
    before = rows(path, "SELECT safe_by, expires_at FROM entry WHERE seq = 2")
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99) WHERE seq = 2")
    await journal.append(TOLD)
    assert rows(path, "SELECT safe_by, expires_at FROM entry WHERE seq = 2") == before
    found = await journal.claim(EntryState.RECEIVED, now=NOW, limit=9)
    planned = [entry.seq for entry in found if entry.expires_at == NOW + timedelta(seconds=40)]
    assert planned == [1, 3]


async def test_hostile_content_is_planned_anew(journal: SqliteJournal) -> None:
    """A message that is sealed in the other encoding has its deadline moved like any."""
    await journal.append(batch(event("$1", body="\ud800", raw=b"\xff")))
    await journal.append(TOLD)
    entry = await journal.entry(1)
    assert entry is not None
    assert entry.expires_at == NOW + timedelta(seconds=40)


async def test_timers_come_with_their_delivery(journal: SqliteJournal, path: Path) -> None:
    """Where the delivery is not committed, neither timer nor deadline has changed."""
    await journal.append(batch(event("$1"), cursor=b"here"))
    before = await journal.entry(1)
    rows(path, "CREATE TRIGGER no BEFORE UPDATE ON place BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(RuntimeError, match="no"):
        await journal.append(TOLD)
    assert await journal.entry(1) == before
    assert [each.timer for each in await journal.groups()] == [None]
    rows(path, "DROP TRIGGER no")
    assert (await journal.append(TOLD)).new == 1
    assert await journal.entry(1) != before


def test_what_is_pending_is_found_by_its_index() -> None:
    """A timer reads what waits, never the whole journal."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript("\n".join(MIGRATIONS))
        sql = f"EXPLAIN QUERY PLAN {STATEMENTS['entry_replan_seqs']}"
        plan = [row[3] for row in db.execute(sql, ["[]"])]
    assert any("entry USING INDEX entry_work (state=?)" in step for step in plan)
    assert any("d USING" in step and "download_work" in step for step in plan)
