"""While one answer cannot be split, only the bad group stands still."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise

import pytest

from bridge.errors import (
    EnvelopeError,
)
from bridge.model import Event, EventKind
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import (
    RECORDER,
    FakeHomeserver,
    Fault,
    Reply,
)
from tests.fakes.intake import Intake
from tests.faults.matrix.scenes import HTML, TOO_LARGE, TRUNCATED, persist, recorded, since


def parts(query: Mapping[str, str]) -> list[str] | None:
    """The rooms that a sync asks for alone; None: the whole stream, []: all others."""
    room = json.loads(query["filter"])["room"]
    if "not_rooms" in room:
        return []
    rooms: list[str] | None = room.get("rooms")
    return rooms


def spoil(server: FakeHomeserver, room: str, reply: Reply) -> Fault:
    """Every answer that holds something of a room is bad."""
    fault = Fault(
        path="/sync", reply=reply, times=None, query=lambda query: parts(query) in (None, [room])
    )
    server.faults.append(fault)
    return fault


@pytest.mark.parametrize(
    "reply", [HTML, TRUNCATED, TOO_LARGE], ids=["HTML", "truncated", "too large"]
)
async def test_only_the_bad_group_stands_still(
    server: FakeHomeserver, intake: Intake, reply: Reply
) -> None:
    """The others go on; the bad one follows with a gap; then one token again, nothing missing."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    said = {good: [server.world.say(good, "one")], bad: [server.world.say(bad, "one")]}
    fault = spoil(server, bad, reply)
    with pytest.raises(EnvelopeError):
        await intake.take()
    for n in range(3):
        said[good].append(server.world.say(good, f"more {n}"))
        said[bad].append(server.world.say(bad, f"more {n}"))
        errors = await persist(intake, 6)
        assert {type(error) for error in errors} <= {EnvelopeError}
        assert set(said[good]) <= intake.ids(good)
        assert intake.ids(bad).isdisjoint(said[bad])
    assert intake.losses == []
    fault.times = 0
    await intake.until(lambda: since(intake) is not None)
    assert set(said[bad]) <= intake.ids(bad)
    assert [(loss.group_id, loss.why) for loss in intake.losses] == [(bad, "response_unreadable")]
    later = {room: server.world.say(room, "afterwards") for room in (good, bad)}
    server.seen.clear()
    await intake.until(lambda: all(later[room] in intake.ids(room) for room in later))
    assert {str(parts(seen.query)) for seen in server.asked("/sync")} == {"None"}
    assert in_order(intake.of(bad, EventKind.MESSAGE))


def in_order(events: list[Event]) -> bool:
    """Whether events came in the order they were sent."""
    times = [event.sent_at for event in events]
    return times == sorted(time for time in times if time is not None)


async def test_a_moment_of_html_costs_nothing(server: FakeHomeserver, intake: Intake) -> None:
    """A portal that stood before the server for one answer leaves no gap."""
    rooms = await recorded(server, intake, "A", "B", "C")
    said = {room: server.world.say(room, "said") for room in rooms}
    server.answer("/sync", HTML)
    with pytest.raises(EnvelopeError):
        await intake.take()
    await intake.until(lambda: all(said[room] in intake.ids(room) for room in rooms))
    await intake.until(lambda: since(intake) is not None)
    assert intake.losses == []


async def test_tries_of_a_bad_group_grow_rare(
    server: FakeHomeserver, intake: Intake, clock: FakeClock
) -> None:
    """The connector paces itself: the pauses double, and nobody else waits for them."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    spoil(server, bad, HTML)
    server.world.say(bad, "said")
    tries: list[float] = []
    while len(tries) < 6:
        if await persist(intake, 1):
            tries.append(clock.monotonic())
        server.world.say(good, "meanwhile")
    pauses = [later - earlier for earlier, later in pairwise(tries[1:])]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 16.0


async def test_a_restart_while_a_group_stands_still(server: FakeHomeserver, intake: Intake) -> None:
    """The tokens of the parts are in the cursor: a new process goes on with them."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    fault = spoil(server, bad, HTML)
    said = {room: server.world.say(room, "said") for room in (good, bad)}
    await persist(intake, 6)
    assert said[good] in intake.ids(good)
    await intake.restart()
    await persist(intake, 6)
    more = {room: server.world.say(room, "more") for room in (good, bad)}
    fault.times = 0
    await intake.until(lambda: since(intake) is not None)
    await intake.until(lambda: {said[bad], more[bad]} <= intake.ids(bad))
    await intake.until(lambda: more[good] in intake.ids(good))


async def test_much_while_a_group_stood_still(server: FakeHomeserver, intake: Intake) -> None:
    """What is more than one answer holds by then is fetched, from where the group stood."""
    _, bad = await recorded(server, intake, "Good", "Bad")
    fault = spoil(server, bad, HTML)
    said = {server.world.say(bad, f"message {n}") for n in range(250)}
    await persist(intake, 6)
    fault.times = 0
    await intake.until(lambda: said <= intake.ids(bad), after_each=intake.restart)
    assert {loss.why for loss in intake.losses} <= {"response_unreadable"}


async def test_a_bad_group_that_is_given_up(server: FakeHomeserver, intake: Intake) -> None:
    """Once it is approved no longer, it holds up nothing."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    fault = Fault(path="/sync", reply=HTML, times=None, query=lambda query: parts(query) == [bad])
    server.faults.append(fault)
    server.answer("/sync", HTML)
    server.world.say(bad, "said")
    await persist(intake, 6)
    assert since(intake) is None
    intake.approve(good)
    await intake.until(lambda: since(intake) is not None)
    assert intake.losses == []


async def test_a_part_without_an_answer(server: FakeHomeserver, intake: Intake) -> None:
    """A part that only gets 504 does not keep the others from being asked."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    server.answer("/sync", HTML)
    fault = spoil(server, bad, Reply(status=504))
    said = {room: server.world.say(room, "said") for room in (good, bad)}
    await persist(intake, 8)
    assert said[good] in intake.ids(good)
    fault.times = 0
    await intake.until(lambda: said[bad] in intake.ids(bad))
    assert intake.losses == []


async def test_approval_while_nothing_can_be_read(server: FakeHomeserver, intake: Intake) -> None:
    """A group approved while others stand still is heard, however long their pauses are."""
    (bad,) = await recorded(server, intake, "Bad")
    good = server.world.room("Good")
    server.world.member(good, RECORDER, "join", sender=RECORDER)
    broken = Fault(path="/sync", reply=HTML, times=None, query=lambda query: parts(query) != [good])
    server.faults.append(broken)
    await persist(intake, 30)
    intake.approve(bad, good)
    said = server.world.say(good, "said")
    await persist(intake, 30)
    assert said in intake.ids(good)
