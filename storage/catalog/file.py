"""The catalog's file: made, opened, written. Synchronous; one thread at a time.

It stands in a folder of its own (0700, the file 0600), so that no back-up takes it along. A rebuild
writes another file beside it and puts it in its place when it is whole.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import msgspec

from bridge.errors import CatalogError
from bridge.model import Outcome
from bridge.protocols.catalog import ListedAct, Listing
from storage.catalog.rows import COLUMNS, ListingRow, row_of, to_ms, wanted_id
from storage.catalog.words import texts_of

VERSION = 1
"""Of the schema. A file of another version is made anew by a rebuild."""

_SCHEMA = (files("storage.catalog") / "schema.sql").read_text("utf-8")
SELECT = f"""
SELECT {", ".join("l." + name for name in COLUMNS)}, g.platform, g.group_id, g.name
FROM listing l JOIN known_group g ON g.gid = l.gid
"""  # noqa: S608
_INSERT = f"INSERT INTO listing ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
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
    except (sqlite3.Error, OSError) as error:
        raise CatalogError(f"The catalog {path} cannot be used: {error}") from error


class CatalogFile:
    """An open file, to be written."""

    def __init__(self, path: Path, *, building: bool = False) -> None:
        """Open or make it. ``building``: it is not durable until :meth:`finish`.

        Raises:
            CatalogError: it cannot be used, or is of another version.
        """
        self.path = path
        with ours(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
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
        elif version != VERSION:
            raise CatalogError(
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

    def take(
        self, key: str, *, listings: Sequence[Listing] = (), act: ListedAct | None = None
    ) -> None:
        """List one part or act. MUST be called inside :meth:`transaction`."""
        counts: dict[tuple[str, str, str], int] = {}
        if listings:
            platform = next((each.platform for each in listings if each.platform), "")
            last = listings[-1]
            self._db.execute(_GROUP, (last.gid, platform, last.group_id, last.group_name))
        for listing in listings:
            self._list(listing, counts)
        self._db.executemany(_COUNT, [(*where, number) for where, number in counts.items()])
        if act is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO act VALUES (?, ?, ?, ?, ?, ?)",
                (act.key, act.kind, to_ms(act.at), act.by, act.subject, act.document),
            )
        self._db.execute("INSERT OR IGNORE INTO taken VALUES (?)", (key,))

    def _list(self, listing: Listing, counts: dict[tuple[str, str, str], int]) -> None:
        """Put one listing in, in place of an older row of the same event."""
        id_ = wanted_id(listing)
        row = row_of(id_, listing)
        try:
            self._db.execute(_INSERT, row)
        except sqlite3.IntegrityError:
            # Listed before, or its place is taken by something else said in that millisecond.
            if not self._take_out(listing, counts):
                return
            while self._db.execute("SELECT 1 FROM listing WHERE id = ?", (id_,)).fetchone():
                id_ += 1
            self._db.execute(_INSERT, (id_, *row[1:]))
        self._db.execute(
            "INSERT INTO word (rowid, body, names, facets) VALUES (?, ?, ?, ?)",
            (id_, *texts_of(listing)),
        )
        _count(counts, listing.gid, listing.day, listing.outcome, 1)
        if listing.sender_id is not None and listing.at is not None:
            name = listing.sender_name or listing.sender_id
            self._db.execute(_PERSON, (listing.sender_id, name, to_ms(listing.at)))

    def _take_out(self, listing: Listing, counts: dict[tuple[str, str, str], int]) -> bool:
        """Take out what stands for this event. False: what stands is newer, and stays."""
        found = self._db.execute(
            f"{SELECT} WHERE l.stream = ? AND l.n = ?",
            (listing.stream, listing.n),
        ).fetchone()
        if found is None:
            return True
        row = msgspec.convert(found, ListingRow)
        if row.part > listing.part:
            return False
        old = row.listing()
        self._db.execute(
            "INSERT INTO word (word, rowid, body, names, facets) VALUES ('delete', ?, ?, ?, ?)",
            (row.id, *texts_of(old)),
        )
        self._db.execute("DELETE FROM listing WHERE id = ?", (row.id,))
        _count(counts, old.gid, old.day, old.outcome, -1)
        return True

    def finish(self, place: Path) -> None:
        """Make a file that was built whole and durable, and put it in its ``place``."""
        with ours(self.path):
            self._db.execute("INSERT INTO word (word) VALUES ('optimize')")
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


def _count(
    counts: dict[tuple[str, str, str], int], gid: str, day: str, outcome: Outcome, by: int
) -> None:
    where = (gid, day, outcome.value)
    counts[where] = counts.get(where, 0) + by
