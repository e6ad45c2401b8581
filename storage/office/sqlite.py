"""The office in SQLite: WAL, durable on return, shared by the bridge and people's tools."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import aiosqlite

from bridge.errors import JournalUnavailableError
from bridge.model import Outcome, require_utc
from bridge.protocols.office import (
    DecisionOrder,
    GroupStep,
    KeyTransfer,
    Request,
    RequestKind,
    StepKind,
)
from storage.office import schema

# Text is bound as bytes and cast: a broken name from a platform keeps its lone surrogates
# instead of being refused or altered.
_ORDER = """
INSERT INTO group_step (kind, connector, group_id, name, ordered_by, at, why)
VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, CAST(? AS TEXT))
"""
_STEPS = """
SELECT number, kind, connector, group_id, name, ordered_by, at, why
FROM group_step WHERE number > ? ORDER BY number
"""
_ASK = """
INSERT INTO request (kind, asked_by, at, connector, file, passphrase_file)
VALUES (?, CAST(? AS TEXT), ?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))
"""
_REQUESTS = """
SELECT number, kind, asked_by, at, connector, file, passphrase_file
FROM request WHERE number > ? ORDER BY number
"""
_DECIDE = """
INSERT INTO decision (stream, n, outcome, decided_by, at, why)
VALUES (CAST(? AS TEXT), ?, ?, CAST(? AS TEXT), ?, CAST(? AS TEXT))
"""
_DECISIONS = """
SELECT number, stream, n, outcome, decided_by, at, why
FROM decision WHERE number > ? ORDER BY number
"""


class SqliteOffice:
    """The inbox of orders in one file. Implements :class:`bridge.protocols.Office`.

    Each verb is one statement, so a cancelled one has happened wholly or not at all, and nothing
    is held between verbs: two processes may use the file at once.
    """

    def __init__(self, db: aiosqlite.Connection, path: Path) -> None:
        """Use :meth:`open`."""
        self._db = db
        self._path = path
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> SqliteOffice:
        """Open the file at ``path``, making or migrating it where needed.

        Raises:
            ConfigError: a newer version wrote it, or it is not a database.
            JournalUnavailableError: it cannot be read or written now.
        """
        with _ours(path):
            await asyncio.to_thread(schema.prepare, path)
            db = aiosqlite.connect(path, timeout=schema.BUSY_MS / 1000, isolation_level=None)
            await db
            try:
                await db.execute("PRAGMA synchronous = FULL")
                db.text_factory = _text
            except BaseException:
                await db.close()
                raise
        return cls(db, path)

    async def order(self, step: GroupStep) -> int:
        """Add a step. Durable on return; gives its number."""
        self._must_be_open()
        require_utc(step.at, "at")
        row = (
            step.kind.value,
            _bytes(step.connector),
            _bytes(step.group_id),
            None if step.name is None else _bytes(step.name),
            _bytes(step.by),
            step.at.isoformat(),
            _bytes(step.why),
        )
        return await self._add(_ORDER, row)

    async def steps(self, after: int) -> tuple[GroupStep, ...]:
        """Every step with a number above ``after``, in order."""
        self._must_be_open()
        with _ours(self._path):
            rows = await self._db.execute_fetchall(_STEPS, (after,))
        return tuple(
            GroupStep(
                number=number,
                kind=StepKind(kind),
                connector=connector,
                group_id=group_id,
                name=name,
                by=by,
                at=datetime.fromisoformat(at),
                why=why,
            )
            for number, kind, connector, group_id, name, by, at, why in rows
        )

    async def ask(self, request: Request) -> int:
        """Add a request. Crash before: it was not asked, and who asked got no number."""
        self._must_be_open()
        require_utc(request.at, "at")
        row = (request.kind.value, _bytes(request.by), request.at.isoformat())
        return await self._add(_ASK, (*row, *_details(request.keys)))

    async def requests(self, after: int) -> tuple[Request, ...]:
        """Every request with a number above ``after``, in order."""
        self._must_be_open()
        with _ours(self._path):
            rows = await self._db.execute_fetchall(_REQUESTS, (after,))
        return tuple(
            Request(
                number=number,
                kind=RequestKind(kind),
                by=by,
                at=datetime.fromisoformat(at),
                keys=_transfer(connector, file, passphrase_file),
            )
            for number, kind, by, at, connector, file, passphrase_file in rows
        )

    async def decide(self, decision: DecisionOrder) -> int:
        """Add a decision. Crash before: it was not made, and who made it got no number."""
        self._must_be_open()
        require_utc(decision.at, "at")
        row = (
            _bytes(decision.stream),
            decision.n,
            decision.outcome.value,
            _bytes(decision.by),
            decision.at.isoformat(),
            _bytes(decision.why),
        )
        return await self._add(_DECIDE, row)

    async def decisions(self, after: int) -> tuple[DecisionOrder, ...]:
        """Every decision with a number above ``after``, in order."""
        self._must_be_open()
        with _ours(self._path):
            rows = await self._db.execute_fetchall(_DECISIONS, (after,))
        return tuple(
            DecisionOrder(
                number=number,
                stream=stream,
                n=n,
                outcome=Outcome(outcome),
                by=by,
                at=datetime.fromisoformat(at),
                why=why,
            )
            for number, stream, n, outcome, by, at, why in rows
        )

    async def _add(self, statement: str, row: tuple[str | bytes | int | None, ...]) -> int:
        with _ours(self._path):
            async with self._db.execute(statement, row) as cursor:
                number = cursor.lastrowid
        if number is None:
            raise RuntimeError("an INSERT gave no row number")
        return number

    async def aclose(self) -> None:
        """Give up the connection. MAY be repeated."""
        self._closed = True
        with _ours(self._path):
            await self._db.close()

    def _must_be_open(self) -> None:
        if self._closed:
            raise RuntimeError("the office is closed")


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


def _details(keys: KeyTransfer | None) -> tuple[bytes | None, bytes | None, bytes | None]:
    if keys is None:
        return None, None, None
    return _bytes(keys.connector), _bytes(str(keys.file)), _bytes(str(keys.passphrase_file))


def _transfer(
    connector: str | None, file: str | None, passphrase_file: str | None
) -> KeyTransfer | None:
    if connector is None or file is None or passphrase_file is None:
        return None
    return KeyTransfer(connector=connector, file=Path(file), passphrase_file=Path(passphrase_file))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
