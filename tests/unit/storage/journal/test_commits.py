"""What SQLite adds to the promises: merged commits, a full disk, a process that ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.errors import JournalUnavailableError
from bridge.lifecycle import EntryState
from bridge.model import NoticeState
from bridge.protocols import Appended
from storage.journal import SqliteJournal
from storage.journal.committer import Transaction
from tests.fakes.samples import CONNECTOR, NOW, batch, event, group, placement, verdict
from tests.unit.storage.journal.files import opened, rows

LARGE = "x" * 500_000


@asynccontextmanager
async def full_disk(journal: SqliteJournal) -> AsyncIterator[None]:
    """The file cannot grow. White-box: the limit belongs to the connection that writes."""

    async def limit(pages: int) -> int:
        (row,) = await journal._writer.execute_fetchall(f"PRAGMA max_page_count = {pages}")
        return int(row[0])

    await limit(1)  # SQLite takes the present size where that is more
    try:
        yield
    finally:
        await limit(2**30)


async def test_a_full_disk_is_said_and_survived(journal: SqliteJournal, path: Path) -> None:
    """On a full disk nothing is half-written; once there is room, everything works again."""
    await journal.append(batch(event("$1"), cursor=b"one"))
    before = rows(path, "SELECT * FROM entry")
    async with full_disk(journal):
        for _ in range(2):
            with pytest.raises(JournalUnavailableError, match="full") as refusal:
                await journal.append(batch(event("$2", body=LARGE), event("$3"), cursor=b"two"))
        assert refusal.value.retryable
        assert "disk" in refusal.value.hint
        assert rows(path, "SELECT * FROM entry") == before
        assert await journal.cursor(CONNECTOR) == b"one"
    appended = await journal.append(batch(event("$2", body=LARGE), event("$3"), cursor=b"two"))
    assert appended.new == 2
    assert await journal.cursor(CONNECTOR) == b"two"
    assert sorted(e.n for e in await journal.after(0, limit=9)) == [0, 1, 2]


async def test_what_still_fits_is_taken(journal: SqliteJournal) -> None:
    """Of works committed together on a full disk, those that need no room are done."""
    await journal.append(batch(event("$1")))
    async with full_disk(journal):
        large, small = await asyncio.gather(
            journal.append(batch(event("$2", body=LARGE), cursor=b"large")),
            journal.judge([(1, verdict())]),
            return_exceptions=True,
        )
    assert isinstance(large, JournalUnavailableError)
    assert small is None
    entry = await journal.entry(1)
    assert entry is not None
    assert entry.state is EntryState.JUDGED


async def test_one_refused_work_leaves_its_neighbours(journal: SqliteJournal) -> None:
    """Works that wait together are committed together, but for the one that is refused."""
    stranger = group("!stranger", notice=NoticeState.DUE)
    answers = await asyncio.gather(
        journal.append(batch(event("$0"))),
        *(journal.append(batch(event(f"${i}"))) for i in range(1, 5)),
        journal.settle_notice(
            stranger, notice=NoticeState.POSTED, note="", act=placement(group_id="!stranger")
        ),
        *(journal.append(batch(event(f"${i}"))) for i in range(5, 9)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Appended] * 5 + [RuntimeError] + [Appended] * 4
    assert [e.n for e in await journal.after(0, limit=99)] == list(range(9))
    assert [p.kind for p in await journal.placements(limit=9)] == ["open"]


async def test_waiting_works_are_merged(journal: SqliteJournal) -> None:
    """Many works that wait at the same time share few transactions. White-box: counts them."""
    seen: list[Transaction] = []

    async def work(transaction: Transaction) -> None:
        if transaction not in seen:
            seen.append(transaction)

    await asyncio.gather(*(journal._committer.run(work) for _ in range(200)))
    assert len(seen) <= 2


async def test_a_statement_that_does_not_fit_is_our_own_mistake(journal: SqliteJournal) -> None:
    """A broken constraint is a RuntimeError, never one of SQLite's own, and leaves no trace."""

    async def work(transaction: Transaction) -> None:
        await transaction.run("meta_set", "stray", 1)
        await transaction.run("stream_insert", "id", "nobody", "!none", "gid", b"", 0)

    with pytest.raises(RuntimeError, match="does not fit"):
        await journal._committer.run(work)
    assert await journal._rows("meta_get", int, "stray") == []
    assert (await journal.append(batch(event()))).new == 1


async def test_a_cancelled_work_is_not_taken_back(journal: SqliteJournal) -> None:
    """However early a waiting caller is cancelled, what it handed in is committed."""
    await journal.append(batch(event("$open")))
    for turns in range(1, 12):
        task = asyncio.create_task(journal.append(batch(event(f"${turns}"))))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await journal.skip_office_step(1)  # comes behind all of them
    assert [e.n for e in await journal.after(0, limit=99)] == list(range(12))


async def test_closing_drains(journal: SqliteJournal, path: Path) -> None:
    """What was handed in before the close is durable after it; the rest is refused."""
    await journal.append(batch(event("$open")))
    tasks = [asyncio.create_task(journal.append(batch(event(f"${i}")))) for i in range(50)]
    await asyncio.sleep(0)
    await journal.aclose()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, Appended | JournalUnavailableError) for answer in answers)
    done = sum(isinstance(answer, Appended) for answer in answers)
    assert done == 50
    again = await opened(path, seed=1)
    assert [e.n for e in await again.after(0, limit=99)] == list(range(51))
    await again.aclose()
    assert not path.with_name("journal.db-wal").exists()


async def test_another_writer_makes_it_wait_or_refuse(journal: SqliteJournal, path: Path) -> None:
    """A lock held by somebody else is an unavailable journal, and nothing was written."""
    await journal._writer.execute("PRAGMA busy_timeout = 1")
    other = await opened(path, seed=1)
    await other._writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailableError, match="locked"):
        await journal.set_group(group("!x"), expect=None)
    await other._writer.execute("ROLLBACK")
    assert await journal.set_group(group("!x"), expect=None)
    await other.aclose()


async def test_a_log_that_a_reader_holds_is_said(journal: SqliteJournal, path: Path) -> None:
    """Forget says so while a reader keeps the write-ahead log from being emptied."""
    await journal.append(batch(event("$1")))
    reader = await opened(path, seed=1)
    await journal._writer.execute("PRAGMA busy_timeout = 1")
    await reader._writer.execute("BEGIN")
    await reader._writer.execute_fetchall("SELECT * FROM entry")
    await journal.append(batch(event("$2")))
    with pytest.raises(JournalUnavailableError, match="could not be emptied"):
        await journal.forget(discarded_before=NOW, limit=1)
    await reader._writer.execute("ROLLBACK")
    assert await journal.forget(discarded_before=NOW, limit=1) == ()
    await reader.aclose()
