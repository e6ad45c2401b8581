"""The catalog's file: made, opened, written. Synchronous; one thread at a time.

It stands in a folder of its own (0700, the file 0600), so that no back-up takes it along. A rebuild
writes another file beside it and puts it in its place when it is whole.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from itertools import islice
from pathlib import Path

import msgspec

from bridge.errors import CatalogError, CatalogUnfitError
from bridge.model import RelationType
from bridge.protocols.catalog import PARTS
from storage.catalog.lines import Lines
from storage.catalog.rows import COLUMNS, SPREAD, ListingRow, Value
from storage.catalog.words import texts_of

VERSION = 3
"""Of the schema. A file of another version is made anew by a rebuild."""

_SCHEMA = (files("storage.catalog") / "schema.sql").read_text("utf-8")
_OF_VERSIONS = ", ".join(f"'{each}'" for each in sorted(PARTS - {RelationType.EDIT}))
ROOT = f"""
CASE WHEN {{0}}.relation IN ({_OF_VERSIONS}) THEN (
    SELECT v.target_id FROM listing v
    WHERE v.stream = {{0}}.stream AND v.upstream_id = {{0}}.target_id
      AND v.relation = '{RelationType.EDIT}'
) END
"""  # noqa: S608 - of constants
"""Of a part of a version the message that this is a version of; else nothing."""

SELECT = f"""
SELECT {", ".join("l." + name for name in COLUMNS)}, g.platform, g.group_id, g.name,
    {ROOT.format("l")}
FROM listing l JOIN known_group g ON g.gid = l.gid
"""  # noqa: S608
_ID, _STREAM, _N, _GID, _PART, _DAY, _OUTCOME, _SENDER, _NAME = map(
    COLUMNS.index,
    ("id", "stream", "n", "gid", "part", "day", "outcome", "sender_id", "sender_name"),
)
_INSERT = f"INSERT INTO listing ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_WORDS = "INSERT INTO word (rowid, body, names, facets) VALUES (?, ?, ?, ?)"
_HASH = "INSERT INTO word (word, rank) VALUES ('hashsize', ?)"
_USUAL_HASH = 1 << 20
_BUILDING_HASH = 1 << 25
"""Bytes of the index of words that are kept in memory before they are written."""

_GROUP = """
INSERT INTO known_group (gid, platform, group_id, name) VALUES (?, ?, ?, ?)
ON CONFLICT (gid) DO UPDATE SET platform = CASE excluded.platform WHEN '' THEN platform
    ELSE excluded.platform END, name = COALESCE(excluded.name, name)
"""
_PERSON = """
INSERT INTO person (sender_id, name, at) VALUES (?, ?, ?)
ON CONFLICT (sender_id) DO UPDATE SET name = excluded.name, at = excluded.at
WHERE excluded.at > at
"""
_COUNT = """
INSERT INTO day_count (gid, day, outcome, number) VALUES (?, ?, ?, ?)
ON CONFLICT (gid, day, outcome) DO UPDATE SET number = number + excluded.number
"""


@contextmanager
def ours(path: Path) -> Iterator[None]:
    """Nothing of SQLite's or the file system's leaves the catalog."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        kind = CatalogUnfitError if _is_damage(error) else CatalogError
        raise kind(f"The catalog {path} cannot be used: {error}") from error
    except (sqlite3.Error, OSError) as error:
        raise CatalogError(f"The catalog {path} cannot be used: {error}") from error


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether another file is needed; extended codes name their kind in the low byte."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


