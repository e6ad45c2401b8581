"""Encrypted events are opened whenever their key comes, and what never opens is said once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConnectorUnavailableError
from bridge.lifecycle import EntryState
from bridge.model import Event, EventKind
from bridge.opening import AT_ONCE, Opening
from tests.contracts.journal.encrypted import REVIEW, shut
from tests.contracts.journal.subjects import Backing, MemoryBacking, SqliteBacking, Subject
from tests.fakes.clock import FakeClock
from tests.fakes.decrypter import NO_KEY, ScriptedDecrypter, key_message
from tests.fakes.samples import CONNECTOR, GROUP_ID, NOW, batch
from tests.unit.bridge.house import stopped, until

RECEIVED = EntryState.RECEIVED
DAY = timedelta(days=1).total_seconds()
TEN_MINUTES = 600.0


class Scene:
    """A journal, keys, and the loop between them. ``kill`` is what a new process finds."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.clock = subject.clock
        self.decrypter = ScriptedDecrypter()
        self._begin()

    def _begin(self) -> None:
        self.opening = Opening(
            connector=CONNECTOR,
            decrypter=self.decrypter,
            journal=self.subject.journal,
            clock=self.clock,
        )

    async def kill(self) -> None:
        """The next process has what was durable."""
        await self.subject.restart()
        self.decrypter = ScriptedDecrypter(self.decrypter)
        self._begin()

    async def bring(self, *events: Event, keys: tuple[str, ...] = ()) -> None:
        """One delivery."""
        messages = tuple(key_message(session) for session in keys)
        await self.subject.journal.append(replace(batch(*events), to_device=messages))

    async def work(self) -> None:
        """Go round until there is nothing to do."""
        while await self.opening.step():
            pass

    async def later(self, seconds: float) -> None:
        """Time goes by, and the loop finds out, with what it asks for elsewhere."""
        self.clock.advance(seconds)
        await self.work()
        for _ in range(3):
            await asyncio.sleep(0)
        await self.work()

    async def bodies(self) -> dict[str, str | None]:
        """What stands in every entry that may be judged, by name and revision."""
        entries = await self.subject.claimed(RECEIVED, limit=9999)
        self.subject.journal.release([entry.seq for entry in entries])
        return {
            each.event.upstream_id + (f"/{each.event.revision}" if each.event.revision else ""): (
                each.event.body
            )
            for each in entries
        }

    async def waiting(self, *, given_up: bool = False) -> dict[str, str]:
        """What is still encrypted, and why."""
        found = await self.subject.journal.unopened(CONNECTOR, given_up=given_up, limit=9999)
        return {each.event.upstream_id: each.why for each in found}

    async def messages(self) -> int:
        """How many messages to our device the journal holds."""
        return len(await self.subject.journal.to_device(CONNECTOR, after=0, limit=9999))


