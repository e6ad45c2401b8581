"""The process dies around each effect of opening, and the next one opens all that has a key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import MunimentError
from bridge.lifecycle import EntryState
from bridge.model import EventKind
from bridge.opening import Opening
from tests.contracts.journal.encrypted import shut
from tests.fakes import samples
from tests.fakes.crash import Crash, CrashingDecrypter, Failure
from tests.fakes.decrypter import NO_KEY, key_message
from tests.unit.bridge.house import House

AT_ONCE, SOON, LATE, NEVER = "$at_once", "$soon", "$late", "$never"
EFFECTS = ("resume", "take", "drop", "decrypted", "not_opened", "give_up")
POINTS = [*(f"{side} {effect}" for effect in EFFECTS for side in ("before", "after")), "after give"]


class EncryptedHouse(House):
    """A recorder of an encrypted group. The store of keys outlives its process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.decrypter = CrashingDecrypter()

    async def open(self) -> None:
        """Begin a process's life."""
        await super().open()
        self.decrypter = CrashingDecrypter(self.decrypter)
        self.opening = Opening(
            connector="matrix",
            decrypter=self.decrypter,
            journal=self.journal,
            clock=self.clock,
            give_up_after=timedelta(minutes=30),
        )

    def die_at(self, crash: Crash) -> None:
        """This process is to die at a point."""
        super().die_at(crash)
        self.decrypter.crash = crash

    async def bring(self, *names: str, keys: tuple[str, ...] = ()) -> None:
        """A delivery, which every life of the process gets again."""
        events = tuple(shut(name, session=name) for name in names)
        messages = tuple(key_message(name) for name in keys)
        await self.journal.append(replace(samples.batch(*events), to_device=messages))

    async def unlock(self) -> None:
        """Take keys and open until there is nothing left to do."""
        while await self.opening.step():
            pass

    async def live(self) -> None:
        """Messages whose keys come with them, soon, after they were stored, and never."""
        await self.bring(AT_ONCE, SOON, LATE, NEVER, keys=(AT_ONCE,))
        await self.unlock()
        await self.bring(keys=(SOON,))
        await self.unlock()
        self.later(seconds=31)
        await self.settle()
        await self.bring(keys=(LATE,))
        await self.unlock()
        await self.settle()
        self.later(minutes=31)
        await self.unlock()
        await self.settle()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[EncryptedHouse]:
    """A recorder that was just started."""
    made = EncryptedHouse(tmp_path)
    await made.open()
    await made.admit()
    yield made
    await made.close()


async def _nothing_is_amiss(house: EncryptedHouse) -> None:
    """Each content once, in the store, under a number of its own; a gap for what has no key."""
    entries = await house.entries()
    assert {entry.state for entry in entries} == {EntryState.STORED}
    assert sorted(entry.n for entry in entries) == list(range(len(entries)))
    bodies = Counter(each.event.body for each in entries)
    clear = {f"clear {name}": 1 for name in (AT_ONCE, SOON, LATE)}
    assert bodies == clear | {None: len(entries) - len(clear)}
    late = [each.event.upstream_id for each in entries if each.event.revision == "decrypted"]
    assert LATE in late
    firsts = [each for each in entries if each.event.revision is None]
    assert sorted(each.event.upstream_id for each in firsts) == sorted([AT_ONCE, SOON, LATE, NEVER])
    (never,) = [each for each in entries if each.event.upstream_id == NEVER]
    assert never.event.kind is EventKind.ENCRYPTED
    gaps = await house.journal.gaps("matrix", samples.GROUP_ID)
    assert [(gap.why, gap.detail) for gap in gaps] == [("undecryptable", NO_KEY)]
    assert [leaf["after"] for leaf in await house.leaves("gap")] == [never.n]
    stored = house.objects("records") | house.objects("review")
    assert stored == {each.record.key: each.record.body for each in entries if each.record}
    assert house.decrypter.given == [key_message(name) for name in (AT_ONCE, SOON, LATE)]
    left = await house.journal.to_device("matrix", after=0, limit=9)
    assert left == ()
    waiting = await house.journal.unopened("matrix", given_up=True, limit=9)
    assert [each.event.upstream_id for each in waiting] == [NEVER]


async def test_a_life_without_a_crash_reaches_every_point(house: EncryptedHouse) -> None:
    """The messages pass each point at which the other tests let the process die."""
    crash = Crash()
    house.die_at(crash)
    await house.live()
    await _nothing_is_amiss(house)
    assert set(POINTS) <= set(crash.reached)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
async def test_the_next_process_opens_the_rest(house: EncryptedHouse, point: str, nth: int) -> None:
    """Whatever point the process dies at, the next one leaves each content once."""
    crash = Crash(point, nth)
    house.die_at(crash)
    try:
        await house.live()
    except asyncio.CancelledError:
        assert crash.happened
    await house.restart()
    await house.live()
    await _nothing_is_amiss(house)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
async def test_what_fails_or_happened_unheard_is_done_again(
    house: EncryptedHouse, point: str, nth: int
) -> None:
    """An effect that fails, or happens and says so to nobody, leaves each content once."""
    failure = Failure(point, nth)
    house.die_at(failure)
    for _ in range(3):
        with suppress(MunimentError):  # the loop says so and goes on
            await house.live()
    assert failure.happened or failure.reached[point] < nth
    await _nothing_is_amiss(house)