class CatalogFile:
    """An open file, to be written."""

    def __init__(self, path: Path, *, building: bool = False) -> None:
        """Open or make it. ``building``: it is not durable until :meth:`finish`.

        Raises:
            CatalogUnfitError: it is damaged, or of another version.
            CatalogError: it cannot be used.
        """
        self.path = path
        with ours(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # One that is there is not opened: closing it would give up the locks that a console
            # in this process holds on it.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(building=building)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, *, building: bool) -> None:
        if building:
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute("PRAGMA cache_size = -65536")
        else:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA}; PRAGMA user_version = {VERSION}; COMMIT;")
            if building:
                self._db.execute(_HASH, (_BUILDING_HASH,))
        elif version != VERSION:
            raise CatalogUnfitError(
                f"The catalog {self.path} is of version {version}, and ours is {VERSION}."
            )

    def has_taken(self, keys: Sequence[str]) -> frozenset[str]:
        """Which of these parts and acts are listed."""
        with ours(self.path):
            return frozenset(
                key
                for key in keys
                if self._db.execute("SELECT 1 FROM taken WHERE key = ?", (key,)).fetchone()
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is taken inside."""
        with ours(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def take(self, lines: Lines) -> None:
        """Put in what one part or act says. MUST be called inside :meth:`transaction`."""
        counts: Counter[tuple[str, str, str]] = Counter()
        if lines.group is not None:
            self._db.execute(_GROUP, lines.group)
        self._list(lines, counts)
        self._db.executemany(_PERSON, _persons(lines.rows))
        self._db.executemany(_COUNT, [(*where, number) for where, number in counts.items()])
        if lines.act is not None:
            self._db.execute("INSERT OR REPLACE INTO act VALUES (?, ?, ?, ?, ?, ?)", lines.act)
        self._db.execute("INSERT OR IGNORE INTO taken VALUES (?)", (lines.key,))

    def _list(self, lines: Lines, counts: Counter[tuple[str, str, str]]) -> None:
        """Put the rows in, most of them at once; what is in the way of the others is looked at."""
        words, others, at = [], [], 0
        while at < len(lines.rows):
            before = self._db.total_changes
            try:
                self._db.executemany(_INSERT, islice(lines.rows, at, None))
                reached = len(lines.rows)
            except sqlite3.IntegrityError:
                # Listed before, or its place is taken by something else said in that millisecond.
                reached = at + self._db.total_changes - before
                others.append(reached)
            words += [(lines.rows[i][0], *lines.words[i]) for i in range(at, reached)]
            counts.update(_where(row) for row in lines.rows[at:reached])
            at = reached + 1
        self._db.executemany(_WORDS, words)
        for i in others:
            self._replace(lines.rows[i], lines.words[i], counts)

    def _replace(
        self,
        row: tuple[Value, ...],
        words: tuple[str, str, str],
        counts: Counter[tuple[str, str, str]],
    ) -> None:
        """Put one row in, in place of an older one of the same event."""
        id_ = int(row[_ID] or 0)
        if not self._take_out(row, counts):
            return
        while self._db.execute("SELECT 1 FROM listing WHERE id = ?", (id_,)).fetchone():
            id_ += 1
        self._db.execute(_INSERT, (id_, *row[1:]))
        self._db.execute(_WORDS, (id_, *words))
        counts[_where(row)] += 1

    def _take_out(self, row: tuple[Value, ...], counts: Counter[tuple[str, str, str]]) -> bool:
        """Take out what stands for this event. False: what stands is newer, and stays."""
        found = self._db.execute(
            f"{SELECT} WHERE l.stream = ? AND l.n = ?", (row[_STREAM], row[_N])
        ).fetchone()
        if found is None:
            return True
        old = msgspec.convert(found, ListingRow)
        if old.part > int(row[_PART] or 0):
            return False
        self._db.execute(
            "INSERT INTO word (word, rowid, body, names, facets) VALUES ('delete', ?, ?, ?, ?)",
            (old.id, *texts_of(old.listing())),
        )
        self._db.execute("DELETE FROM listing WHERE id = ?", (old.id,))
        counts[(old.gid, old.day, old.outcome.value)] -= 1
        return True

    def finish(self, place: Path) -> None:
        """Make a file that was built whole and durable, and put it in its ``place``."""
        with ours(self.path):
            self._db.execute("INSERT INTO word (word) VALUES ('optimize')")
            self._db.execute(_HASH, (_USUAL_HASH,))
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.close()
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
            for ending in ("-wal", "-shm"):
                Path(f"{place}{ending}").unlink(missing_ok=True)
            self.path.replace(place)

    def close(self) -> None:
        """Close it. MAY be repeated."""
        with ours(self.path):
            self._db.close()


def _where(row: tuple[Value, ...]) -> tuple[str, str, str]:
    return str(row[_GID]), str(row[_DAY]), str(row[_OUTCOME])


def _persons(rows: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """Who said something in these rows, and what they were last called. Rows are in order."""
    found: dict[Value, tuple[Value, ...]] = {}
    for row in rows:
        sender = row[_SENDER]
        if sender is not None:
            found[sender] = (sender, row[_NAME] or sender, int(row[_ID] or 0) >> SPREAD)
    return list(found.values())
