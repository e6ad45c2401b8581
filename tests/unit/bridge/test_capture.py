"""Receive, journal, acknowledge: in that order, whatever the platform or the disk does."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from bridge.capture import LONGEST_PAUSE
from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.model import Cursor, Presence
from tests.fakes import samples
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
