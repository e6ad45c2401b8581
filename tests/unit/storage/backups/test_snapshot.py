"""A copy of a database that somebody writes: of one moment, and gone with who made it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from storage.backups.snapshot import Snapshot, is_ahead, snapshot

HELD = """
import sys
from pathlib import Path
from storage.backups.snapshot import snapshot

def advance(done, total):
    print("copying", flush=True)
    sys.stdin.readline()

with snapshot(Path(sys.argv[1]), advance=advance):
    pass
"""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database in use, with a write-ahead log."""
    with closing(
        sqlite3.connect(tmp_path / "journal.db", isolation_level=None, check_same_thread=False)
    ) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA user_version = 6")
        db.execute("CREATE TABLE pair (number INTEGER PRIMARY KEY AUTOINCREMENT, twin INTEGER, x)")
        for _ in range(50):
            _write(db)
        yield db


def _write(db: sqlite3.Connection) -> None:
    """Two rows that belong together."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO pair (twin, x) VALUES (1, randomblob(20000))")
    db.execute("INSERT INTO pair (twin, x) VALUES (2, randomblob(20000))")
    db.execute("COMMIT")


def _read(copy: Snapshot, folder: Path) -> sqlite3.Connection:
    place = folder / "copy.db"
    place.write_bytes(b"".join(copy.chunks()))
    assert place.stat().st_size == copy.size
    return sqlite3.connect(place)


def test_it_is_of_one_moment(live: sqlite3.Connection, tmp_path: Path) -> None:
    """Whatever is committed while it is made, and it is never begun again."""
    over, told = threading.Event(), []

    def write() -> None:
        while not over.is_set():
            _write(live)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with snapshot(
            tmp_path / "journal.db", advance=lambda done, total: told.append((done, total))
        ) as copy:
            over.set()
            assert copy.schema == 6
            with closing(_read(copy, tmp_path)) as db:
                (counts,) = db.execute(
                    "SELECT SUM(twin = 1), SUM(twin = 2), MAX(number) - COUNT(*) FROM pair"
                )
                assert counts[0] == counts[1] >= 50
                assert counts[2] == 0
    finally:
        over.set()
        writer.join()
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_nothing_but_the_database_is_left(live: sqlite3.Connection, tmp_path: Path) -> None:
    """While it is read it has no name."""
    before = set(tmp_path.iterdir())
    with snapshot(tmp_path / "journal.db"):
        assert set(tmp_path.iterdir()) == before
    assert set(tmp_path.iterdir()) == before
    _write(live)


def test_killed_it_leaves_no_copy(live: sqlite3.Connection, tmp_path: Path) -> None:
    """What Forget destroys later must not stand in a forgotten file."""
    before = set(tmp_path.iterdir())
    command = [sys.executable, "-c", HELD, str(tmp_path / "journal.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"copying\n"
        child.send_signal(signal.SIGKILL)
    assert set(tmp_path.iterdir()) == before
    _write(live)


def test_a_log_that_nobody_has_open_is_read(tmp_path: Path) -> None:
    """After a kill: what was committed last stands in the write-ahead log alone."""
    script = (
        "import os, signal, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA journal_mode = WAL'); db.execute('CREATE TABLE one (x)');"
        "db.execute('INSERT INTO one VALUES (7)'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    place = tmp_path / "journal.db"
    subprocess.run([sys.executable, "-c", script, str(place)], check=False)
    assert (tmp_path / "journal.db-wal").stat().st_size
    with snapshot(place) as copy, closing(_read(copy, tmp_path)) as db:
        assert db.execute("SELECT x FROM one").fetchall() == [(7,)]


def test_the_last_checkpoint_is_told(tmp_path: Path) -> None:
    """Of the log's heads; any other database has none."""
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE head (size INTEGER, note BLOB)")
        with snapshot(tmp_path / "log.db") as copy:
            assert copy.checkpoint == ""
        db.execute("INSERT INTO head VALUES (3, ?)", ("three — é".encode(),))
    with snapshot(tmp_path / "log.db") as copy:
        assert copy.checkpoint == "three — é"


def test_what_is_damaged_is_refused(live: sqlite3.Connection, tmp_path: Path) -> None:
    """A back-up of it would be found useless when it is needed."""
    live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    live.close()
    place = tmp_path / "journal.db"
    data = bytearray(place.read_bytes())
    data[4096 * 20 : 4096 * 40] = bytes(4096 * 20)
    place.write_bytes(data)
    with pytest.raises(ConfigError, match=r"damaged|malformed"), snapshot(place):
        pass
    place.write_bytes(b"no database at all" * 1000)
    with pytest.raises(ConfigError, match="not a database"), snapshot(place):
        pass


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """And not made."""
    with pytest.raises(ConfigError, match="cannot be copied"), snapshot(tmp_path / "journal.db"):
        pass
    with pytest.raises(ConfigError, match="No copy"), snapshot(tmp_path / "no" / "journal.db"):
        pass
    assert not list(tmp_path.iterdir())


def test_who_gave_more_numbers_is_ahead(live: sqlite3.Connection, tmp_path: Path) -> None:
    """Of every table; one that begins anew is behind though it has rows."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with snapshot(tmp_path / "journal.db") as copy:
        old.write_bytes(b"".join(copy.chunks()))
    live.execute("DELETE FROM pair")
    _write(live)
    with closing(sqlite3.connect(new, isolation_level=None)) as db:
        db.execute("CREATE TABLE pair (number INTEGER PRIMARY KEY AUTOINCREMENT, twin, x)")
        _write(db)
    live_file = tmp_path / "journal.db"
    assert is_ahead(live_file, old)
    assert is_ahead(old, old)
    assert not is_ahead(old, live_file)
    assert not is_ahead(new, old)
    (tmp_path / "none.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(ConfigError, match="cannot be read"):
        is_ahead(tmp_path / "none.db", old)
