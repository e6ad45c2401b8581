"""The keys of one device in a SQLite file: private, durable, encrypted.

Synchronous: everything here runs in the one thread that opened the store.
"""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import vodozemac
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.errors import ConnectorUnavailableError
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.refusals import (
    StoreDamagedError,
    StoreOfAnotherDeviceError,
    StoreVersionError,
    WrongStoreKeyError,
)
from connectors.matrix.crypto.values import RoomKey

VERSION = 1
KEY_BYTES = 32
BUSY_S = 5.0
MOST_ROOM_KEYS = 4096
"""Room keys held in memory: about 2 KB each."""
_NONCE = 12
_ATTEMPTS = 20
_PROOF = b"muniment crypto store"
_DAMAGE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}

Value: TypeAlias = str | bytes | int | float | None


class StoreUnavailableError(ConnectorUnavailableError):
    """The store cannot be read or written now: nothing was changed."""

    hint = "Free disk space and check the rights of the data directory; it is tried again."


@dataclass(slots=True, kw_only=True)
class Loaded:
    """Objects of the store in memory. They MUST be dropped when a transaction fails."""

    account: vodozemac.Account | None = None
    room_keys: OrderedDict[tuple[str, str], RoomKey] = field(default_factory=OrderedDict)

    def keep(self, room_id: str, session_id: str, key: RoomKey) -> None:
        """Hold a room key; the one used longest ago makes room for it."""
        self.room_keys[room_id, session_id] = key
        self.room_keys.move_to_end((room_id, session_id))
        while len(self.room_keys) > MOST_ROOM_KEYS:
            self.room_keys.popitem(last=False)

    def drop(self) -> None:
        """Forget everything: the store alone says what is true."""
        self.account = None
        self.room_keys.clear()


class Transaction:
    """One transaction: all it does stands in the store afterwards, or nothing does."""

    def __init__(self, store: CryptoStore, db: sqlite3.Connection) -> None:
        """Made by :meth:`CryptoStore.transaction` alone."""
        self._store = store
        self._db = db
        self.user_id = store.user_id
        self.device_id = store.device_id
        self.pickle_key = store.pickle_key
        self.loaded = store.loaded

    @property
    def now(self) -> datetime:
        """The time."""
        return self._store.now()

    @property
    def now_ms(self) -> int:
        """The time in milliseconds since 1970, as the store has times."""
        return int(self.now.timestamp() * 1000)

    def execute(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._db.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run one statement for each row."""
        self._db.executemany(statement, rows)


class CryptoStore:
    """The file. Its owner is the thread that opened it."""

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        file: Path,
        key: bytes,
        user_id: str,
        device_id: str,
        random: RandomBytes,
        now: Callable[[], datetime],
    ) -> None:
        """Made by :meth:`open` alone."""
        self.user_id = user_id
        self.device_id = device_id
        self.pickle_key = key
        self._random = random
        self.now = now
        self.loaded = Loaded()
        self._db = db
        self._file = file

    @classmethod
    def open(
        cls,
        file: Path,
        *,
        key: bytes,
        user_id: str,
        device_id: str,
        random: RandomBytes,
        now: Callable[[], datetime],
    ) -> CryptoStore:
        """Open the store of a device, or make it where there is none.

        Raises:
            StoreOfAnotherDeviceError: it is another account's or device's.
            WrongStoreKeyError: it was written with another key.
            StoreDamagedError: it is no sound store.
            StoreVersionError: a newer version wrote it.
            StoreUnavailableError: it cannot be read or written now.
        """
        if len(key) != KEY_BYTES:
            raise RuntimeError(f"a store's key has {KEY_BYTES} bytes")
        with _named(file):
            db = _connected(file)
            store = cls(
                db, file=file, key=key, user_id=user_id, device_id=device_id, random=random, now=now
            )
            try:
                store._prepare()
            except BaseException:
                db.close()
                raise
        return store

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing.

        Crash within: the next start finds what was before. What is held in memory is dropped
        where the transaction fails, since it may be ahead of the file by then.

        Raises:
            StoreUnavailableError, StoreDamagedError: nothing was changed.
        """
        with _named(self._file):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield Transaction(self, self._db)
                self._db.execute("COMMIT")
            except BaseException:
                self.loaded.drop()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file. What was held in memory is dropped."""
        self.loaded.drop()
        self._db.close()

    def _prepare(self) -> None:
        with self.transaction() as transaction:
            (version,) = transaction.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise StoreVersionError(
                    f"The store of keys {self._file.name} was written by a newer version "
                    f"(schema {version}, known {VERSION})."
                )
            if version == 0:
                self._found(transaction)
            self._check(transaction)

    def _found(self, transaction: Transaction) -> None:
        for statement in _statements():
            transaction.execute(statement)
        transaction.execute(
            "INSERT INTO meta (one, user_id, device_id, proof) VALUES (1, ?, ?, ?)",
            (self.user_id, self.device_id, self._proof()),
        )
        transaction.execute(f"PRAGMA user_version = {VERSION}")

    def _proof(self) -> bytes:
        """What opens with this key alone: pickles say "damaged" to a wrong key."""
        nonce = self._random(_NONCE)
        return nonce + AESGCM(self.pickle_key).encrypt(nonce, b"", _PROOF)

    def _check(self, transaction: Transaction) -> None:
        row = transaction.execute("SELECT user_id, device_id, proof FROM meta").fetchone()
        if row is None:
            raise StoreDamagedError(
                f"The store of keys {self._file.name} does not say whose it is."
            )
        user_id, device_id, proof = row
        try:
            AESGCM(self.pickle_key).decrypt(proof[:_NONCE], proof[_NONCE:], _PROOF)
        except (InvalidTag, ValueError):
            raise WrongStoreKeyError(
                f"The store of keys {self._file.name} does not open with this key."
            ) from None
        if (user_id, device_id) != (self.user_id, self.device_id):
            raise StoreOfAnotherDeviceError(
                f"The store of keys {self._file.name} is that of device {device_id} of {user_id}, "
                f"and the recorder is signed in as {self.device_id} of {self.user_id}."
            )


def _connected(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made by us before SQLite does, which would take the umask; -wal and -shm follow its mode.
    # One that is there is not opened: closing it would drop this process's locks on it.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
    try:
        _switch_to_wal(db)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        db.close()
        raise
    return db


def _switch_to_wal(db: sqlite3.Connection) -> None:
    """Write ahead from now on.

    Of two connections that switch at once, SQLite tells one "busy" without waiting (an opening that
    was cancelled may still be under way). An empty write transaction does wait for the other.
    """
    for attempts_left in range(_ATTEMPTS, -1, -1):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if not attempts_left:
                raise
        else:
            return
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")


def is_of_store(error: Exception) -> bool:
    """Whether it says something of the file, and not of what was to be written."""
    return isinstance(error, sqlite3.OperationalError) or _is_damage(error)


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _DAMAGE


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """What SQLite and the file system say, in our own words."""
    try:
        yield
    except sqlite3.Error as error:
        if _is_damage(error):
            raise StoreDamagedError(f"The store of keys {file.name} is damaged.") from None
        if is_of_store(error):
            raise StoreUnavailableError(
                f"The store of keys {file.name} cannot be used now ({error})."
            ) from None
        raise
    except OSError as error:
        raise StoreUnavailableError(
            f"The store of keys {file.name} cannot be opened ({error.strerror})."
        ) from None


def _statements() -> Iterator[str]:
    """The script's statements one by one: ``executescript`` would commit before it begins."""
    script = (files("connectors.matrix.crypto") / "store.sql").read_text(encoding="utf-8")
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
