"""Accounts, sessions and the audit trail, in the office's file: each verb one transaction."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bridge.canonical import dumps
from bridge.errors import JournalUnavailableError
from bridge.model import require_utc
from bridge.protocols.people import Account, People, Role, Session, TrailEntry, TrailFilter
from storage.office import schema

_T = TypeVar("_T")

BEGINNING = bytes(32)
"""What stands before the first line of the trail."""

_ACCOUNTS = "SELECT name, roles, groups, password, disabled, subject FROM account"
_CHANGE = "UPDATE account SET roles = ?, groups = ?, password = ?, disabled = ? WHERE name = ?"
_SESSION = """
SELECT digest, name, roles, groups, csrf, began_at, seen_at, proved_at FROM session
WHERE digest = ?
"""
_TRAIL = "SELECT number, at, who, what, subject, details, allowed, chain FROM trail"
_MATCHING = f"""
{_TRAIL} WHERE (?1 = '' OR who = ?1) AND (?2 = '' OR what = ?2) AND (?3 = '' OR subject = ?3)
AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR at < ?5) AND (?6 = 0 OR allowed = 0)
AND (?7 IS NULL OR number < ?7) ORDER BY number DESC LIMIT ?8
"""
_APPEND = """
INSERT INTO trail (at, who, what, subject, details, allowed, chain) VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class _AccountRow(msgspec.Struct, array_like=True):
    name: str
    roles: str
    groups: str
    password: str | None
    disabled: int
    subject: str | None

    def account(self) -> Account:
        return Account(
            name=self.name,
            roles=_roles(self.roles),
            groups=_names(self.groups),
            password=self.password,
            disabled=bool(self.disabled),
            subject=self.subject,
        )


class _SessionRow(msgspec.Struct, array_like=True):
    digest: bytes
    name: str
    roles: str
    groups: str
    csrf: str
    began_at: str
    seen_at: str
    proved_at: str

    def session(self) -> Session:
        return Session(
            digest=self.digest,
            name=self.name,
            roles=_roles(self.roles),
            groups=_names(self.groups),
            csrf=self.csrf,
            began_at=datetime.fromisoformat(self.began_at),
            seen_at=datetime.fromisoformat(self.seen_at),
            proved_at=datetime.fromisoformat(self.proved_at),
        )


class _TrailRow(msgspec.Struct, array_like=True):
    number: int
    at: str
    who: str
    what: str
    subject: str
    details: str
    allowed: int
    chain: bytes

    def entry(self) -> TrailEntry:
        return TrailEntry(
            number=self.number,
            at=datetime.fromisoformat(self.at),
            who=self.who,
            what=self.what,
            subject=self.subject,
            details=self.details,
            allowed=bool(self.allowed),
            chain=self.chain,
        )


