"""The heads that were signed, in ``log.db``: SQLite, WAL, ``synchronous=FULL``, one row a shard."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import aiosqlite

from bridge.errors import LogSchemaError, LogUnavailableError
from bridge.protocols import CheckpointStore, Head
from storage.translog.malformed import MalformedError
from storage.translog.note import Note

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY_MS = 5000
_FOLDER = files("storage.translog") / "migrations"
_MIGRATIONS = tuple(
    entry.read_text("utf-8")
    for entry in sorted(_FOLDER.iterdir(), key=lambda entry: entry.name)
    if entry.name.endswith(".sql")
)
_LAST = "SELECT size, root, note, at FROM head WHERE shard = ?"
_FIRST = """
INSERT INTO head (shard, size, root, note, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_SWAP = """
UPDATE head SET size = ?2, root = ?3, note = ?4, at = ?5
WHERE shard = ?1 AND size = ?6 AND note = ?7 AND size < ?2
"""
_SHOW = """
INSERT INTO shown (shard, size, at) VALUES (?, ?, ?)
ON CONFLICT (shard) DO UPDATE SET size = excluded.size, at = excluded.at
"""
_SHOWN = "SELECT s.size, s.at, h.note FROM shown s JOIN head h USING (shard) WHERE s.shard = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of the log is published: so many leaves, by a checkpoint signed at ``at``.

    ``signed_by``: name and hash of each key of the log that signed the last one.
    """

    size: int
    at: datetime
    signed_by: tuple[str, ...] = ()


class SqliteCheckpointStore:
    """Keeps the promises of :class:`bridge.protocols.CheckpointStore`.

    The file is opened by the first verb that needs it, and by the next one where that failed: a
    log that cannot be written must keep nobody from recording.
    """

    def __init__(self, path: Path, *, shard: str = "0") -> None:
        self._path = path
        self._shard = shard
        self._db: aiosqlite.Connection | None = None
        self._opening = asyncio.Lock()

    async def last(self) -> Head | None:
        """The last head swapped in."""
        async with self._using() as db:
            rows = list(await db.execute_fetchall(_LAST, (self._shard,)))
        if not rows:
            return None
        size, root, note, at = rows[0]
        return Head(size=size, root=root, note=note, at=_from_ms(at))

    async def swap(self, head: Head, *, expect: Head | None) -> bool:
        """One statement: a crash leaves the old head or the new one."""
        row = (self._shard, head.size, head.root, head.note, _to_ms(head.at))
        async with self._using() as db:
            if expect is None:
                cursor = await db.execute(_FIRST, row)
            else:
                cursor = await db.execute(_SWAP, (*row, expect.size, expect.note))
            return cursor.rowcount == 1

    async def published(self, head: Head) -> None:
        """For ``status`` alone."""
        async with self._using() as db:
            await db.execute(_SHOW, (self._shard, head.size, _to_ms(head.at)))

    async def aclose(self) -> None:
        """Close the file. MAY be repeated."""
        async with self._opening:
            db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                await db.close()

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[aiosqlite.Connection]:
        try:
            yield await self._opened()
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailableError(f"{self._path} cannot be used: {error}.") from error

    async def _opened(self) -> aiosqlite.Connection:
        async with self._opening:
            if self._db is None:
                self._db = await _open(self._path)
            return self._db


async def published_size(path: Path, *, shard: str = "0") -> Shown | None:
    """What is published, read beside the process that writes; None before the first checkpoint.

    Raises:
        LogUnavailableError: the file is there and cannot be read.
    """
    return await asyncio.to_thread(_read_shown, path, shard)


def _read_shown(path: Path, shard: str) -> Shown | None:
    if not path.exists():
        return None
    try:
        db = sqlite3.connect(path, timeout=_BUSY_MS / 1000)
        try:
            db.execute("PRAGMA query_only = ON")
            row = db.execute(_SHOWN, (shard,)).fetchone()
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # it is just being made
            return None
        raise LogUnavailableError(f"{path} cannot be read: {error}.") from error
    except sqlite3.Error as error:
        raise LogUnavailableError(f"{path} cannot be read: {error}.") from error
    return _shown(*row) if row else None


def _shown(size: int, at: int, note: bytes) -> Shown:
    signed_by: tuple[str, ...] = ()
    with suppress(MalformedError):
        parsed = Note.parse(note)
        origin = parsed.text.partition(b"\n")[0].decode()
        signed_by = tuple(
            f"{one.name}+{one.key_hash:08x}" for one in parsed.signatures if one.name == origin
        )
    return Shown(size=size, at=_from_ms(at), signed_by=signed_by)


async def _open(path: Path) -> aiosqlite.Connection:
    await asyncio.to_thread(_make_private, path)
    db = await aiosqlite.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None)
    try:
        await _migrate(db, path)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            await db.execute(f"PRAGMA {pragma}")
    except BaseException:
        await db.close()
        raise
    return db


def _make_private(path: Path) -> None:
    """The file exists and is readable by its owner alone, before SQLite writes to it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


async def _migrate(db: aiosqlite.Connection, path: Path) -> None:
    """One numbered migration a transaction. Two who open at once: the second finds it done."""
    if await _version(db, path) == len(_MIGRATIONS):
        return
    await db.execute("BEGIN IMMEDIATE")
    try:
        for number in range(await _version(db, path), len(_MIGRATIONS)):
            for statement in _MIGRATIONS[number].split(";"):
                await db.execute(statement)
            await db.execute(f"PRAGMA user_version = {number + 1}")
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await db.execute("ROLLBACK")
        raise


async def _version(db: aiosqlite.Connection, path: Path) -> int:
    (row,) = await db.execute_fetchall("PRAGMA user_version")
    version = int(row[0])
    if version > len(_MIGRATIONS):
        raise LogSchemaError(
            f"{path} has schema {version}; this version knows up to {len(_MIGRATIONS)}."
        )
    return version


def _to_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _from_ms(value: int) -> datetime:
    return EPOCH + timedelta(milliseconds=value)


if TYPE_CHECKING:
    _: type[CheckpointStore] = SqliteCheckpointStore