@pytest.fixture(params=["memory", "sqlite"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """One recorded group, over the journal in memory and the real one."""
    clock = FakeClock(waiting=True)
    backing: Backing
    if request.param == "memory":
        backing = MemoryBacking(clock)
    else:
        backing = await SqliteBacking.open(tmp_path / "journal.db", clock)
    subject = Subject(backing, clock)
    await subject.admit(GROUP_ID)
    yield Scene(subject)
    await subject.journal.aclose()


async def test_a_key_before_its_event(scene: Scene) -> None:
    """A message whose key is here is opened as soon as it is journalled."""
    await scene.bring(keys=("s1",))
    await scene.work()
    await scene.bring(shut())
    await scene.work()
    assert await scene.bodies() == {"$1": "clear $1"}


async def test_a_key_with_its_event(scene: Scene) -> None:
    """Of one delivery the keys are taken first, so its messages open in the same round."""
    await scene.bring(shut(), keys=("s1",))
    assert await scene.opening.step()
    assert await scene.bodies() == {"$1": "clear $1"}
    assert await scene.messages() == 0


async def test_a_key_after_its_event(scene: Scene) -> None:
    """A message waits with its reason, and opens in its place when the key comes."""
    await scene.bring(shut("$1"), shut("$2", session="s2"))
    await scene.work()
    assert await scene.waiting() == {"$1": NO_KEY, "$2": NO_KEY}
    await scene.bring(keys=("s2",))
    await scene.work()
    assert await scene.waiting() == {"$1": NO_KEY}
    assert await scene.bodies() == {"$1": None, "$2": "clear $2"}


async def test_a_key_after_storing(scene: Scene) -> None:
    """What was stored encrypted gets its content in a new entry, once."""
    await scene.subject.stored(of=shut())
    await scene.work()
    await scene.bring(keys=("s1",))
    await scene.work()
    await scene.kill()
    await scene.work()
    assert await scene.bodies() == {"$1/decrypted": "clear $1"}
    assert await scene.waiting(given_up=True) == {}


async def test_many_keys_and_messages(scene: Scene) -> None:
    """More keys than are taken at once open all that waits for them."""
    names = [f"s{i}" for i in range(3 * AT_ONCE)]
    await scene.bring(*(shut(f"${name}", session=name) for name in names))
    await scene.work()
    await scene.bring(keys=tuple(names))
    await scene.work()
    assert await scene.bodies() == {f"${name}": f"clear ${name}" for name in names}
    assert scene.decrypter.given == [key_message(name) for name in names]


async def test_three_thousand_wait(scene: Scene) -> None:
    """What waits is read, decrypted and written a slice at a time, and others have their turns."""
    await scene.bring(*(shut(f"${i}", session=f"s{i % 7}") for i in range(3000)))
    await scene.bring(keys=tuple(f"s{i}" for i in range(7)))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    await scene.work()
    await stopped(other)
    assert await scene.waiting() == {}
    assert max(scene.decrypter.asked) <= AT_ONCE
    assert turns > len(scene.decrypter.asked) >= 3000 // AT_ONCE


@pytest.mark.parametrize("taken", [False, True])
async def test_a_kill_around_taking(scene: Scene, *, taken: bool) -> None:
    """Killed before or after messages were taken, each is taken once, and then destroyed."""
    await scene.bring(shut(), keys=("s1", "s2"))
    messages = await scene.subject.journal.to_device(CONNECTOR, after=0, limit=9)
    if taken:
        await scene.decrypter.take(messages)
    await scene.kill()
    await scene.work()
    assert await scene.bodies() == {"$1": "clear $1"}
    assert scene.decrypter.given == [key_message("s1"), key_message("s2")]
    assert await scene.messages() == 0


async def test_a_kill_after_giving_up(scene: Scene) -> None:
    """A key that was taken just before a kill opens what was given up, too."""
    await scene.bring(shut())
    await scene.work()
    await scene.later(8 * DAY)
    assert await scene.waiting() == {}
    scene.decrypter.keys.add("s1")  # in a file, or taken just before
    await scene.kill()
    await scene.work()
    assert await scene.bodies() == {"$1": "clear $1"}


async def test_what_is_new_goes_first(scene: Scene) -> None:
    """However much was given up, a message that comes is opened before that is tried again."""
    await scene.bring(*(shut(f"$old{i}") for i in range(3 * AT_ONCE)))
    await scene.work()
    await scene.later(8 * DAY)
    scene.decrypter.keys.add("s1")
    await scene.kill()
    await scene.bring(shut("$new", session="s2"), keys=("s2",))
    assert await scene.opening.step()
    assert await scene.waiting() == {}
    assert len(await scene.waiting(given_up=True)) == 3 * AT_ONCE
    await scene.work()
    assert await scene.waiting(given_up=True) == {}


@pytest.mark.parametrize("before", [True, False])
async def test_a_lost_journal(scene: Scene, *, before: bool) -> None:
    """Keys that come to a new journal are taken, though the decrypter knows higher numbers."""
    scene.decrypter.number = 7
    if not before:
        await scene.work()
    await scene.bring(shut(), keys=("s1", "s2"))
    await scene.work()
    await scene.bring(shut("$2", session="s3"), keys=("s3",))
    await scene.work()
    assert scene.decrypter.given == [key_message(name) for name in ("s1", "s2", "s3")]
    assert await scene.bodies() == {"$1": "clear $1", "$2": "clear $2"}


async def test_a_restored_journal(scene: Scene) -> None:
    """Keys that wait in an older journal are taken, some of them again."""
    await scene.bring(keys=("s1", "s2"))
    await scene.subject.journal.to_device(CONNECTOR, after=0, limit=1)
    scene.decrypter.number = 2
    await scene.bring(shut(session="s3"), keys=("s3",))
    await scene.work()
    assert scene.decrypter.given == [key_message(name) for name in ("s1", "s2", "s3")]
    assert await scene.bodies() == {"$1": "clear $1"}


async def test_lost_keys(scene: Scene) -> None:
    """A new store of keys is given what still waits; what it lacks is asked for elsewhere."""
    await scene.bring(keys=("s1",))
    await scene.work()
    await scene.bring(shut(), keys=("s2",))
    scene.decrypter = ScriptedDecrypter()
    scene.decrypter.starts_over = True
    scene.decrypter.elsewhere = {"s1"}
    await scene.kill()
    scene.decrypter.starts_over = True
    await scene.work()
    assert scene.decrypter.given == [key_message("s2")]
    await scene.later(30)
    assert await scene.bodies() == {"$1": "clear $1"}


async def test_a_leased_entry_is_tried_again(scene: Scene) -> None:
    """What somebody has in hand when its key comes is opened once they are done with it."""
    (entry,) = await scene.subject.received(shut())
    await scene.work()
    await scene.subject.claimed(RECEIVED)
    await scene.bring(keys=("s1",))
    await scene.work()
    assert await scene.waiting() == {"$1": NO_KEY}
    await scene.subject.journal.judge([(entry.seq, REVIEW)])
    await scene.work()
    assert await scene.bodies() == {"$1/decrypted": "clear $1"}


async def test_keys_are_sought_ever_more_seldom(scene: Scene) -> None:
    """A key that does not come is asked for elsewhere, with growing pauses up to an hour."""
    await scene.bring(shut())
    await scene.work()
    times: list[int] = []
    for second in range(10, 12_000, 10):
        before = len(scene.decrypter.sought)
        await scene.later(10)
        if len(scene.decrypter.sought) > before:
            times.append(second)
    assert times == [30, 150, 630, 2550, 6150, 9750]
    assert set(scene.decrypter.sought) == {(GROUP_ID, "s1")}


async def test_a_new_key_is_sought_soon(scene: Scene) -> None:
    """However long others have been missing, a key that is newly missing has pauses of its own."""
    await scene.bring(shut())
    await scene.later(5000)
    await scene.later(5000)
    scene.decrypter.sought.clear()
    scene.decrypter.elsewhere = {"s2"}
    await scene.bring(shut("$2", session="s2"))
    await scene.work()
    await scene.later(30)
    assert scene.decrypter.sought == [(GROUP_ID, "s2")]
    assert await scene.bodies() == {"$1": None, "$2": "clear $2"}


async def test_seeking_holds_nothing_up(scene: Scene) -> None:
    """While keys are sought, what else comes is opened; keys are not sought twice at a time."""
    scene.decrypter.seek_gate.clear()
    scene.decrypter.elsewhere = {"s1"}
    await scene.bring(shut())
    await scene.work()
    await scene.later(30)
    await scene.later(500)
    await scene.bring(shut("$2", session="s2"), keys=("s2",))
    await scene.work()
    assert await scene.bodies() == {"$1": None, "$2": "clear $2"}
    scene.decrypter.seek_gate.set()
    await scene.later(1)
    assert await scene.bodies() == {"$1": "clear $1", "$2": "clear $2"}
    assert scene.decrypter.sought == [(GROUP_ID, "s1")]


async def test_seeking_fails(scene: Scene) -> None:
    """Where keys cannot be sought it is said until they were, and tried again soon."""
    scene.decrypter.elsewhere = {"s1"}
    scene.decrypter.seek_faults = [ConnectorUnavailableError("The backup is away.")] * 3
    await scene.bring(shut())
    await scene.work()
    for _ in range(3):
        await scene.later(30)
        assert scene.opening.health == "The backup is away."
    await scene.later(30)
    assert await scene.bodies() == {"$1": "clear $1"}
    await scene.work()
    assert scene.opening.health == ""


async def test_what_is_not_waited_for_is_not_sought(scene: Scene) -> None:
    """Once its events are given up, a key is not asked for any more."""
    await scene.bring(shut())
    await scene.work()
    await scene.later(30)
    await scene.later(8 * DAY)
    await scene.later(TEN_MINUTES)
    scene.decrypter.sought.clear()
    await scene.later(DAY)
    assert scene.decrypter.sought == []


async def test_given_up_once(scene: Scene) -> None:
    """A key that does not come in a week is one gap and one line, and still opens later."""
    await scene.bring(shut("$1"), shut("$2"), shut("$3", session="s3"))
    with capture_logs() as lines:
        await scene.work()
        await scene.later(7 * DAY)
        assert await scene.subject.journal.gaps(CONNECTOR, GROUP_ID) == ()
        await scene.later(TEN_MINUTES)
        await scene.later(TEN_MINUTES)
        await scene.kill()
        await scene.work()
        await scene.later(TEN_MINUTES)
    assert [line["count"] for line in lines if line["event"] == "undecryptable"] == [3]
    gaps = await scene.subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert [(gap.why, gap.detail) for gap in gaps] == [("undecryptable", NO_KEY)] * 3
    await scene.bring(keys=("s3",))
    await scene.work()
    assert await scene.bodies() == {"$1": None, "$2": None, "$3": "clear $3"}


async def test_nothing_is_given_up_whose_key_is_here(scene: Scene) -> None:
    """After a week away, all keys that came are tried before anything counts as lost."""
    names = [f"s{i}" for i in range(3 * AT_ONCE)]
    await scene.bring(*(shut(f"${name}", session=name) for name in names))
    await scene.bring(keys=tuple(names))
    scene.clock.advance(8 * DAY)
    await scene.work()
    assert await scene.subject.journal.gaps(CONNECTOR, GROUP_ID) == ()
    assert await scene.waiting() == {}


async def test_a_group_that_is_recorded_again(scene: Scene) -> None:
    """Content without a place is tried again every ten minutes, and is told of when it has one."""
    await scene.subject.stored(of=shut())
    await scene.work()
    await scene.subject.journal.close_stream(await scene.subject.group(), at=NOW)
    await scene.bring(keys=("s1",))
    with capture_logs() as lines:
        await scene.work()
        await scene.later(TEN_MINUTES)
        await scene.later(TEN_MINUTES)
        assert lines == []
        await scene.bring(replace(shut("$2"), kind=EventKind.MESSAGE, crypto=None))
        await scene.later(TEN_MINUTES)
        await scene.later(TEN_MINUTES)
    assert [(line["event"], line["count"]) for line in lines] == [("decrypted", 1)]
    assert (await scene.bodies())["$1/decrypted"] == "clear $1"


async def test_keys_that_cannot_be_read(scene: Scene) -> None:
    """While the decrypter fails, it is said and tried again; then all is opened."""
    scene.decrypter.fail_next = True
    scene.decrypter.open_faults = [ConnectorUnavailableError("The keys cannot be read.")] * 2
    await scene.bring(shut(), keys=("s1",))
    running = asyncio.create_task(scene.opening.run())
    found = []
    for _ in range(3):
        await until(lambda: scene.clock.next_wake is not None)
        found.append(scene.opening.health)
        scene.clock.advance_to_next()
        await asyncio.sleep(0)
    await until(lambda: scene.opening.health == "")
    await stopped(running)
    assert found == ["The store of keys cannot be written.", *["The keys cannot be read."] * 2]
    assert await scene.bodies() == {"$1": "clear $1"}
    assert scene.decrypter.given == [key_message("s1")]


async def test_a_wake_ends_the_wait(scene: Scene) -> None:
    """What is journalled while nothing was to do is opened at once; a stop ends a search too."""
    scene.decrypter.seek_gate.clear()
    await scene.bring(shut("$0", session="s0"))
    await scene.work()
    scene.clock.advance(30)
    running = asyncio.create_task(scene.opening.run())
    await until(lambda: scene.decrypter.sought != [])
    await scene.bring(shut(), keys=("s1",))
    scene.opening.wake()
    await until(lambda: len(scene.decrypter.asked) > 1)
    await stopped(running)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "seek keys"] == []
