"""The catalog read: every question is one look at the file, in a thread, by people's tools."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bridge.errors import CatalogError, CatalogUnfitError
from bridge.protocols.catalog import (
    COUNTED,
    PARTS,
    Catalog,
    DayCount,
    Found,
    ListedAct,
    ListedGroup,
    Listing,
    Search,
)
from storage.catalog.file import ROOT, SELECT, VERSION, ours
from storage.catalog.rows import ListingRow, Value, first_id
from storage.catalog.words import expression

_T = TypeVar("_T")
_LAST_ID = 1 << 62
_MOST_ABOUT = 1000
"""Of what happened to one message, or in one group on one day, so much is shown at once."""

MOST_OF_A_DAY = 20_000


class _GroupRow(msgspec.Struct, array_like=True):
    gid: str
    platform: str
    group_id: str
    name: str | None
    captured: int
    review: int
    discarded: int
    first_day: str
    last_day: str


class _DayRow(msgspec.Struct, array_like=True):
    gid: str
    day: str
    captured: int
    review: int
    discarded: int


class _ActRow(msgspec.Struct, array_like=True):
    key: str
    kind: str
    at: int
    by: str
    subject: str | None
    document: str


_AROUND = """
WHERE l.gid = ?1 AND l.day {0} (SELECT day FROM listing WHERE stream = ?2 AND n = ?3)
  AND l.id {1} (SELECT id FROM listing WHERE stream = ?2 AND n = ?3)
ORDER BY l.day {2}, l.id {2} LIMIT ?4
"""
_EARLIER = SELECT + _AROUND.format("<=", "<", "DESC")
_LATER = SELECT + _AROUND.format(">=", ">=", "")
_RESTRICTED = """
 AND EXISTS (SELECT 1 FROM listing r WHERE r.id = {0} AND r.key IS NULL AND r.outcome = 'review')
"""
_PASSED_OVER = f"""
 AND NOT EXISTS (SELECT 1 FROM listing p WHERE p.id = {{0}} AND p.gid || ' ' ||
   IIF(p.relation IN ({", ".join(f"'{each}'" for each in sorted(PARTS))}),
       COALESCE({ROOT.format("p")}, p.target_id), p.upstream_id)
   IN (SELECT value FROM json_each(?)))
"""  # noqa: S608 - of constants
_GROUPS = """
SELECT g.gid, g.platform, g.group_id, g.name,
       SUM(d.number * (d.outcome = 'capture')), SUM(d.number * (d.outcome = 'review')),
       SUM(d.number * (d.outcome = 'discard')), MIN(d.day), MAX(d.day)
FROM known_group g JOIN day_count d ON d.gid = g.gid
GROUP BY g.gid ORDER BY g.name COLLATE NOCASE, g.gid
"""
_DAYS = """
SELECT gid, day, SUM(number * (outcome = 'capture')), SUM(number * (outcome = 'review')),
       SUM(number * (outcome = 'discard'))
