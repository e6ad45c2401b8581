"""Legal holds in the office's file: each verb one transaction, and a lock for who destroys."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bridge.errors import JournalUnavailableError
from bridge.model import require_utc
from bridge.protocols.holds import Hold, Holds, HoldScope, Release
from storage.office import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")

_PLACE = "INSERT INTO hold (authority, matter, scope, placed_by, at, why) VALUES (?, ?, ?, ?, ?, ?)"
_RELEASE = """
INSERT INTO hold_release (hold, released_by, at, why)
SELECT number, ?2, ?3, ?4 FROM hold h WHERE number = ?1 AND placed_by <> ?2
AND NOT EXISTS (SELECT 1 FROM hold_release r WHERE r.hold = h.number)
"""
_HOLDS = "SELECT number, authority, matter, scope, placed_by, at, why FROM hold"
_STANDING = f"""
{_HOLDS} h WHERE NOT EXISTS (SELECT 1 FROM hold_release r WHERE r.hold = h.number) ORDER BY number
"""  # noqa: S608 - of constants
_RELEASES = """
SELECT number, hold, released_by, at, why FROM hold_release WHERE number > ? ORDER BY number
"""
_SCOPE = msgspec.json.Decoder(HoldScope)


class _HoldRow(msgspec.Struct, array_like=True):
    number: int
    authority: str
    matter: str
    scope: str
    by: str
    at: datetime
    why: str

    def hold(self) -> Hold:
        return Hold(
            number=self.number,
            authority=self.authority,
            matter=self.matter,
            scope=_SCOPE.decode(self.scope),
            by=self.by,
            at=self.at,
            why=self.why,
        )


class _ReleaseRow(msgspec.Struct, array_like=True):
    number: int
    hold: int
    by: str
    at: datetime
    why: str

    def release(self) -> Release:
        return Release(number=self.number, hold=self.hold, by=self.by, at=self.at, why=self.why)


class SqliteHolds:
    """Implements :class:`bridge.protocols.holds.Holds`.

    Several processes may use the file at once. The lock of :meth:`fixed` is held by a connection
    of its own, so that nothing else that is done here ever stands in its transaction.
    """

    def __init__(self, path: Path) -> None:
        """Use :meth:`open`."""
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="holds")
        self._locker = ThreadPoolExecutor(1, thread_name_prefix="holds lock")
        self._db: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None
        self._fixing = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> SqliteHolds:
        """Open the office at ``path``, making or migrating it where needed.

        Raises:
            ConfigError: a newer version wrote it, or it is not a database.
            JournalUnavailableError: it cannot be read or written now.
        """
        holds = cls(path)
        await holds._run(holds._open)
        return holds

    def _open(self) -> None:
        schema.prepare(self._path)
        self._db, self._lock = self._connected(), self._connected()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path,
            timeout=schema.BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    async def place(self, hold: Hold) -> int:
        """Add a hold. Crash before: nobody got its number. After: it stands."""
        require_utc(hold.at, "at")
        scope = msgspec.json.encode(hold.scope).decode()
        row = (hold.authority, hold.matter, scope, hold.by, hold.at.isoformat(), hold.why)
        number = await self._run(lambda: self._use().execute(_PLACE, row).lastrowid)
        if number is None:
            raise RuntimeError("an INSERT gave no row number")
        return number

    async def release(self, release: Release) -> int | None:
        """Release a hold. None: it does not stand, or this person placed it."""
        require_utc(release.at, "at")
        row = (release.hold, release.by, release.at.isoformat(), release.why)

        def work() -> int | None:
            done = self._use().execute(_RELEASE, row)
            return done.lastrowid if done.rowcount == 1 else None

        return await self._run(work)

    async def holds(self, after: int = 0) -> tuple[Hold, ...]:
        """Holds above a number, in order."""
        statement = f"{_HOLDS} WHERE number > ? ORDER BY number"
        rows = await self._run(lambda: self._use().execute(statement, (after,)).fetchall())
        return _holds(rows)

    async def releases(self, after: int = 0) -> tuple[Release, ...]:
        """Releases above a number, in order."""
        rows = await self._run(lambda: self._use().execute(_RELEASES, (after,)).fetchall())
        return tuple(msgspec.convert(row, _ReleaseRow, strict=False).release() for row in rows)

    async def standing(self) -> tuple[Hold, ...]:
        """The holds that nobody released."""
        return _holds(await self._run(lambda: self._use().execute(_STANDING).fetchall()))

    def fixed(self) -> AbstractAsyncContextManager[tuple[Hold, ...]]:
        """The holds that stand, under the file's write lock.

        A crash inside ends the transaction, and with it the lock.
        """
        return self._fixed()

    @asynccontextmanager
    async def _fixed(self) -> AsyncIterator[tuple[Hold, ...]]:
        async with self._fixing:
            # Shielded by the executor: a caller that is cancelled here still ends what was begun.
            begun = self._locker.submit(self._begin)
            try:
                with _ours(self._path):
                    rows = await asyncio.wrap_future(begun)
                yield _holds(rows)
            finally:
                ended = self._locker.submit(self._end)
                with suppress(sqlite3.Error):
                    await asyncio.shield(asyncio.wrap_future(ended))

    def _begin(self) -> list[tuple[object, ...]]:
        db = self._held()
        db.execute("BEGIN IMMEDIATE")
        return db.execute(_STANDING).fetchall()

    def _end(self) -> None:
        db = self._held()
        if db.in_transaction:
            db.execute("ROLLBACK")  # nothing was written: it was for the lock alone

    async def aclose(self) -> None:
        """Close the file. MAY be repeated."""
        db, self._db = self._db, None
        lock, self._lock = self._lock, None
        for each in (db, lock):
            if each is not None:
                await self._run(each.close)
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._locker.shutdown)

    def _use(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the office is closed")
        return self._db

    def _held(self) -> sqlite3.Connection:
        if self._lock is None:
            raise RuntimeError("the office is closed")
        return self._lock

    async def _run(self, work: Callable[[], _T]) -> _T:
        with _ours(self._path):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _holds(rows: list[tuple[object, ...]]) -> tuple[Hold, ...]:
    return tuple(msgspec.convert(row, _HoldRow, strict=False).hold() for row in rows)


@contextmanager
def _ours(path: Path) -> Iterator[None]:
    """Nothing of SQLite's or the file system's leaves this module."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalUnavailableError(
            f"{path} cannot be used: {error}",
            hint="Free disk space and check who owns the file; nothing was taken.",
        ) from error


if TYPE_CHECKING:
    _: type[Holds] = SqliteHolds