class SqlitePeople:
    """Implements :class:`bridge.protocols.people.People`.

    Several processes may use the file at once: what is written is written under its lock.
    """

    def __init__(self, path: Path) -> None:
        """Use :meth:`open`."""
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="people")
        self._db: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, path: Path) -> SqlitePeople:
        """Open the office at ``path``, making or migrating it where needed.

        Raises:
            ConfigError: a newer version wrote it, or it is not a database.
            JournalUnavailableError: it cannot be read or written now.
        """
        people = cls(path)
        await people._run(people._open)
        return people

    def _open(self) -> None:
        schema.prepare(self._path)
        db = sqlite3.connect(
            self._path,
            timeout=schema.BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        db.execute("PRAGMA synchronous = FULL")
        self._db = db

    async def create_account(self, account: Account, *, at: datetime) -> bool:
        """Add an account. False: the name or the subject is taken."""
        require_utc(at, "at")
        row = (
            account.name,
            _json(account.roles),
            _json(account.groups),
            account.password,
            int(account.disabled),
            at.isoformat(),
            account.subject,
        )
        statement = "INSERT OR IGNORE INTO account VALUES (?, ?, ?, ?, ?, ?, ?)"
        return await self._changed(statement, *row)

    async def change_account(self, account: Account) -> bool:
        """Put what is given in place of the account of this name. False: there is none."""
        row = (
            _json(account.roles),
            _json(account.groups),
            account.password,
            int(account.disabled),
            account.name,
        )
        return await self._changed(_CHANGE, *row)

    async def account(self, name: str) -> Account | None:
        """The account of this name."""
        rows = await self._rows(_AccountRow, f"{_ACCOUNTS} WHERE name = ?", name)
        return rows[0].account() if rows else None

    async def account_of(self, subject: str) -> Account | None:
        """The account of a subject."""
        rows = await self._rows(_AccountRow, f"{_ACCOUNTS} WHERE subject = ?", subject)
        return rows[0].account() if rows else None

    async def accounts(self) -> tuple[Account, ...]:
        """All of them, by name."""
        rows = await self._rows(_AccountRow, f"{_ACCOUNTS} ORDER BY name")
        return tuple(row.account() for row in rows)

    async def begin_session(self, session: Session) -> None:
        """Remember a session."""
        row = (
            session.digest,
            session.name,
            _json(session.roles),
            _json(session.groups),
            session.csrf,
            session.began_at.isoformat(),
            session.seen_at.isoformat(),
            session.proved_at.isoformat(),
        )
        await self._changed("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)

    async def session(self, digest: bytes) -> Session | None:
        """The session of a cookie."""
        rows = await self._rows(_SessionRow, _SESSION, digest)
        return rows[0].session() if rows else None

    async def touch_session(
        self, digest: bytes, *, seen_at: datetime, proved_at: datetime | None = None
    ) -> None:
        """It was used; with ``proved_at``, its person proved who they are."""
        await self._changed(
            "UPDATE session SET seen_at = ?, proved_at = COALESCE(?, proved_at) WHERE digest = ?",
            seen_at.isoformat(),
            None if proved_at is None else proved_at.isoformat(),
            digest,
        )

    async def end_session(self, digest: bytes) -> None:
        """Forget it."""
        await self._changed("DELETE FROM session WHERE digest = ?", digest)

    async def end_sessions(self, *, seen_before: datetime) -> int:
        """Forget those not used since; gives how many."""
        statement = "DELETE FROM session WHERE seen_at < ?"
        return await self._run(
            lambda: self._use().execute(statement, (seen_before.isoformat(),)).rowcount
        )

    async def record(self, entry: TrailEntry) -> int:
        """Append a line to the trail. Crash before: nothing was shown of what it tells."""
        require_utc(entry.at, "at")
        return await self._run(lambda: self._append(entry))

    def _append(self, entry: TrailEntry) -> int:
        """Chain it to the last line, under the lock of the file: two processes may append."""
        db = self._use()
        db.execute("BEGIN IMMEDIATE")
        try:
            last = db.execute("SELECT chain FROM trail ORDER BY number DESC LIMIT 1").fetchone()
            chain = chained(last[0] if last else BEGINNING, entry)
            row = (entry.at.isoformat(), entry.who, entry.what, entry.subject, entry.details)
            number = db.execute(_APPEND, (*row, int(entry.allowed), chain)).lastrowid
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if number is None:
            raise RuntimeError("an INSERT gave no row number")
        return number

    async def trail(
        self, *, before: int | None = None, limit: int, who: str | None = None
    ) -> tuple[TrailEntry, ...]:
        """Lines of the trail, newest first."""
        where = "WHERE (?1 IS NULL OR number < ?1) AND (?2 IS NULL OR who = ?2)"
        statement = f"{_TRAIL} {where} ORDER BY number DESC LIMIT ?3"
        rows = await self._rows(_TrailRow, statement, before, who, limit)
        return tuple(row.entry() for row in rows)

    async def trail_matching(
        self, asked: TrailFilter, *, before: int | None = None, limit: int
    ) -> tuple[TrailEntry, ...]:
        """Lines of the trail that fit, newest first."""
        since = None if asked.since is None else asked.since.isoformat()
        until = None if asked.until is None else asked.until.isoformat()
        values = (asked.who, asked.what, asked.subject, since, until, int(asked.denied))
        rows = await self._rows(_TrailRow, _MATCHING, *values, before, limit)
        return tuple(row.entry() for row in rows)

    async def trail_after(self, number: int, *, limit: int) -> tuple[TrailEntry, ...]:
        """Lines of the trail above a number, oldest first."""
        statement = f"{_TRAIL} WHERE number > ? ORDER BY number LIMIT ?"
        rows = await self._rows(_TrailRow, statement, number, limit)
        return tuple(row.entry() for row in rows)

    async def trail_digest(self, *, until: datetime) -> tuple[int, bytes] | None:
        """Number and chain of the last line before ``until``."""
        statement = f"{_TRAIL} WHERE at < ? ORDER BY number DESC LIMIT 1"
        rows = await self._rows(_TrailRow, statement, until.isoformat())
        return (rows[0].number, rows[0].chain) if rows else None

    async def broken_trail(self) -> int | None:
        """The number of the first line whose chain does not fit."""
        return await self._run(self._broken)

    def _broken(self) -> int | None:
        before = BEGINNING
        for found in self._use().execute(f"{_TRAIL} ORDER BY number"):
            entry = msgspec.convert(found, _TrailRow).entry()
            if chained(before, entry) != entry.chain:
                return entry.number
            before = entry.chain
        return None

    async def aclose(self) -> None:
        """Close the file. MAY be repeated."""
        if self._db is not None:
            await self._run(self._db.close)
            self._db = None
            await asyncio.to_thread(self._thread.shutdown)

    def _use(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the office is closed")
        return self._db

    async def _changed(self, statement: str, *row: str | bytes | int | None) -> bool:
        return await self._run(lambda: self._use().execute(statement, row).rowcount == 1)

    async def _rows(
        self, shape: type[_T], statement: str, *parameters: str | bytes | int | None
    ) -> list[_T]:
        found = await self._run(lambda: self._use().execute(statement, parameters).fetchall())
        return [msgspec.convert(row, shape) for row in found]

    async def _run(self, work: Callable[[], _T]) -> _T:
        with _ours(self._path):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def chained(before: bytes, entry: TrailEntry) -> bytes:
    """The chain value of a line that follows one whose chain value is ``before``."""
    line = dumps(
        {
            "at": entry.at.isoformat(),
            "who": entry.who,
            "what": entry.what,
            "subject": entry.subject,
            "details": entry.details,
            "allowed": entry.allowed,
        }
    )
    return hashlib.sha256(before + line).digest()


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


def _json(names: Iterable[str]) -> str:
    return json.dumps(sorted(names))


def _names(text: str) -> frozenset[str]:
    return frozenset(msgspec.json.decode(text, type=list[str]))


def _roles(text: str) -> frozenset[Role]:
    return frozenset(Role(name) for name in _names(text))


if TYPE_CHECKING:
    _: type[People] = SqlitePeople
