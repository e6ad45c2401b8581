"""The office file as it must be before anyone uses it: private, durable, of this version.

Whoever comes first makes it, and two processes may come at once. Synchronous: run in a thread.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from bridge.errors import ConfigError, JournalUnavailableError

BUSY_MS = 5000
_ATTEMPTS = 20
_MIGRATION = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def prepare(path: Path) -> None:
    """Make the file (0600, its folder 0700) if it is not there, and bring it up to this version.

    Raises:
        ConfigError: a newer version wrote it, or it is not a database at all.
        sqlite3.Error, OSError: it cannot be read or written now.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made by us before SQLite does, which would take the umask; -wal and -shm follow its mode. One
    # that is there MUST NOT be opened here: closing it would drop the locks of every connection
    # that this process has to it, and another process would take the log away under them.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        _set_journal_mode(db)
        db.execute("PRAGMA synchronous = FULL")
        _migrate(db, path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise ConfigError(
                f"{path} is not a sound database",
                hint="Restore it from a back-up, or move it away to begin with an empty inbox.",
            ) from error
        raise
    finally:
        db.close()


def _set_journal_mode(db: sqlite3.Connection) -> None:
    """Switch to WAL.

    Of two connections that switch at once, SQLite tells one "busy" without waiting. An empty
    write transaction does wait for the other, so after it the switch is tried again.
    """
    for _ in range(_ATTEMPTS):
        try:
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        else:
            if mode == "wal":
                return
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    raise JournalUnavailableError("the office file cannot be switched to a write-ahead log")


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Run what is missing in one transaction: a crash leaves the version it began with."""
    steps = migrations()
    if _known_version(db, path, len(steps)) == len(steps):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Again, under the lock: another process may have been first.
        for script in steps[_known_version(db, path, len(steps)) :]:
            for statement in _statements(script):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(steps)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def migrations() -> tuple[str, ...]:
    """The scripts in order; the first brings version 0 to version 1.

    Raises:
        RuntimeError: a number is missing or given twice.
    """
    folder = files("storage.office") / "migrations"
    found = sorted(
        (int(match[1]), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if (match := _MIGRATION.fullmatch(entry.name))
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise RuntimeError("the office's migrations are not numbered 1, 2, 3, ...")
    return tuple(script for _, script in found)


def _known_version(db: sqlite3.Connection, path: Path, newest: int) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > newest:
        raise ConfigError(
            f"{path} was written by a newer version (schema {version}, known {newest})",
            hint="Run the newer version that wrote it, or restore a back-up made by this one.",
        )
    return int(version)


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: ``executescript`` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
