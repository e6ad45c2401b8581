"""Totals in a file that an earlier version wrote, and what a question costs in a large one."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.model import Outcome
from tests.contracts.journal.subjects import LATER, SqliteBacking, Subject
from tests.fakes.clock import FakeClock
from tests.fakes.samples import GROUP_ID, event, proof, verdict


def _run(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(sql)


async def test_totals_are_counted_once_where_there_are_none(tmp_path: Path) -> None:
    """A file of an earlier version has none: they are those of its rows, and kept from then on."""
    path, clock = tmp_path / "journal.db", FakeClock()
    subject = Subject(await SqliteBacking.open(path, clock), clock)
    await subject.admit(GROUP_ID)
    late = await subject.sealed(of=event("$late", timer=1.0))
    await subject.journal.store([proof(late, late_ms=7)])
    await subject.stored(of=event("$stored"))
    await subject.sealed(verdict(Outcome.REVIEW, restricted=True), of=event("$secret"))
    before = await subject.journal.counts(now=LATER)
    assert (before.seen, before.stored, before.late, before.restricted) == (3, 2, 1, 1)
    await asyncio.to_thread(_run, path, "DELETE FROM meta WHERE name LIKE 'total_%'")
    await subject.restart()
    assert await subject.journal.counts(now=LATER) == before
    await asyncio.to_thread(_run, path, "UPDATE meta SET value = 9 WHERE name = 'total_stored'")
    await subject.restart()
    assert (await subject.journal.counts(now=LATER)).stored == 9  # not counted again
    await subject.journal.aclose()
