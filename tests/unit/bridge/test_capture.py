"""Receive, journal, acknowledge: in that order, whatever the platform or the disk does."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from bridge.capture import LONGEST_PAUSE
from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.interruption import PATIENCE_SECONDS
from bridge.model import Cursor, GroupState, Presence, Timer
from tests.fakes import samples
from tests.fakes.clock import START
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, stopped, until


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded."""
    await house.admit()
    return house


async def test_a_delivery_is_acknowledged_only_after_its_commit(house: House) -> None:
    """Each receive asks with the cursor of the batch that was committed before it."""
    house.connector.deliver(samples.event("$1"), samples.event("$2"))
    house.connector.deliver(samples.event("$3"))
    await house.listen()
    assert house.connector.asked == [None, Cursor(b"place 1"), Cursor(b"place 2")]
    assert house.connector.acknowledged == 2
    assert [entry.event.upstream_id for entry in await house.entries()] == ["$1", "$2", "$3"]
    assert [entry.n for entry in await house.entries()] == [0, 1, 2]


@pytest.mark.parametrize("point", ["before append", "after append"])
async def test_a_crash_around_the_commit_loses_and_doubles_nothing(
    house: House, point: str
) -> None:
    """Dying before the commit brings the delivery again; dying after it does not."""
    house.connector.deliver(samples.event("$1"))
    house.connector.deliver(samples.event("$2"))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.capture.run()
    assert house.connector.acknowledged == 0
    await house.restart()
    await house.listen()
    assert [(e.n, e.event.upstream_id) for e in await house.entries()] == [(0, "$1"), (1, "$2")]
    assert house.connector.acknowledged == 2


async def test_a_new_process_goes_on_from_the_committed_cursor(house: House) -> None:
    """After a restart nothing is asked for that was acknowledged before."""
    await house.hear(samples.event("$1"))
    await house.restart()
    await house.hear(samples.event("$2"))
    assert house.connector.asked[-2:] == [Cursor(b"place 1"), Cursor(b"place 2")]
    assert [entry.n for entry in await house.entries()] == [0, 1]


async def test_what_is_redelivered_changes_nothing(house: House) -> None:
    """The same event in a later delivery keeps its first number and makes no second entry."""
    await house.hear(samples.event("$1"), samples.event("$1"))
    entries = await house.hear(samples.event("$1"), samples.event("$2"))
    assert [(e.n, e.event.upstream_id) for e in entries] == [(0, "$1"), (1, "$2")]


async def test_a_platform_that_does_not_answer_is_asked_again(house: House) -> None:
    """Pauses grow to a bound and begin anew after a success; health says what is wrong."""
    house.connector.faults = [ConnectorUnavailableError("no answer") for _ in range(10)]
    seen: list[str] = []
    house.capture.on_batch = lambda: seen.append(house.capture.health)
    await house.hear(samples.event())
    assert house.clock.slept == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert max(house.clock.slept) <= LONGEST_PAUSE
    assert seen == [""]
    assert set(house.connector.asked[:11]) == {None}
    house.connector.faults = [ConnectorUnavailableError("again")]
    await house.hear(samples.event("$2"))
    assert house.clock.slept[10:] == [0.5]


async def test_the_platform_may_say_how_long_to_wait(house: House) -> None:
    """A wait that the platform asks for is kept to, up to an hour."""
    house.connector.faults = [
        ConnectorUnavailableError("slow down", retry_after=seconds) for seconds in (7.5, 0.0, 1e9)
    ]
    await house.hear(samples.event())
    assert house.clock.slept == [7.5, 0.5, 3600]


async def test_a_refusal_signs_in_again(house: House) -> None:
    """After a 401 the account signs in again, and what waits is received then."""
    house.connector.faults = [ConnectorRejectedError("token unknown", code="M_UNKNOWN_TOKEN")]
    house.connector.start_faults = [ConnectorUnavailableError("not yet")]
    await house.hear(samples.event())
    assert house.connector.starts == 3
    assert len(await house.entries()) == 1
    assert house.capture.health == ""


