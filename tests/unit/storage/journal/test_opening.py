"""What may be wrong with a journal file, and what the operator is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import (
    JournalError,
    JournalKeyError,
    JournalSchemaError,
    JournalUnavailableError,
)
from bridge.lifecycle import EntryState
from storage.journal import SqliteJournal
from storage.journal.statements import MIGRATIONS
from tests.fakes.samples import CONNECTOR, NOW, batch, event, group
from tests.unit.storage.journal.files import content, looked_at, names, opened, rows


@pytest.fixture
async def closed(journal: SqliteJournal, path: Path) -> Path:
    """A journal with one entry, at rest."""
    await journal.append(batch(event(), cursor=b"here"))
    await journal.aclose()
    return path


async def _refused(path: Path, error: type[JournalError]) -> JournalError:
    """Both ways of opening refuse ``path`` and leave its bytes alone."""
    before = content(path)
    with pytest.raises(error) as looking:
        await looked_at(path)
    with pytest.raises(error) as opening:
        await opened(path)
    assert content(path) == before
    assert type(looking.value) is type(opening.value) is error
    return opening.value


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """What the system says of the path comes as the journal's own error, with the setting."""
    (tmp_path / "var").write_bytes(b"")
    path = tmp_path / "var" / "journal.db"
    with pytest.raises(JournalUnavailableError, match="cannot be written") as refusal:
        await opened(path)
    assert str(path) in str(refusal.value)
    assert "data_dir" in refusal.value.hint


async def test_another_key_is_refused(closed: Path) -> None:
    """A journal opens with the key it was written with, and the setting is named."""
    for opener in (opened, looked_at):
        with pytest.raises(JournalKeyError, match="another journal key") as refusal:
            await opener(closed, key=bytes(32))
        assert "journal_key_file" in refusal.value.hint
    journal = await opened(closed)
    assert await journal.pending() == 1
    await journal.aclose()


async def test_a_newer_schema_is_refused(closed: Path) -> None:
    """What a newer version wrote is not touched, and the remedy is named."""
    rows(closed, "PRAGMA user_version = 99")
    error = await _refused(closed, JournalSchemaError)
    assert "99" in str(error)
    assert "version" in error.hint
    assert not error.retryable


async def test_a_journal_that_is_being_made_is_not_there_yet(tmp_path: Path) -> None:
    """Who only reads does not make a journal; who waits a moment finds it made."""
    path = tmp_path / "journal.db"
    path.touch()
    with pytest.raises(JournalUnavailableError, match="not made yet") as refusal:
        await looked_at(path)
    assert "muniment run" in refusal.value.hint
    assert path.stat().st_size == 0


@pytest.mark.parametrize("junk", [b"this is no database" * 99, b"SQLite format 3\0" + b"x" * 200])
async def test_garbage_is_refused(tmp_path: Path, junk: bytes) -> None:
    """A file that is no journal is named and left alone."""
    path = tmp_path / "journal.db"
    path.write_bytes(junk)
    error = await _refused(path, JournalUnavailableError)
    assert str(path) in str(error)


async def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    """A path that cannot be a file is an error of the journal, not of SQLite."""
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(JournalUnavailableError):
        await opened(tmp_path / "journal.db")


async def test_a_missing_journal_is_not_made_by_looking(tmp_path: Path) -> None:
    """Looking at a journal that is not there says so and makes no file."""
    with pytest.raises(JournalUnavailableError, match="does not exist") as refusal:
        await looked_at(tmp_path / "journal.db")
    assert "muniment run" in refusal.value.hint
    assert names(tmp_path) == set()


async def test_a_reader_beside_the_writer(journal: SqliteJournal, path: Path) -> None:
    """Who looks sees what is committed, as it comes, streams that open meanwhile included."""
    reader = await looked_at(path)
    await journal.append(batch(event("$1"), cursor=b"one"))
    assert await reader.cursor(CONNECTOR) == b"one"
    (entry,) = await reader.after(0, limit=9)
    assert await reader.find(entry.stream.id, "$1") == entry
    await journal.append(batch(event("$2")))
    assert [each.n for each in await reader.after(entry.seq, limit=9)] == [1]
    assert (await reader.tally(now=NOW)).groups[0].undecided == 2
    await reader.aclose()


async def test_a_reader_changes_nothing(closed: Path) -> None:
    """Every verb that writes is refused to who only looks; the file stays byte for byte."""
    before = content(closed)
    reader = await looked_at(closed)
    with pytest.raises(JournalUnavailableError):
        await reader.append(batch(event("$2")))
    with pytest.raises(JournalUnavailableError):
        await reader.set_group(group("!x"), expect=None)
    assert len(await reader.claim(EntryState.RECEIVED, now=NOW, limit=9)) == 1
    await reader.aclose()
    assert content(closed) == before


async def test_the_last_entries_in_their_order(journal: SqliteJournal) -> None:
    """Who looks on is given entries in the order they came, page by page."""
    await journal.append(batch(*(event(f"${i}", timer=100.0 - i) for i in range(5))))
    first = await journal.after(0, limit=3)
    second = await journal.after(first[-1].seq, limit=3)
    assert [entry.n for entry in (*first, *second)] == [0, 1, 2, 3, 4]


async def test_a_new_journal_is_up_to_date(journal: SqliteJournal, path: Path) -> None:
    """A new file has the newest schema, in WAL mode, and opening it again changes nothing."""
    assert rows(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    await journal.aclose()
    before = content(path)
    again = await opened(path)
    await again.aclose()
    assert content(path) == before
