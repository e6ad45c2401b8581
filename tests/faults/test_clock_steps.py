"""The machine's clock is set back or forward by a day, at any point of the recorder's work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.downloads import FIRST_PAUSE as FIRST_DOWNLOAD_PAUSE
from bridge.errors import ConnectorUnavailableError
from bridge.interruption import POLL_SECONDS
from bridge.lifecycle import EntryState
from bridge.model import Outcome, Relation, RelationType
from bridge.writer import LONGEST_PAUSE
from tests.fakes import samples
from tests.fakes.clock import FakeClock
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash
from tests.faults.test_every_step import (
    ANSWER,
    BANTER,
    DOUBTED,
    PICTURE,
    PLAN,
    POINTS,
    QUESTION,
    _nothing_is_amiss,
)
from tests.unit.bridge.house import House

DAY = timedelta(days=1)
STEPS = pytest.mark.parametrize("step", [-DAY, DAY], ids=["back", "forward"])
SENT = "$sent"


def converse(house: House) -> None:
    """The conversation in which every point is passed."""
    house.says(QUESTION, Outcome.DISCARD)
    house.says(BANTER, Outcome.DISCARD)
    house.says(ANSWER, Outcome.CAPTURE, QUESTION)
    house.says(DOUBTED, Outcome.REVIEW)
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF", b"-1.7"))
    house.connector.deliver(samples.event(QUESTION), samples.event(BANTER))
    house.connector.deliver(
        samples.event(PICTURE, attachments=[PLAN]),
        samples.event(ANSWER, relates_to=Relation(type=RelationType.REPLY, upstream_id=QUESTION)),
        samples.event(DOUBTED),
    )


class Step(Crash):
    """The clock is set at a point, and the process goes on."""

    def __init__(self, clock: FakeClock, step: timedelta, point: str) -> None:
        super().__init__(point)
        self._clock, self._step = clock, step

    def strike(self, point: str) -> None:
        """As an operator or a time server does it."""
        self._clock.set_wall(self._clock.now() + self._step)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder in one group."""
    made = House(tmp_path)
    await made.open()
    await made.admit()
    yield made
    await made.close()


def set_clock(house: House, step: timedelta) -> None:
    """Set it now."""
    house.clock.set_wall(house.clock.now() + step)


async def in_order(house: House) -> None:
    """No period in the log is negative, and no leaf lies about when it was written."""
    for leaf in await house.leaves("gap"):
        since, until = leaf.get("from"), leaf.get("to")
        if isinstance(since, str) and isinstance(until, str):
            assert datetime.fromisoformat(since) <= datetime.fromisoformat(until)
    for leaf in await house.leaves("late"):
        assert isinstance(leaf["ms"], int)
        assert leaf["ms"] > 0


@STEPS
@pytest.mark.parametrize("point", POINTS)
async def test_a_step_at_any_point_costs_nothing(house: House, point: str, step: timedelta) -> None:
    """Everything is kept, once, without a pause, and no message without a timer is late."""
    converse(house)
    struck = Step(house.clock, step, point)
    house.die_at(struck)
    await house.listen()
    slept = sum(house.clock.slept)
    await house.settle()
    await house.publisher.round()
    assert struck.happened
    await _nothing_is_amiss(house)
    assert sum(house.clock.slept) == slept
    assert await house.leaves("late") == []
    assert await house.leaves("gap") == []


@STEPS
async def test_a_pause_of_the_store_outlasts_no_step(house: House, step: timedelta) -> None:
    """Put off before the step, a record is stored within the longest pause after it."""
    await house.hear(samples.event(SENT, timer=30.0))
    house.store.down = True
    await house.settle()
    assert (await house.states())[SENT] is EntryState.SEALED
    house.store.down = False
    set_clock(house, step)
    house.clock.advance(LONGEST_PAUSE.total_seconds())
    await house.settle()
    assert (await house.states())[SENT] is EntryState.STORED
    await in_order(house)


@STEPS
async def test_an_attachment_is_fetched_after_a_step(house: House, step: timedelta) -> None:
    """An order that was put off is due within its pause, and the file is stored."""
    house.connector.files[PLAN.url] = ConnectorUnavailableError("away")
    await house.hear(samples.event(SENT, attachments=[PLAN]))
    await house.downloads.step()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF", b"-1.7"))
    set_clock(house, step)
    house.clock.advance(FIRST_DOWNLOAD_PAUSE.total_seconds())
    await house.settle()
    assert set((await house.states()).values()) == {EntryState.STORED}
    media = [held.data for key, held in house.store.objects.items() if "/media/" in key]
    assert media == [b"%PDF-1.7"]


@STEPS
async def test_a_record_waits_no_longer_for_its_media(house: House, step: timedelta) -> None:
    """An attachment that never comes does not hold up its record for the length of the step."""
    house.connector.files[PLAN.url] = ConnectorUnavailableError("away")
    (entry,) = await house.hear(samples.event(SENT, attachments=[PLAN]))
    await house.triage.step()
    left = (entry.safe_by - house.clock.now()) / 2
    set_clock(house, step)
    house.clock.advance(left.total_seconds())
    await house.triage.step()
    await house.writer.step()
    assert (await house.states())[SENT] is EntryState.STORED


@STEPS
async def test_a_silence_is_as_long_as_it_was(house: House, step: timedelta) -> None:
    """Within a process a step makes no interruption, and does not lengthen one."""
    await house.hear(samples.event(SENT))
    house.connector.faults = [ConnectorUnavailableError("away", retry_after=600.0)]
    set_clock(house, step)
    await house.hear(samples.event("$later"))
    (gap,) = await house.leaves("gap")
    since = datetime.fromisoformat(str(gap["from"]))
    until = datetime.fromisoformat(str(gap["to"]))
    assert timedelta(seconds=600) <= until - since <= timedelta(seconds=600 + POLL_SECONDS)


@STEPS
async def test_a_step_between_two_processes_leaves_no_negative_period(
    house: House, step: timedelta
) -> None:
    """What was said while the recorder was down is kept; its gap ends after it began."""
    await house.hear(samples.event(SENT))
    await house.settle()
    set_clock(house, step)
    await house.restart()
    house.later(minutes=5)
    await house.hear(samples.event("$later"))
    await house.settle()
    assert await house.states() == {SENT: EntryState.STORED, "$later": EntryState.STORED}
    await in_order(house)
