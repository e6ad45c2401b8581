"""The connector under the loop that records, with a journal and its register."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.capture import Capture
from bridge.model import Group, GroupState, NoticeState
from tests.fakes.crash import Crash, CrashingJournal
from tests.fakes.samples import BLIND_KEY, JOURNAL_KEY, group, seeded
from tests.patience import PATIENCE
from tests.servers.bot_api import Chat, FaultKind
from tests.unit.connectors.telegram.scene import Office, office


class Recorder:
    """A journal, and the process that fills it, as often as it is started."""

    def __init__(self, at: Office, journal: CrashingJournal) -> None:
        self._at = at
        self.journal = journal
        self.capture = Capture(connector=at.intake.connector, journal=self.journal, clock=at.clock)

    async def approve(self, room: Chat) -> None:
        """A person approved the group."""
        approved = group(
            str(room.id),
            state=GroupState.APPROVED,
            notice=NoticeState.DUE,
            presence=None,
            connector="office",
            platform="telegram",
        )
        assert await self.journal.set_group(approved, expect=None)
        self._at.intake.approve(str(room.id))

    def start(self) -> asyncio.Task[None]:
        """Another process."""
        self.capture = Capture(
            connector=self._at.intake.connector, journal=self.journal, clock=self._at.clock
        )
        return asyncio.create_task(self.capture.run())

    async def all_taken(self, task: asyncio.Task[None]) -> None:
        """Return when nothing waits at the platform, or the process died."""
        taken = asyncio.create_task(self._at.bot.updates.confirmed())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({task, taken}, return_when=asyncio.FIRST_COMPLETED)
        taken.cancel()

    async def registered(self, room: Chat) -> Group:
        """The group as the register has it."""
        return next(g for g in await self.journal.groups() if g.group_id == str(room.id))

    async def bodies(self) -> list[str | None]:
        """What was said, in the order of the journal."""
        entries = await self.journal.after(0, limit=1000)
        return [e.event.body for e in entries if str(e.event.kind) == "message"]


@asynccontextmanager
async def recording(at: Office, folder: Path) -> AsyncIterator[Recorder]:
    """A recorder with an empty journal on disk."""
    journal = await CrashingJournal.open(
        folder / "journal.db",
        key=JOURNAL_KEY,
        blind_key=BLIND_KEY,
        random_bytes=seeded(),
        clock=at.clock,
    )
    assert isinstance(journal, CrashingJournal)
    try:
        yield Recorder(at, journal)
    finally:
        await journal.aclose()


@pytest.fixture(name="recorder")
async def _recorder(at: Office, tmp_path: Path) -> AsyncIterator[Recorder]:
    async with recording(at, tmp_path) as made:
        yield made


async def ended(task: asyncio.Task[None]) -> None:
    """Kill a process."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_group_that_is_heard_is_active(at: Office, recorder: Recorder) -> None:
    """Added and approved, it is recorded; what was said stands in the journal in its order."""
    room = at.room()
    await recorder.approve(room)
    for n in range(3):
        at.clerk.say(room, f"message {n}")
    running = recorder.start()
    await recorder.all_taken(running)
    await ended(running)
    found = await recorder.registered(room)
    assert (found.state, found.note) == (GroupState.ACTIVE, "")
    assert await recorder.bodies() == [f"message {n}" for n in range(3)]


async def test_a_group_that_cannot_be_heard_is_never_active(tmp_path: Path) -> None:
    """With privacy mode on it is not recording, and the register says why."""
    async with office(privacy=True) as at, recording(at, tmp_path) as recorder:
        room = at.room()
        await recorder.approve(room)
        running = recorder.start()
        await recorder.all_taken(running)
        found = await recorder.registered(room)
        assert found.state is GroupState.NOT_RECORDING
        assert "privacy mode is on" in found.note
        at.clerk.promote(room, at.bot)
        await recorder.all_taken(running)
        await ended(running)
        assert (await recorder.registered(room)).state is GroupState.ACTIVE


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("point", ["before append", "after append"])
async def test_killed_around_a_commit(at: Office, recorder: Recorder, point: str, nth: int) -> None:
    """Wherever the process dies, every message is in the journal once, in order."""
    room = at.room()
    await recorder.approve(room)
    recorder.journal.crash = Crash(point, nth)
    running = recorder.start()
    for n in range(8):
        at.clerk.say(room, f"message {n}")
        await at.bot.updates.news()
        await asyncio.sleep(0)
    await recorder.all_taken(running)
    for _ in range(3):
        await ended(running)
        await at.intake.restart()
        running = recorder.start()
        await recorder.all_taken(running)
    await ended(running)
    assert await recorder.bodies() == [f"message {n}" for n in range(8)]


async def test_an_outage_of_the_platform(at: Office, recorder: Recorder) -> None:
    """After 5xx and 429 the loop goes on by itself and has everything."""
    room = at.room()
    await recorder.approve(room)
    for kind in (FaultKind.STATUS, FaultKind.FLOOD, FaultKind.DROPPED, FaultKind.INVALID_JSON):
        at.fault(kind, "getUpdates")
    at.clerk.say(room, "said meanwhile")
    running = recorder.start()
    await recorder.all_taken(running)
    await ended(running)
    assert await recorder.bodies() == ["said meanwhile"]
    assert recorder.capture.health == ""
