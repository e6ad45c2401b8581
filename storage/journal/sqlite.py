"""The journal on SQLite: WAL, ``synchronous=FULL``, one writer, group commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiosqlite

from bridge.errors import JournalUnavailableError
from bridge.protocols import Clock, Journal
from storage.journal.cipher import JournalCipher
from storage.journal.core import check_key, connect, migrate, require_current
from storage.journal.counting import CountingVerbs, begin_counting
from storage.journal.decisions import DecisionVerbs
from storage.journal.downloads import DownloadVerbs
from storage.journal.entries import EntryVerbs
from storage.journal.holdings import HoldingVerbs
from storage.journal.holds import HoldVerbs
from storage.journal.leaves import LeafVerbs
from storage.journal.opening import OpeningVerbs
from storage.journal.register import RegisterVerbs
from storage.journal.speech import SpeechVerbs
from storage.journal.succession import SuccessionVerbs

CHECKPOINT_PAGES = 8000
"""The write-ahead log grows to 32 MB before it is written back: identities are random, each commit
touches pages all over their index, and one page is then written back once for many commits. A crash
loses nothing by it: a commit is durable once it is in the log, which the next start reads."""


class SqliteJournal(
    SpeechVerbs,
    SuccessionVerbs,
    EntryVerbs,
    DownloadVerbs,
    OpeningVerbs,
    HoldingVerbs,
    LeafVerbs,
    DecisionVerbs,
    HoldVerbs,
    RegisterVerbs,
    CountingVerbs,
):
    """See :class:`bridge.protocols.Journal` for what each verb promises."""

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        key: bytes,
        blind_key: bytes,
        random_bytes: Callable[[int], bytes],
        clock: Clock,
    ) -> SqliteJournal:
        """Open or create the journal at ``path``, brought up to date.

        ``key`` and ``blind_key`` are 32 bytes each. The caller holds ``run.lock``.

        Raises:
            JournalSchemaError: a newer version wrote it.
            JournalKeyError: another key wrote it.
            JournalUnavailableError: it cannot be opened or written.
        """
        await asyncio.to_thread(_private, path)
        return await cls._open(
            path, key, blind_key, random_bytes, clock, prepare=migrate, read_only=False
        )

    @classmethod
    async def look(
        cls,
        path: Path,
        *,
        key: bytes,
        blind_key: bytes,
        random_bytes: Callable[[int], bytes],
        clock: Clock,
    ) -> SqliteJournal:
        """Open an existing journal to read it, beside the process that writes it.

        Raises:
            JournalSchemaError: another version wrote it.
            JournalKeyError: another key wrote it.
            JournalUnavailableError: it is not there or cannot be read.
        """
        if not await asyncio.to_thread(path.exists):
            raise JournalUnavailableError(
                f"The journal {path} does not exist.", hint="Start `muniment run` once."
            )
        return await cls._open(
            path, key, blind_key, random_bytes, clock, prepare=require_current, read_only=True
        )

    @classmethod
    async def _open(
        cls,
        path: Path,
        key: bytes,
        blind_key: bytes,
        random_bytes: Callable[[int], bytes],
        clock: Clock,
        *,
        prepare: Callable[[aiosqlite.Connection, Path], Awaitable[None]],
        read_only: bool,
    ) -> SqliteJournal:
        cipher = JournalCipher(key, random_bytes)
        writer = await connect(path, read_only=read_only)
        try:
            await prepare(writer, path)
            await check_key(writer, cipher)
            if not read_only:
                await begin_counting(writer)
            await writer.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            reader = await connect(path, read_only=True)
        except BaseException:
            await writer.close()
            raise
        journal = cls(
            writer=writer,
            reader=reader,
            cipher=cipher,
            blind_key=blind_key,
            random_bytes=random_bytes,
            clock=clock,
        )
        await journal._load_streams()
        return journal


def _private(path: Path) -> None:
    """The file exists and is readable by its owner alone, before SQLite writes to it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise JournalUnavailableError(
            f"The journal {path} cannot be written ({error.strerror}).",
            hint="Correct [service] data_dir, its owner or its rights.",
        ) from error


def _conforms(journal: SqliteJournal) -> Journal:
    return journal
