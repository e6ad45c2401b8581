"""The office in SQLite: WAL, durable on return, shared by the bridge and people's tools."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import aiosqlite

from bridge.errors import JournalUnavailableError
from bridge.model import Outcome, Particulars, require_utc
from bridge.protocols.office import (
    DecisionOrder,
    GroupStep,
    KeyTransfer,
    Label,
    Request,
    RequestKind,
    StepKind,
)
from storage.office import schema

# Text is bound as bytes and cast: a broken name from a platform keeps its lone surrogates
# instead of being refused or altered.
_STEP_COLUMNS = """
kind, connector, group_id, name, ordered_by, at, why, owner, purpose, retention, dpia, device_type,
capture_all
"""
_ORDER = f"""
INSERT INTO group_step ({_STEP_COLUMNS})
VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, CAST(? AS TEXT),
        CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?)
"""  # noqa: S608 - of constants
_STEPS = f"SELECT number, {_STEP_COLUMNS} FROM group_step WHERE number > ? ORDER BY number"  # noqa: S608
_ASK = """
INSERT INTO request (kind, asked_by, at, connector, file, passphrase_file)
VALUES (?, CAST(? AS TEXT), ?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))
"""
_REQUESTS = """
SELECT number, kind, asked_by, at, connector, file, passphrase_file
FROM request WHERE number > ? ORDER BY number
"""
_COLUMNS = "stream, n, outcome, decided_by, at, why, label, code, lot"
_DECIDE = f"""
INSERT INTO decision ({_COLUMNS})
VALUES (CAST(? AS TEXT), ?, ?, CAST(? AS TEXT), ?, CAST(? AS TEXT), ?, CAST(? AS TEXT), ?)
"""  # noqa: S608 - of constants
_DECIDE_AFTER = f"""
INSERT INTO decision ({_COLUMNS})
SELECT CAST(?1 AS TEXT), ?2, ?3, CAST(?4 AS TEXT), ?5, CAST(?6 AS TEXT), ?7, CAST(?8 AS TEXT), ?9
WHERE ?10 = COALESCE(
    (SELECT MAX(number) FROM decision WHERE stream = CAST(?1 AS TEXT) AND n = ?2), 0)
"""  # noqa: S608 - of constants
_DECISIONS = f"SELECT number, {_COLUMNS} FROM decision WHERE number > ? ORDER BY number"  # noqa: S608
_LAST = f"""
SELECT number, {_COLUMNS} FROM decision WHERE number IN (
    SELECT (SELECT MAX(d.number) FROM decision d
            WHERE d.stream = json_extract(e.value, '$[0]') AND d.n = json_extract(e.value, '$[1]'))
    FROM json_each(?) e)
ORDER BY number
"""  # noqa: S608 - of constants
_NEWEST = "SELECT COALESCE(MAX(number), 0) FROM decision"
_MARKS = f"""
SELECT number, {_COLUMNS} FROM decision m WHERE outcome = 'review' AND number > ? AND NOT EXISTS (
    SELECT 1 FROM decision d WHERE d.stream = m.stream AND d.n = m.n AND d.number > m.number)
ORDER BY number LIMIT ?
"""  # noqa: S608 - of constants
_SAMPLE = f"""
SELECT number, {_COLUMNS} FROM decision
WHERE lot = ? AND lot <> '' AND decided_by = CAST(? AS TEXT) AND at >= ? ORDER BY number
"""  # noqa: S608 - of constants


_PARTICULARS = ("owner", "purpose", "retention", "dpia", "device_type")


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
            _maybe_bytes(step.name),
            _bytes(step.by),
            step.at.isoformat(),
            _bytes(step.why),
            *(_maybe_bytes(getattr(step.particulars, name)) for name in _PARTICULARS),
            None if step.capture_all is None else int(step.capture_all),
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
                particulars=Particulars(**dict(zip(_PARTICULARS, said[:-1], strict=True))),
                capture_all=None if said[-1] is None else bool(said[-1]),
            )
            for number, kind, connector, group_id, name, by, at, why, *said in rows
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
        return await self._add(_DECIDE, _decision_row(decision))

    async def decide_after(self, decision: DecisionOrder, *, last: int) -> int | None:
        """Add a decision if the last one on its event is still that. One statement: no race."""
        self._must_be_open()
        require_utc(decision.at, "at")
        with _ours(self._path):
            row = (*_decision_row(decision), last)
            async with self._db.execute(_DECIDE_AFTER, row) as cursor:
                return cursor.lastrowid if cursor.rowcount == 1 else None

    async def decisions(self, after: int) -> tuple[DecisionOrder, ...]:
        """Every decision with a number above ``after``, in order."""
        return await self._decisions(_DECISIONS, after)

    async def last_decisions(self, events: Sequence[tuple[str, int]]) -> tuple[DecisionOrder, ...]:
        """The last decision on each of these events."""
        return await self._decisions(_LAST, json.dumps([list(event) for event in events]))

    async def newest_decision(self) -> int:
        """The number of the newest decision on any event; 0 without one."""
        self._must_be_open()
        with _ours(self._path):
            ((number,),) = await self._db.execute_fetchall(_NEWEST)
        return int(number)

    async def marks(self, *, after: int = 0, limit: int) -> tuple[DecisionOrder, ...]:
        """What is marked and not decided since."""
        return await self._decisions(_MARKS, after, limit)

    async def sample(self, lot: str, *, by: str, since: datetime) -> tuple[DecisionOrder, ...]:
        """One person's sample of a lot."""
        return await self._decisions(_SAMPLE, lot, _bytes(by), since.isoformat())

    async def _decisions(
        self, statement: str, *parameters: str | bytes | int
    ) -> tuple[DecisionOrder, ...]:
        self._must_be_open()
        with _ours(self._path):
            rows = await self._db.execute_fetchall(statement, parameters)
        return tuple(
            DecisionOrder(
                number=number,
                stream=stream,
                n=n,
                outcome=Outcome(outcome),
                by=by,
                at=datetime.fromisoformat(at),
                why=why,
                label=Label(label) if label else None,
                code=code,
                lot=lot,
            )
            for number, stream, n, outcome, by, at, why, label, code, lot in rows
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


def _decision_row(decision: DecisionOrder) -> tuple[str | bytes | int, ...]:
    return (
        _bytes(decision.stream),
        decision.n,
        decision.outcome.value,
        _bytes(decision.by),
        decision.at.isoformat(),
        _bytes(decision.why),
        decision.label.value if decision.label else "",
        _bytes(decision.code),
        decision.lot,
    )


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


def _maybe_bytes(text: str | None) -> bytes | None:
    return None if text is None else _bytes(text)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
