"""The disk fills up under journal and spool: attachments give way first, and nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from bridge.capture import Capture
from bridge.errors import JournalUnavailableError, SpoolFullError
from bridge.model import Cursor
from bridge.protocols import SpoolWriter
from storage.journal import SqliteJournal
from storage.spool import FileSpool
from tests.fakes import samples
from tests.fakes.clock import FakeClock
from tests.fakes.connector import ScriptedConnector
from tests.faults.rights import as_root
from tests.unit.bridge.house import until

DISK = 12 * 2**20
KEEP_FREE = 4 * 2**20
PIECE = 2**18
LONG = 2**15
TEXTS = 40


@contextmanager
def small_disk() -> Iterator[Path]:
    """A disk of a few megabytes."""
    with tempfile.TemporaryDirectory() as place:
        options = ("-t", "tmpfs", "-o", f"size={DISK},mode=700")
        subprocess.run(["mount", *options, "tmpfs", place], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Somebody else writes to the disk; gives the file."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while (free := shutil.disk_usage(disk).free) > leave:
            file.write(bytes(min(free - leave, PIECE)))
    return ballast


class Recorder:
    """Journal, spool and capture on one disk; ``platform`` forgets what is acknowledged."""

    def __init__(self, journal: SqliteJournal, spool: FileSpool, clock: FakeClock) -> None:
        self.journal, self.spool, self.clock = journal, spool, clock
        self.platform = ScriptedConnector(committed=self.cursor)
        self.capture = Capture(connector=self.platform, journal=journal, clock=clock)

    async def cursor(self) -> Cursor | None:
        """Where the journal stands."""
        return await self.journal.cursor("matrix")

    async def ids(self) -> list[str]:
        """What the journal has, in order."""
        return [each.event.upstream_id for each in await self.journal.after(0, limit=1000)]

    def say(self, *numbers: int) -> None:
        """Long texts are delivered, each by itself."""
        for number in numbers:
            self.platform.deliver(samples.event(f"${number}", raw=samples.seeded(number)(LONG)))


async def opened(disk: Path, clock: FakeClock) -> SqliteJournal:
    """The journal on a disk."""
    return await SqliteJournal.open(
        disk / "journal.db",
        key=samples.JOURNAL_KEY,
        blind_key=samples.BLIND_KEY,
        random_bytes=samples.seeded(),
        clock=clock,
    )


@asynccontextmanager
async def recorder_on(disk: Path) -> AsyncIterator[Recorder]:
    """A recorder that listens."""
    clock = FakeClock(waiting=True)
    journal = await opened(disk, clock)
    spool = FileSpool(
        disk / "spool",
        samples.JOURNAL_KEY,
        max_bytes=2**30,
        media_max_bytes=2**30,
        keep_free=KEEP_FREE,
        random_bytes=samples.seeded(1),
    )
    await spool.start()
    assert await journal.set_group(samples.group(), expect=None)
    recorder = Recorder(journal, spool, clock)
    listening = asyncio.create_task(recorder.capture.run())
    try:
        yield recorder
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await journal.aclose()


async def written(writer: SpoolWriter) -> int:
    """Pieces of an attachment that the disk took before it was full."""
    for taken in count():
        try:
            await writer.write(bytes(PIECE))
        except SpoolFullError:
            return taken
    raise AssertionError("the disk has no end")


def is_whole(journal: Path) -> bool:
    """SQLite's own opinion of the file, write-ahead log included."""
    with closing(sqlite3.connect(journal)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@as_root
async def test_attachments_stop_while_texts_go_on() -> None:
    """The spool leaves the disk's last bytes to the journal, and comes back when there is room."""
    with small_disk() as disk:
        async with recorder_on(disk) as recorder:
            first = await recorder.spool.create()
            assert await written(first) > 0
            assert shutil.disk_usage(disk).free >= KEEP_FREE - PIECE
            assert await recorder.spool.fill() > 0.9
            recorder.say(*range(TEXTS))
            await recorder.platform.idle.wait()
            assert await recorder.ids() == [f"${number}" for number in range(TEXTS)]
            assert recorder.capture.health == ""
            second = await recorder.spool.create()
            assert await written(second) == 0
            await second.abandon()
            await first.abandon()
            third = await recorder.spool.create()
            await third.write(bytes(PIECE))
            assert (await third.commit()).size == PIECE


@as_root
async def test_a_full_disk_acknowledges_nothing_and_loses_nothing() -> None:
    """A refused delivery stays with the platform; with room again it is journalled, once."""
    with small_disk() as disk:
        async with recorder_on(disk) as recorder:
            recorder.say(0)
            await recorder.platform.idle.wait()
            ballast = fill(disk, leave=10 * LONG)
            recorder.say(*range(1, TEXTS))
            await until(lambda: recorder.capture.health != "")
            kept = len(await recorder.ids())
            cursor = await recorder.cursor()
            assert 0 < kept < TEXTS
            assert cursor == b"place %d" % kept
            assert recorder.platform.acknowledged == kept
            with pytest.raises(JournalUnavailableError):
                await recorder.journal.append(
                    samples.batch(samples.event("$more", raw=bytes(DISK)), cursor=cursor)
                )
            for _ in range(3):  # tried again and again, and refused each time
                asked = len(recorder.platform.asked)
                assert recorder.clock.advance_to_next()
                await until(lambda at=asked: len(recorder.platform.asked) > at)  # type: ignore[misc]
                await until(lambda: recorder.clock.next_wake is not None)
            assert recorder.platform.acknowledged == kept
            assert await recorder.cursor() == cursor
            ballast.unlink()
            assert recorder.clock.advance_to_next()
            await recorder.platform.idle.wait()
            expected = [f"${number}" for number in range(TEXTS)]
            assert Counter(await recorder.ids()) == Counter(expected)
            assert recorder.capture.health == ""
        assert is_whole(disk / "journal.db")


@as_root
async def test_a_journal_on_a_full_disk_is_refused_and_left_whole() -> None:
    """A start without any room ends with a named error; with room again all is there."""
    with small_disk() as disk:
        async with recorder_on(disk) as before:
            before.say(0, 1)
            await before.platform.idle.wait()
        ballast = fill(disk, leave=0)
        with pytest.raises(JournalUnavailableError):
            await opened(disk, FakeClock())
        ballast.unlink()
        assert is_whole(disk / "journal.db")
        journal = await opened(disk, FakeClock())
        try:
            assert [e.event.upstream_id for e in await journal.after(0, limit=9)] == ["$0", "$1"]
        finally:
            await journal.aclose()
