"""What a witness must never forget: the largest head it signed of each log. SQLite, one file.

A witness that forgets would sign a second history. So the file belongs to one key, is made with
it, and is never made anew: whoever lost it makes a new key too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from bridge.errors import ConfigError, LogUnavailableError
from storage.translog.witness_rules import Remembered

VERSION = 1
MOST_CONTRADICTIONS = 1000
_SCHEMA = f"""
CREATE TABLE witness (key TEXT NOT NULL) STRICT;
CREATE TABLE head (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE contradiction (
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    note BLOB NOT NULL UNIQUE,
    at TEXT NOT NULL
) STRICT;
PRAGMA user_version = {VERSION};
"""
_HINT = (
    "Make a witness with `muniment witness init`. If this one's file is lost, make a new key too:"
    " without its memory it would sign a second history."
)


class WitnessMemory:
    """Blocking; for one thread. Every change is on disk before its method returns.

    What reads or writes raises only :class:`bridge.errors.LogUnavailableError`: nothing was
    changed, or it is not known whether it was.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def create(cls, file: Path, *, key: str) -> None:
        """Make an empty memory for the witness with this verifier key.

        Raises:
            ConfigError: the file is there, or cannot be made.
        """
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with closing(_connect(file)) as connection:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO witness (key) VALUES (?)", (key,))
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"The witness's memory {file} cannot be made ({_reason(error)}).",
                hint="Name a folder that does not exist yet.",
            ) from None

    @classmethod
    def open(cls, file: Path, *, key: str) -> WitnessMemory:
        """The memory that was made for this key.

        Raises:
            ConfigError: there is none, or it is another's.
        """
        if not file.is_file():
            raise ConfigError(f"The witness's memory {file} does not exist.", hint=_HINT)
        try:
            connection = _connect(file)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise ConfigError(f"{file} is no memory of a witness.", hint=_HINT)
            (owner,) = connection.execute("SELECT key FROM witness").fetchone()
        except sqlite3.Error as error:
            raise ConfigError(f"{file} cannot be used ({_reason(error)}).", hint=_HINT) from None
        if owner != key:
            raise ConfigError(f"{file} is the memory of another key.", hint=_HINT)
        return cls(connection)

    def last(self, origin: str) -> Remembered:
        """The largest head that was signed of this log."""
        with _ours():
            row = self._connection.execute(
                "SELECT size, root FROM head WHERE origin = ?", (origin,)
            ).fetchone()
        return Remembered() if row is None else Remembered(size=row[0], root=row[1])

    def advance(
        self, origin: str, *, instead_of: Remembered, to: Remembered, note: bytes, at: datetime
    ) -> bool:
        """Compare-and-swap, durable on return. False: another process was there first."""
        row = (origin, to.size, to.root, note, at.isoformat())
        with _ours():
            changed = self._connection.execute(
                "INSERT INTO head (origin, size, root, note, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (origin) DO UPDATE"
                " SET size = excluded.size, root = excluded.root, note = excluded.note,"
                " at = excluded.at WHERE size = ? AND root = ?",
                (*row, instead_of.size, instead_of.root),
            ).rowcount
        return changed == 1

    def keep_contradiction(self, origin: str, *, size: int, note: bytes, at: datetime) -> None:
        """Keep a note that proves two histories, the first thousand of them."""
        with _ours():
            self._connection.execute(
                "INSERT OR IGNORE INTO contradiction (origin, size, note, at) SELECT ?, ?, ?, ?"
                " WHERE (SELECT count(*) FROM contradiction) < ?",
                (origin, size, note, at.isoformat(), MOST_CONTRADICTIONS),
            )

    def contradictions(self, origin: str) -> tuple[bytes, ...]:
        """The notes kept so."""
        rows = self._connection.execute(
            "SELECT note FROM contradiction WHERE origin = ? ORDER BY rowid", (origin,)
        )
        return tuple(note for (note,) in rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LogUnavailableError(
            f"The witness's memory cannot be used ({error}).",
            hint="Make room on its disk, and give its folder to the account that runs the witness.",
        ) from error


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=5.0)
    # EXTRA: the folder is synced too, so that a power cut cannot bring back an earlier head.
    connection.execute("PRAGMA synchronous = EXTRA")
    return connection


def _reason(error: OSError | sqlite3.Error) -> str:
    return error.strerror or "no reason given" if isinstance(error, OSError) else str(error)
