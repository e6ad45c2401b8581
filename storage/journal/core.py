"""What all verbs share: two connections, the committer, the cipher, leases and open streams."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import aiosqlite
import msgspec

from bridge.errors import JournalError, JournalKeyError, JournalSchemaError, JournalUnavailableError
from bridge.lifecycle import EntryState
from bridge.protocols import Clock, Entry
from storage.journal.arrivals import Arrivals
from storage.journal.cipher import JournalCipher
from storage.journal.committer import Committer, Transaction, Value, fetch, translated
from storage.journal.leases import Leases
from storage.journal.rows import EntryRow, StreamRow, to_ms
from storage.journal.statements import MIGRATIONS

T = TypeVar("T")
KEY_CHECK = b"muniment journal"


class JournalCore:
    """The open file. ``_writer`` belongs to the committer alone; reads use ``_reader``.

    Leases and the cache of open streams live in memory: one process owns the journal
    (``run.lock``), and a crash frees them all.
    """

    def __init__(
        self,
        *,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        cipher: JournalCipher,
        blind_key: bytes,
        random_bytes: Callable[[int], bytes],
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._cipher = cipher
        self._blind_key = blind_key
        self._random = random_bytes
        self._clock = clock
        self._arrivals = Arrivals(cipher, blind_key)
        self._committer = Committer(writer)
        self._leased = Leases()
        self._fetching = Leases()
        self._arrived = {state: asyncio.Event() for state in EntryState}
        self._damaged: set[int] = set()
        self._damaged_documents: set[int] = set()
        self._damaged_messages: set[tuple[str, int]] = set()
        self._streams: dict[tuple[str, str], StreamRow] = {}
        self._opening = asyncio.Lock()
        self._closed = False
        self._leaves_moved = False

    async def _rows(self, name: str, shape: type[T], *parameters: Value) -> list[T]:
        """Committed rows, as values."""
        return await self._read(name, shape, parameters)

    async def _read(
        self, name: str, shape: type[T], parameters: Sequence[Value] | Mapping[str, Value]
    ) -> list[T]:
        if self._closed:
            raise JournalUnavailableError("The journal is closed.")
        try:
            return await fetch(self._reader, name, shape, parameters)
        except sqlite3.Error as error:
            raise translated(error) from error

    async def _load_streams(self) -> None:
        rows = await self._rows("stream_all_open", StreamRow)
        self._streams = {(row.connector, row.group_id): row for row in rows}

    async def _entries(self, seqs: Sequence[int]) -> tuple[Entry, ...]:
        """Entries with content, earliest ``safe_by`` first; destroyed ones are left out."""
        if not seqs:
            return ()
        rows = await self._rows("entry_some", EntryRow, as_json(sorted(seqs)))
        found = [self._opened(row) for row in rows]
        return tuple(entry for entry in found if entry is not None)

    def _opened(self, row: EntryRow) -> Entry | None:
        """A row as a value; one that is damaged is left out, and costs its neighbours nothing."""
        try:
            return row.entry(self._cipher)
        except JournalKeyError:
            self._damaged.add(row.seq)
            return None

    async def _sid(self, stream: str) -> int | None:
        for row in self._streams.values():
            if row.id == stream:
                return row.sid
        found = await self._rows("stream_sid", int, stream)
        return found[0] if found else None

    @property
    def damaged(self) -> int:
        """Rows met so far that do not open."""
        damaged = (self._damaged, self._damaged_documents, self._damaged_messages)
        return sum(len(each) for each in damaged)

    def _signal(self, *states: EntryState) -> None:
        for state in states:
            self._arrived[state].set()

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    async def aclose(self) -> None:
        """Finish what was begun and close the file."""
        await self._committer.aclose()
        self._closed = True
        await self._reader.close()
        await self._writer.close()


def as_json(values: Sequence[int] | Sequence[str] | Sequence[tuple[str, int]]) -> str:
    """A JSON array, as ``json_each`` takes it."""
    return msgspec.json.encode(values).decode()


async def connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """A connection with durable commits: WAL, FULL, and freed pages overwritten.

    ``read_only``: not a byte of the database is changed through it.
    """
    try:
        connection = await aiosqlite.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise JournalUnavailableError(f"The journal {path} cannot be opened: {error}.") from None
    try:
        # Before anything is set: even WAL mode would be a change to a newer version's file.
        await _version(connection, path)
        for pragma in (
            "query_only = ON" if read_only else "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
            "foreign_keys = ON",
            "busy_timeout = 5000",
        ):
            await connection.execute(f"PRAGMA {pragma}")
        await connection.create_function("from_hex", 1, bytes.fromhex, deterministic=True)
    except JournalError:
        await connection.close()
        raise
    except sqlite3.Error as error:
        await connection.close()
        raise JournalUnavailableError(
            f"The journal {path} cannot be opened: {error}.",
            hint="Is the file a Muniment journal, and is its folder writable?",
        ) from None
    return connection


async def migrate(connection: aiosqlite.Connection, path: Path) -> None:
    """Bring the schema up to date, one numbered migration a transaction.

    A crash between two leaves the schema at the version between; the next start goes on there.

    Raises:
        JournalSchemaError: the file was written by a newer version.
    """
    version = await _version(connection, path)
    for number in range(version, len(MIGRATIONS)):
        try:
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{MIGRATIONS[number]}\n"
                f"PRAGMA user_version = {number + 1};\nCOMMIT;"
            )
        except sqlite3.Error as error:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
            raise JournalUnavailableError(
                f"The journal {path} could not be brought to schema {number + 1}: {error}."
            ) from None


async def require_current(connection: aiosqlite.Connection, path: Path) -> None:
    """Refuse a schema that this version did not make.

    Raises:
        JournalSchemaError: the file was written by another version.
    """
    version = await _version(connection, path)
    if version == 0:
        raise JournalUnavailableError(
            f"The journal {path} is not made yet.", hint="Start `muniment run`, or wait a moment."
        )
    if version < len(MIGRATIONS):
        raise JournalSchemaError(
            f"The journal {path} has schema {version}; this version needs {len(MIGRATIONS)}.",
            hint="Start `muniment run` of this version once; it brings the journal up to date.",
        )


async def _version(connection: aiosqlite.Connection, path: Path) -> int:
    try:
        rows = await connection.execute_fetchall("PRAGMA user_version")
    except sqlite3.Error as error:
        raise JournalUnavailableError(
            f"The journal {path} cannot be read: {error}.",
            hint="Is the file a Muniment journal, and is its folder writable?",
        ) from None
    version = int(next(iter(rows))[0])
    if version > len(MIGRATIONS):
        raise JournalSchemaError(
            f"The journal {path} has schema {version}; this version knows up to {len(MIGRATIONS)}."
        )
    return version


async def check_key(connection: aiosqlite.Connection, cipher: JournalCipher) -> None:
    """Refuse a journal written with another key; mark a new one with this key.

    Raises:
        JournalKeyError: the key is not this journal's.
        JournalUnavailableError: a new journal cannot be marked.
    """
    try:
        found = await fetch(connection, "meta_get", bytes, ("key_check",))
        if not found:
            sealed = cipher.seal_bytes(KEY_CHECK, column="key_check", row=b"")
            await Transaction(connection).run("meta_set", "key_check", sealed)
            return
    except sqlite3.Error as error:
        raise translated(error) from error
    try:
        cipher.open_bytes(found[0], column="key_check", row=b"")
    except JournalKeyError:
        raise JournalKeyError(
            "The journal was written with another journal key than the one configured."
        ) from None
