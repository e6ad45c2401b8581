"""One writer, many callers: what is waiting is committed together, durably, in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Generic, TypeVar

import aiosqlite
import msgspec

from bridge.canonical import Leaf
from bridge.errors import JournalUnavailableError
from storage.journal.statements import STATEMENTS

T = TypeVar("T")
G = TypeVar("G")
Value = int | float | str | bytes | None
TRUNCATE = "PRAGMA wal_checkpoint(TRUNCATE)"
TRUNCATE_TRIES = 5
WRITE_BACK = "PRAGMA wal_checkpoint(PASSIVE)"
SCALARS: frozenset[object] = frozenset({int, str, bytes})


class Transaction:
    """What a piece of work may do: named statements, and leaves in the log's order."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._next_leaf: int | None = None

    async def rows(self, name: str, shape: type[T], *parameters: Value) -> list[T]:
        """The rows of a named statement as values of ``shape``."""
        return await fetch(self._connection, name, shape, parameters)

    async def run(self, name: str, *parameters: Value) -> int:
        """Run a named statement; gives the number of rows it changed."""
        cursor = await self._connection.execute(STATEMENTS[name], parameters)
        return cursor.rowcount

    async def many(self, name: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run a named statement once for each row."""
        await self._connection.executemany(STATEMENTS[name], rows)

    async def add_leaves(self, leaves: Sequence[Leaf]) -> range:
        """Append leaves to the log; gives their indices."""
        if self._next_leaf is None:
            (self._next_leaf,) = await self.rows("leaf_next", int)
        indices = range(self._next_leaf, self._next_leaf + len(leaves))
        await self.many(
            "leaf_insert",
            [(i, leaf.kind, leaf.body) for i, leaf in zip(indices, leaves, strict=True)],
        )
        self._next_leaf = indices.stop
        return indices


async def fetch(
    connection: aiosqlite.Connection,
    name: str,
    shape: type[T],
    parameters: Sequence[Value] | Mapping[str, Value],
) -> list[T]:
    """Rows of a named statement, checked against ``shape``; a scalar shape takes one column."""
    rows = await connection.execute_fetchall(STATEMENTS[name], parameters)
    if shape in SCALARS:
        return msgspec.convert([row[0] for row in rows], list[shape])  # type: ignore[valid-type]
    return msgspec.convert(list(rows), list[shape])  # type: ignore[valid-type]


Pass = Callable[[Transaction, list[G]], Awaitable[Sequence[T]]]
"""What writes all that several callers gave, in one go; a result for each, in their order."""


@dataclass(slots=True)
class _Work(Generic[G, T]):
    """What one caller waits for: ``write`` is to be done with what it ``gave``."""

    write: Pass[G, T]
    gave: G
    done: asyncio.Future[T]


class Committer:
    """Group commit over one connection. Callers' work runs in the order it was handed in.

    Work of the same kind that waits side by side is done in one pass, within that order. If one
    piece of work fails, the transaction is rolled back and every piece is run again in a
    transaction of its own, so that only the failing one is refused.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._waiting: list[_Work[Any, Any]] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._between = asyncio.Lock()
        self._apart: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._serve(), name="journal commits")

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Commit ``work`` with whatever else is waiting; durable on return.

        Cancelling the caller does not take the work back.
        """

        async def alone(transaction: Transaction, gave: list[None]) -> Sequence[T]:
            return [await work(transaction) for _ in gave]

        return await self.join(alone, None)

    async def join(self, write: Pass[G, T], gave: G) -> T:
        """As :meth:`run`, for work that is cheaper together: neighbours share one ``write``.

        ``write`` MUST leave what writing one after the other would leave, and MUST raise if one
        of them is refused: each is then written alone.
        """
        if self._closing:
            raise JournalUnavailableError("The journal is closing; nothing was written.")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Work(write=write, gave=gave, done=done))
        self._arrived.set()
        return await done  # a caller that is cancelled takes only its own future back

    async def run_unchecked(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """As :meth:`run`, alone, and without a look at each reference while it goes on.

        ``work`` MUST leave every reference whole. Cancelling the caller does not take it back.
        """

        async def alone(transaction: Transaction, gave: list[None]) -> Sequence[T]:
            return [await work(transaction) for _ in gave]

        if self._closing:
            raise JournalUnavailableError("The journal is closing; nothing was written.")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        item = _Work(write=alone, gave=None, done=done)
        self._apart = asyncio.create_task(self._commit_unchecked(item), name="journal rewrite")
        await asyncio.shield(self._apart)
        return await done

    async def _commit_unchecked(self, item: _Work[Any, Any]) -> None:
        async with self._between:
            try:
                await self._connection.execute("PRAGMA foreign_keys = OFF")
                await self._commit([item], together=False)
            except sqlite3.Error as error:
                _refuse(item, error)
            finally:
                await self._connection.execute("PRAGMA foreign_keys = ON")

    async def truncate(self) -> None:
        """Empty the write-ahead log, so that destroyed bytes stand nowhere in the files.

        Raises:
            JournalUnavailableError: a reader held it for too long; nothing is lost, ask again.
        """
        for _ in range(TRUNCATE_TRIES):
            async with self._between:
                try:
                    rows = await self._connection.execute_fetchall(TRUNCATE)
                except sqlite3.Error as error:
                    raise translated(error) from error
            if next(iter(rows))[0] == 0:
                return
        raise JournalUnavailableError("The journal's write-ahead log could not be emptied.")

    async def write_back(self) -> None:
        """Bring the database file up to what is committed, waiting for nobody who reads it.

        Raises:
            JournalUnavailableError: it could not be written; nothing is lost, ask again.
        """
        async with self._between:
            try:
                await self._connection.execute_fetchall(WRITE_BACK)
            except sqlite3.Error as error:
                raise translated(error) from error

    async def aclose(self) -> None:
        """Commit what is waiting and stop."""
        self._closing = True
        self._arrived.set()
        await self._task
        if self._apart is not None:
            await asyncio.wait({self._apart})

    async def _serve(self) -> None:
        while not (self._closing and not self._waiting):
            await self._arrived.wait()
            self._arrived.clear()
            items, self._waiting = self._waiting, []
            async with self._between:
                if items and not await self._commit(items, together=True):
                    for item in items:
                        await self._commit([item], together=False)

    async def _commit(self, items: list[_Work[Any, Any]], *, together: bool) -> bool:
        """One transaction. Crash before COMMIT: none of it was; after it: all of it is."""
        connection = self._connection
        try:
            await connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection)
            results: list[Any] = []
            for write, neighbours in groupby(items, key=attrgetter("write")):
                results += await write(transaction, [item.gave for item in neighbours])
            await connection.execute("COMMIT")
        except BaseException as error:  # rolled back on anything, cancellation included
            # A rollback that fails leaves the transaction open: the next one is refused, and
            # the callers know, while a loop that ended here would leave them waiting for ever.
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    await connection.execute("ROLLBACK")
            if together and len(items) > 1 and isinstance(error, Exception):
                return False
            for item in items:
                _refuse(item, error)
            if not isinstance(error, Exception):
                raise
            return True
        for item, result in zip(items, results, strict=True):
            if not item.done.done():
                item.done.set_result(result)
        return True


def _refuse(item: _Work[Any, Any], error: BaseException) -> None:
    if item.done.done():
        return
    item.done.set_exception(translated(error) if isinstance(error, Exception) else error)
    item.done.exception()  # a caller that was cancelled never looks


def translated(error: Exception) -> Exception:
    """SQLite's errors as ours; everything else as it is."""
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return RuntimeError(f"a statement of the journal does not fit its schema: {error}")
    if isinstance(error, sqlite3.Error):
        return JournalUnavailableError(f"The journal could not be read or written: {error}.")
    return error