async def test_any_other_trouble_of_a_connector_is_waited_out(house: House) -> None:
    """An error that only says it came from the platform does not end the loop."""
    house.connector.faults = [ConnectorError("strange")]
    await house.hear(samples.event())
    assert len(await house.entries()) == 1


async def test_a_response_that_cannot_be_split_is_kept_once(house: House) -> None:
    """The same unreadable response is kept once, the cursor stays, and the loop asks again."""
    fault = EnvelopeError("not JSON", body=b'{"rooms":')
    house.connector.faults = [fault, fault, EnvelopeError("not JSON", body=b"<html>")]
    await house.hear(samples.event())
    assert house.connector.asked[:4] == [None] * 4
    assert (await house.journal.tally(now=house.clock.now())).unsplit == 2
    assert len(await house.entries()) == 1


async def test_health_says_that_a_response_cannot_be_read(house: House) -> None:
    """While nothing but unreadable responses come, health names that."""
    house.connector.faults = [EnvelopeError("cannot be split", body=b"x")]
    running = house.start(house.capture.run)
    await house.connector.idle.wait()
    assert house.capture.health == "cannot be split"
    await stopped(running)


async def test_a_disk_that_is_full_stops_acknowledging(house: House) -> None:
    """A batch that cannot be journalled is not acknowledged, and is received again later."""
    house.connector.deliver(samples.event("$1"))
    # A lock on the journal from outside, which SQLite reports as it reports a full disk.
    await house.journal._writer.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(house.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    running = house.start(house.capture.run)
    await until(lambda: len(house.clock.slept) >= 3)
    assert house.connector.acknowledged == 0
    assert "locked" in house.capture.health
    other.execute("ROLLBACK")
    other.close()
    await house.connector.idle.wait()
    await stopped(running)
    assert house.connector.acknowledged == 1
    assert len(await house.entries()) == 1


async def test_sightings_losses_and_counts_come_with_the_batch(house: House) -> None:
    """A batch without events still moves the cursor with what it tells."""
    house.connector.approve(frozenset({samples.GROUP_ID}))
    house.connector.deliver(
        samples.event("$x", group_id="!other:example.org"),
        losses=[samples.loss("limited_timeline")],
        sightings=[samples.sighting(Presence.INVITED, group_id="!new:example.org")],
    )
    await house.listen()
    tally = await house.journal.tally(now=house.clock.now())
    assert tally.unlisted == 1
    assert [why for why, _, _ in await house.gaps()] == ["limited_timeline"]
    assert (await house.group("!new:example.org")).presence is Presence.INVITED
    assert house.connector.acknowledged == 1


async def test_a_cancelled_receive_acknowledges_nothing(house: House) -> None:
    """Stopping while the platform is silent ends the loop and leaves the cursor."""
    await house.hear(samples.event("$1"))
    running = house.start(house.capture.run)
    await house.connector.idle.wait()
    await stopped(running)
    assert await house.journal.cursor("matrix") == Cursor(b"place 1")


# Silences


def _interrupted(gaps: list[tuple[object, object, object]]) -> list[tuple[object, object]]:
    return [(since, until) for why, since, until in gaps if why == "interrupted"]


async def _texts(house: House) -> list[str]:
    return [saying.text for saying in await house.journal.sayings(limit=99)]


async def test_what_no_answer_led_to_is_not_hearing(house: House) -> None:
    """A receive that was given up, or waited for its turn, ends no silence and writes nothing."""
    await house.hear(samples.event("$1"))
    house.later(seconds=30)
    house.connector.deliver(answered=False)
    await house.listen()
    assert await house.journal.last_heard("matrix") == START
    received = house.capture.received
    house.connector.faults = [ConnectorUnavailableError("away") for _ in range(7)]
    house.connector.deliver(answered=False)
    await house.listen()
    assert (house.capture.health, house.capture.received) == ("away", received)
    assert await house.gaps() == []
    await house.hear(samples.event("$2"))
    assert house.capture.health == ""
    ((since, _),) = _interrupted(await house.gaps())
    assert since == "2026-03-01T09:00:00.000Z"
    assert await house.journal.last_heard("matrix") == house.clock.now()


async def test_the_platform_was_heard_when_a_delivery_is_durable(house: House) -> None:
    """The moment is written at once at the first delivery, then at most every fifteen seconds."""
    assert await house.journal.last_heard("matrix") is None
    await house.hear(samples.event("$1"))
    assert await house.journal.last_heard("matrix") == START
    house.later(seconds=14)
    await house.hear(samples.event("$2"))
    assert await house.journal.last_heard("matrix") == START
    house.later(seconds=1)
    await house.hear(samples.event("$3"))
    assert await house.journal.last_heard("matrix") == house.clock.now()
    assert await house.gaps() == []


async def test_a_crash_for_long_enough_is_an_interruption(house: House) -> None:
    """After a restart the groups are told of the time since the moment in the journal, once."""
    await house.hear(samples.event("$1"))
    await house.restart()
    house.later(minutes=39)
    for upstream_id in ("$2", "$3"):
        await house.hear(samples.event(upstream_id))
    period = ("2026-03-01T09:00:00.000Z", "2026-03-01T09:39:00.000Z")
    assert _interrupted(await house.gaps()) == [period]
    (text,) = await _texts(house)
    assert "between 09:00 UTC on 1 March 2026 and 09:39 UTC on 1 March 2026" in text
    await house.restart()
    await house.hear(samples.event("$4"))
    assert _interrupted(await house.gaps()) == [period]


async def test_a_short_restart_is_silent(house: House) -> None:
    """What was heard up to the end is written then: a stop of some seconds is told nobody."""
    await house.hear(samples.event("$1"))
    house.later(seconds=30)  # an idle poll
    await house.capture.leave()
    assert await house.journal.last_heard("matrix") == house.clock.now()
    await house.restart()
    house.later(seconds=50)
    await house.hear(samples.event("$2"))
    assert await house.gaps() == []
    assert await _texts(house) == []


async def test_leaving_before_anything_was_heard_writes_nothing(house: House) -> None:
    """A process that never heard the platform has no moment to write."""
    await house.capture.leave()
    assert await house.journal.last_heard("matrix") is None


async def test_leaving_never_fails(house: House) -> None:
    """A journal that cannot be written does not hinder the stop."""
    await house.hear(samples.event("$1"))
    await house.journal._writer.execute("PRAGMA query_only = ON")
    await house.capture.leave()
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    assert await house.journal.last_heard("matrix") == START


@pytest.mark.parametrize(
    ("failures", "told"),
    [(6, False), (7, True)],  # 0.5 + 1 + 2 + 4 + 8 + 16 = 31.5 s of waiting, then 32 s more
)
async def test_an_outage_is_an_interruption_from_its_first_failure(
    house: House, failures: int, *, told: bool
) -> None:
    """Failures that are over within the limit are none; the idle time before them never counts."""
    await house.hear(samples.event("$1"))
    house.later(seconds=25)
    house.connector.faults = [ConnectorUnavailableError("away") for _ in range(failures)]
    await house.hear(samples.event("$2"))
    assert bool(_interrupted(await house.gaps())) is told
    assert bool(await _texts(house)) is told


async def test_a_machine_that_slept_is_an_interruption(house: House) -> None:
    """Its clock went on and no answer came, though the one it slept over came in the end."""
    await house.hear(samples.event("$1"))
    running = house.start(house.capture.run)
    await until(lambda: len(house.connector.asked) == 3)
    house.later(hours=8)
    house.connector.deliver(samples.event("$2"))
    await house.connector.idle.wait()
    await stopped(running)
    period = ("2026-03-01T09:00:00.000Z", "2026-03-01T17:00:00.000Z")
    assert _interrupted(await house.gaps()) == [period]
    assert len(await _texts(house)) == 1


async def test_a_journal_that_refuses_is_a_silence_too(house: House) -> None:
    """A disk that is full for minutes interrupts recording, although the platform answers."""
    await house.hear(samples.event("$1"))
    house.connector.deliver(samples.event("$2"))
    await house.journal._writer.execute("PRAGMA query_only = ON")
    running = house.start(house.capture.run)
    await until(lambda: sum(house.clock.slept) > 60)
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await house.connector.idle.wait()
    await stopped(running)
    ((since, _),) = _interrupted(await house.gaps())
    assert since == "2026-03-01T09:00:00.000Z"
    assert len(await _texts(house)) == 1


@pytest.mark.parametrize("timer", [4.0, 3600.0])
async def test_a_short_timer_makes_a_short_silence_an_interruption(
    house: House, timer: float
) -> None:
    """The group's own timer is the limit where it is less; five seconds are the least."""
    before = await house.group()
    quick = replace(before, timer=Timer(seconds=timer, basis="sample"))
    assert await house.journal.set_group(quick, expect=before)
    await house.hear(samples.event("$1"))
    house.connector.faults = [ConnectorUnavailableError("away") for _ in range(4)]
    await house.hear(samples.event("$2"))
    assert len(_interrupted(await house.gaps())) == (timer < 60)


async def test_groups_that_were_not_recorded_are_not_told(house: House) -> None:
    """Paused groups, and one that is joined by the delivery which ends the silence."""
    await house.move(GroupState.PAUSED)
    await house.admit(samples.group("!new", state=GroupState.APPROVED, presence=None))
    await house.admit(samples.group("!old"))
    await house.hear(samples.event("$1", group_id="!old"))
    await house.restart()
    house.later(hours=1)
    house.connector.deliver(sightings=[samples.sighting(group_id="!new")])
    await house.listen()
    assert (await house.group("!new")).state is GroupState.ACTIVE
    assert [saying.group_id for saying in await house.journal.sayings(limit=9)] == ["!old"]
    assert len(_interrupted(await house.gaps())) == 1


@pytest.mark.parametrize("point", ["before heard", "after heard"])
async def test_a_crash_around_the_gap_of_a_silence_loses_and_doubles_nothing(
    house: House, point: str
) -> None:
    """Dying before it is written finds the silence again; dying after it does not."""
    await house.hear(samples.event("$1"))
    await house.restart()
    house.later(minutes=5)
    house.connector.deliver(samples.event("$2"))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.capture.run()
    await house.restart()
    house.later(minutes=5)
    await house.hear(samples.event("$3"))
    began = ["2026-03-01T09:00:00.000Z", "2026-03-01T09:05:00.000Z"]
    assert [since for since, _ in _interrupted(await house.gaps())] == (
        began if point == "after heard" else began[:1]
    )
    assert len(await house.entries()) == 3


async def test_a_loop_that_fails_is_a_silence_until_it_runs_again(house: House) -> None:
    """What is no trouble of a platform ends the loop; the time until its next start counts."""
    await house.hear(samples.event("$1"))
    house.connector.deliver(samples.event("$2"))
    fails = True

    def on_batch() -> None:
        if fails:
            raise RuntimeError("misused")

    house.capture.on_batch = on_batch
    with pytest.raises(RuntimeError, match="misused"):
        await house.capture.run()
    fails = False
    house.later(minutes=2)
    await house.hear(samples.event("$3"))
    assert len(_interrupted(await house.gaps())) == 1


async def test_a_receive_that_hangs_is_overdue_and_a_pause_is_not(house: House) -> None:
    """A platform that is away keeps the loop turning; one that never answers nor fails does not."""
    await house.listen()
    house.later(seconds=PATIENCE_SECONDS)
    assert house.capture.turns.overdue == 0
    house.later(seconds=5)
    assert house.capture.turns.overdue == 5
    house.connector.faults = [ConnectorUnavailableError("away", retry_after=3600)]
    running = house.start(house.capture.run)
    await until(lambda: 3600 in house.clock.slept)
    assert house.capture.turns.overdue == 0
    await stopped(running)
