"""The journal's files as an outsider has them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.journal import SqliteJournal
from tests.fakes.clock import FakeClock
from tests.fakes.samples import BLIND_KEY, JOURNAL_KEY, seeded

Row = tuple[int | str | bytes | None, ...]


async def opened(path: Path, *, key: bytes = JOURNAL_KEY, seed: int = 0) -> SqliteJournal:
    """The journal at ``path``, to write."""
    return await SqliteJournal.open(
        path, key=key, blind_key=BLIND_KEY, random_bytes=seeded(seed), clock=FakeClock()
    )


async def looked_at(path: Path, *, key: bytes = JOURNAL_KEY) -> SqliteJournal:
    """The journal at ``path``, to read."""
    return await SqliteJournal.look(
        path, key=key, blind_key=BLIND_KEY, random_bytes=seeded(99), clock=FakeClock()
    )


def rows(path: Path, sql: str, *parameters: int | str | bytes) -> list[Row]:
    """What a statement gives, run from outside."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return db.execute(sql, parameters).fetchall()


def content(path: Path) -> bytes:
    """The database file as it stands on the disk."""
    return path.read_bytes()


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {each.name for each in folder.iterdir()}


def every_byte(path: Path) -> bytes:
    """The database and its write-ahead log, as they stand on the disk."""
    return b"\n".join(
        each.read_bytes() for each in (path, path.with_name(f"{path.name}-wal")) if each.exists()
    )