FROM day_count WHERE ?1 IS NULL OR gid = ?1 GROUP BY gid, day ORDER BY day, gid
"""
_PERSONS = """
SELECT sender_id, name FROM person
WHERE name LIKE ?1 ESCAPE '!' OR sender_id LIKE ?1 ESCAPE '!'
ORDER BY name COLLATE NOCASE LIMIT ?2
"""
_ACTS = """
SELECT key, kind, at, done_by, subject, document FROM act
WHERE ?1 IS NULL OR kind = ?1 ORDER BY at DESC, key DESC LIMIT ?2
"""


class SqliteCatalog:
    """Implements :class:`bridge.protocols.catalog.Catalog`; never writes.

    A rebuild puts another file in the place of the one that is open: each question looks whether
    it did. Questions take turns in a few threads, each with a connection of its own.
    """

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="catalog")
        self._free: list[tuple[int, sqlite3.Connection]] = []

    async def search(self, search: Search) -> Found:
        """What fits, in the order that the search names."""
        return await self._ask(lambda db: _search(db, search))

    async def day(self, gid: str, day: str) -> tuple[Listing, ...]:
        """A group's day in the order in which things were said."""
        where = "WHERE l.gid = ? AND l.day = ? ORDER BY l.id LIMIT ?"
        return await self._listings(where, gid, day, MOST_OF_A_DAY)

    async def by_stem(self, stem: str) -> Listing | None:
        """The event whose record has this stem."""
        found = await self._listings("WHERE l.stem = ?", stem)
        return found[0] if found else None

    async def numbered(self, stream: str, numbers: Sequence[int]) -> tuple[Listing, ...]:
        """Events of a stream by their numbers, in order."""
        where = "WHERE l.stream = ? AND l.n IN (SELECT value FROM json_each(?)) ORDER BY l.n"
        return await self._listings(where, stream, json.dumps(list(numbers)))

    async def about(self, stream: str, upstream_id: str) -> tuple[Listing, ...]:
        """All that happened to a message, in order."""
        where = (
            "WHERE l.id IN (SELECT id FROM listing WHERE stream = ?1 AND upstream_id = ?2"
            " UNION SELECT id FROM listing WHERE stream = ?1 AND target_id = ?2)"
            " ORDER BY l.n LIMIT ?3"
        )
        return await self._listings(where, stream, upstream_id, _MOST_ABOUT)

    async def around(self, listing: Listing, *, before: int, after: int) -> tuple[Listing, ...]:
        """What stands around an event in its group, in order."""
        return await self._ask(lambda db: _around(db, listing, before, after))

    async def beside(self, listings: Sequence[Listing]) -> tuple[tuple[Listing, ...], ...]:
        """For each of these: the one before it in its group, itself, and the one after it."""
        return await self._ask(lambda db: tuple(_beside(db, each) for each in listings))

    async def groups(self) -> tuple[ListedGroup, ...]:
        """Every group of which anything is listed, by name."""
        rows = await self._ask(lambda db: _rows(db, _GROUPS, _GroupRow))
        return tuple(ListedGroup(**msgspec.structs.asdict(row)) for row in rows)

    async def days(self, gid: str | None = None) -> tuple[DayCount, ...]:
        """Counts by group and day, in order of days."""
        rows = await self._ask(lambda db: _rows(db, _DAYS, _DayRow, gid))
        return tuple(DayCount(**msgspec.structs.asdict(row)) for row in rows)

    async def persons(self, begins: str, *, limit: int) -> tuple[tuple[str, str], ...]:
        """Ids and latest display names of senders, of whom either begins so."""
        pattern = "".join("!" + c if c in "!%_" else c for c in begins) + "%"
        rows = await self._ask(lambda db: _rows(db, _PERSONS, tuple[str, str], pattern, limit))
        return tuple(rows)

    async def acts(self, *, kind: str | None = None, limit: int) -> tuple[ListedAct, ...]:
        """Acts, newest first."""
        rows = await self._ask(lambda db: _rows(db, _ACTS, _ActRow, kind, limit))
        return tuple(
            ListedAct(
                key=row.key,
                kind=row.kind,
                at=datetime.fromtimestamp(row.at / 1000, UTC),
                by=row.by,
                subject=row.subject,
                document=row.document,
            )
            for row in rows
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        for _, db in self._free:
            db.close()
        self._free.clear()

    async def _listings(self, where: str, *parameters: Value) -> tuple[Listing, ...]:
        return await self._ask(
            lambda db: tuple(
                row.listing() for row in _rows(db, SELECT + where, ListingRow, *parameters)
            )
        )

    async def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._answer, question
        )

    def _answer(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        with ours(self._path):
            inode = self._inode()
            db = self._connection(inode)
            try:
                return question(db)
            finally:
                self._free.append((inode, db))

    def _inode(self) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            raise CatalogError(
                f"There is no catalog at {self._path} yet.",
                hint="It comes with the first manifest part; or run `muniment catalog rebuild`.",
            ) from None

    def _connection(self, inode: int) -> sqlite3.Connection:
        """A free connection to the file that stands there now, or another."""
        while self._free:
            known, db = self._free.pop()
            if known == inode:
                return db
            db.close()
        db = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, check_same_thread=False)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            db.close()
            raise CatalogUnfitError(
                f"The catalog {self._path} is of version {version}, and ours is {VERSION}."
            )
        return db


def _rows(db: sqlite3.Connection, statement: str, shape: type[_T], *parameters: Value) -> list[_T]:
    return msgspec.convert(db.execute(statement, parameters).fetchall(), list[shape])  # type: ignore[valid-type]


def _around(
    db: sqlite3.Connection, listing: Listing, before: int, after: int
) -> tuple[Listing, ...]:
    me = (listing.gid, listing.stream, listing.n)
    earlier = _rows(db, _EARLIER, ListingRow, *me, before)
    later = _rows(db, _LATER, ListingRow, *me, after + 1)
    return tuple(row.listing() for row in (*reversed(earlier), *later))


def _beside(db: sqlite3.Connection, listing: Listing) -> tuple[Listing, ...]:
    """Itself is given even where another process has just taken it out."""
    found = _around(db, listing, 1, 1)
    return found or (listing,)


def _search(db: sqlite3.Connection, search: Search) -> Found:
    """One page, and how many there are in all, as far as they are counted."""
    low = 0 if search.since is None else first_id(search.since)
    high = _LAST_ID if search.until is None else first_id(search.until)
    match = expression(search)
    source, chosen = "listing", "id"
    if match is not None:
        source, chosen = "word", "rowid"
    condition = f"{chosen} >= ? AND {chosen} < ?" + (" AND word MATCH ?" if match else "")
    condition += _RESTRICTED.format(f"{source}.{chosen}") if search.restricted else ""
    words: tuple[Value, ...] = () if match is None else (match,)
    if search.passed_over:
        condition += _PASSED_OVER.format(f"{source}.{chosen}")
        messages = json.dumps([" ".join(each) for each in search.passed_over])
        words = (*words, messages)
    counting = f"SELECT COUNT(*) FROM (SELECT 1 FROM {source} WHERE {condition} LIMIT ?)"  # noqa: S608
    (total,) = db.execute(counting, (low, high, *words, COUNTED + 1)).fetchone()
    first, last, order = low, high, "" if search.oldest else "DESC"
    if search.before is not None and search.oldest:
        first = max(low, search.before + 1)
    elif search.before is not None:
        last = min(high, search.before)
    paging = f"SELECT {chosen} FROM {source} WHERE {condition} ORDER BY {chosen} {order} LIMIT ?"  # noqa: S608
    ids = [id_ for (id_,) in db.execute(paging, (first, last, *words, search.limit + 1))]
    page = ids[: search.limit]
    rows = _rows(
        db,
        SELECT + f"WHERE l.id IN (SELECT value FROM json_each(?)) ORDER BY l.id {order}",  # noqa: S608
        ListingRow,
        json.dumps(page),
    )
    return Found(
        listings=tuple(row.listing() for row in rows),
        total=total,
        following=page[-1] if len(ids) > len(page) else None,
    )


if TYPE_CHECKING:
    _: type[Catalog] = SqliteCatalog
