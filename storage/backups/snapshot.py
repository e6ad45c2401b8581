"""A consistent copy of a SQLite database that another process may be writing.

Only SQLite's own API touches a live file. A file of it that is opened and closed by hand would drop
every lock that this process has on it, and another process would take its write-ahead log away.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError

BUSY_SECONDS = 10
PAGES = 2000
"""Copied between two words on how far it is."""

PIECE = 1024 * 1024
Advance = Callable[[int, int], None]
"""Is told how much is done, of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy that has no name: it goes with this process, however that ends.

    ``checkpoint`` is the last note in ``log.db``, and empty of any other database.
    """

    size: int
    sha256: str
    schema: int
    checkpoint: str
    descriptor: int

    def chunks(self) -> Iterator[bytes]:
        """Its bytes from the start."""
        return _chunks(self.descriptor)


@contextmanager
def snapshot(path: Path, *, advance: Advance = lambda _done, _all: None) -> Iterator[Snapshot]:
    """Copy the database at ``path`` into a nameless file beside it.

    One read transaction holds from the first page to the last, so the copy is of one moment and
    never begins again, whatever is committed meanwhile. Writers do not wait for it; what wants to
    empty the write-ahead log does. Killed at any moment, nothing is left of it: a copy that stayed
    would hold what Forget destroys later.

    Raises:
        ConfigError: it cannot be read, is damaged, or there is no room for a copy.
    """
    copy = path.with_name(f".{path.name}.{secrets.token_hex(6)}.copy")
    try:
        descriptor = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"No copy of {path} can be made beside it ({error.strerror}).",
            hint="Give the command as the recorder's account, with room on that disk.",
        ) from None
    try:
        schema, checkpoint = _copy(path, copy, advance)
        yield Snapshot(
            size=os.fstat(descriptor).st_size,
            sha256=_digest(descriptor),
            schema=schema,
            checkpoint=checkpoint,
            descriptor=descriptor,
        )
    finally:
        copy.unlink(missing_ok=True)
        os.close(descriptor)


def _copy(path: Path, copy: Path, advance: Advance) -> tuple[int, str]:
    try:
        with closing(_connected(path)) as live, closing(_target(copy)) as target:
            live.execute("BEGIN")
            (schema,) = live.execute("PRAGMA user_version").fetchone()
            (found,) = live.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise ConfigError(
                    f"{path} is damaged: {found}.",
                    hint="Keep older back-ups; see After losing the journal in docs/operations.md.",
                )
            live.backup(
                target,
                pages=PAGES,
                progress=lambda _status, left, total: advance(total - left, total),
            )
            return int(schema), _checkpoint(live)
    except sqlite3.Error as error:
        raise ConfigError(
            f"{path} cannot be copied: {error}.",
            hint="Free disk space, and give the command as the recorder's account.",
        ) from None


def _connected(path: Path) -> sqlite3.Connection:
    # Not read-only: a write-ahead log that nobody has open could not be read then.
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    db.execute("PRAGMA query_only = ON")
    return db


def _target(copy: Path) -> sqlite3.Connection:
    """The open copy, which loses its name at once."""
    db = sqlite3.connect(copy, isolation_level=None)
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    copy.unlink()
    return db


def _checkpoint(db: sqlite3.Connection) -> str:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'head'").fetchone():
        return ""
    found = db.execute("SELECT note FROM head ORDER BY size DESC LIMIT 1").fetchone()
    return bytes(found[0]).decode() if found else ""


def _digest(descriptor: int) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(descriptor):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(descriptor: int) -> Iterator[bytes]:
    at = 0
    while chunk := os.pread(descriptor, PIECE, at):
        at += len(chunk)
        yield chunk


def is_ahead(path: Path, other: Path) -> bool:
    """Whether the database at ``path`` gave every number that the one at ``other`` gave.

    Of tables whose numbers are never given twice (AUTOINCREMENT). Both are only read.

    Raises:
        ConfigError: one of them cannot be read.
    """
    given, asked = _numbers(path), _numbers(other)
    return all(given.get(table, 0) >= number for table, number in asked.items())


def _numbers(path: Path) -> dict[str, int]:
    try:
        with closing(_connected(path)) as db:
            return dict(db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    except sqlite3.Error as error:
        raise ConfigError(
            f"{path} cannot be read: {error}.", hint="Move it away if it is no sound database."
        ) from None
