"""Trouble while history or state is fetched makes no gap that need not be."""

from __future__ import annotations

import pytest

from bridge.errors import (
    ConnectorError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.model import EventKind, Presence
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import (
    CLERK,
    RECORDER,
    FakeHomeserver,
    Reply,
)
from tests.fakes.intake import Intake
from tests.faults.matrix.scenes import BROKEN, HTML, recorded


@pytest.mark.parametrize("trouble", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("path", ["/messages", "/context"])
async def test_trouble_while_history_is_fetched(
    server: FakeHomeserver,
    intake: Intake,
    clock: FakeClock,
    path: str,
    trouble: tuple[Reply, type[ConnectorError]],
) -> None:
    """Trouble that says nothing of the group makes no gap: the hole is filled afterwards."""
    reply, error = trouble
    (room,) = await recorded(server, intake, "Room")
    busy = server.world.room("Busy")
    intake.approve(room, busy)
    server.world.member(busy, RECORDER, "invite", sender=CLERK)
    await intake.until(lambda: bool(intake.sightings(busy)))
    await intake.connector.join(busy)
    said = {server.world.say(busy, f"message {n}") for n in range(250)}
    server.answer(path, reply)
    with pytest.raises(error):
        await intake.until(lambda: said <= intake.ids(busy))
    live = server.world.say(room, "the others go on")
    await intake.until(lambda: live in intake.ids(room))
    clock.advance(2.0)
    await intake.until(lambda: said <= intake.ids(busy))
    assert intake.losses == []


async def test_a_page_that_never_comes(
    server: FakeHomeserver, intake: Intake, clock: FakeClock
) -> None:
    """A hole that cannot be filled holds up no other group, and is not asked for all the time."""
    good, bad = await recorded(server, intake, "Good", "Bad")
    for n in range(150):
        server.world.say(bad, f"message {n}")
    fault = server.answer("/messages", HTML, times=None)
    with pytest.raises(EnvelopeError):
        await intake.until(lambda: "message 0" in intake.bodies(bad))
    for n in range(10):
        said = server.world.say(good, f"meanwhile {n}")
        await intake.take()
        assert said in intake.ids(good)
    assert len(server.asked("/messages")) == 1
    clock.advance(2.0)
    with pytest.raises(EnvelopeError):
        await intake.until(lambda: "message 0" in intake.bodies(bad))
    fault.times = 0
    clock.advance(4.0)
    await intake.until(lambda: len(intake.bodies(bad)) == 150)
    assert intake.losses == []


@pytest.mark.parametrize("path", ["/messages", "/context"])
async def test_history_that_is_refused(server: FakeHomeserver, intake: Intake, path: str) -> None:
    """What the homeserver refuses for this group stands as a gap, and the group goes on."""
    await intake.start()
    await intake.take()
    room = server.world.room("Room")
    intake.approve(room)
    server.world.member(room, RECORDER, "join", sender=RECORDER)
    for n in range(150):
        server.world.say(room, f"message {n}")
    server.answer(path, Reply(status=403, body=b'{"errcode":"M_FORBIDDEN"}'), times=None)
    await intake.until(lambda: bool(intake.losses))
    wanted = "join_not_found" if path == "/context" else "history_refused"
    assert [(loss.group_id, loss.why) for loss in intake.losses] == [(room, wanted)]
    live = server.world.say(room, "live")
    await intake.until(lambda: live in intake.ids(room))


async def test_approval_withdrawn_before_a_hole_is_filled(
    server: FakeHomeserver, intake: Intake
) -> None:
    """Nothing more of the group is yielded; what is left out stands as a gap."""
    (room,) = await recorded(server, intake, "Room")
    for n in range(250):
        server.world.say(room, f"message {n}")
    await intake.until(lambda: "message 249" in intake.bodies(room))
    known = len(intake.events)
    intake.approve()
    await intake.until(lambda: bool(intake.losses))
    assert [(loss.group_id, loss.why) for loss in intake.losses] == [(room, "approval_withdrawn")]
    assert len(intake.events) == known


@pytest.mark.parametrize(("reply", "error"), BROKEN.values(), ids=BROKEN.keys())
async def test_trouble_while_state_is_loaded(
    server: FakeHomeserver,
    intake: Intake,
    clock: FakeClock,
    reply: Reply,
    error: type[ConnectorError],
) -> None:
    """After a restart names and timers are loaded as soon as they can be had."""
    (room,) = await recorded(server, intake, "Room")
    server.world.send(room, "m.room.retention", {"max_lifetime": 60_000}, key="")
    await intake.take()
    await intake.restart()
    server.answer("/state", reply)
    with pytest.raises(error):
        await intake.take()
    meanwhile = server.world.say(room, "meanwhile")
    await intake.take()
    assert meanwhile in intake.ids(room)
    clock.advance(2.0)
    await intake.take()
    said = server.world.say(room, "said")
    await intake.until(lambda: said in intake.ids(room))
    event = intake.of(room)[-1]
    assert event.timer is not None
    assert event.sender is not None
    assert (event.timer.seconds, event.sender.display_name) == (60.0, "Clerk")


@pytest.mark.parametrize("status", [429, 500])
async def test_states_that_never_come(
    server: FakeHomeserver, intake: Intake, clock: FakeClock, status: int
) -> None:
    """However many groups keep their state from us, each delivery comes between two of them."""
    rooms = await recorded(server, intake, *"ABCDEFGH")
    await intake.restart()
    reply = Reply(status=status, body=b'{"retry_after_ms":60000}')
    server.answer("/state", reply, times=None)
    for n in range(6):
        said = [server.world.say(room, f"message {n}") for room in rooms]
        with pytest.raises(ConnectorUnavailableError, match="state of a room") as caught:
            await intake.take()
        assert caught.value.retry_after is None
        clock.advance(20.0)
        await intake.take()
        assert {*said} <= {event.upstream_id for event in intake.events.values()}
    told = [sighting for room in rooms for sighting in intake.sightings(room)[1:]]
    assert {sighting.obstacle for sighting in told} == {None}
    assert intake.losses == []


async def test_a_wish_to_wait_holds_up_one_state(
    server: FakeHomeserver, intake: Intake, clock: FakeClock
) -> None:
    """The homeserver asks to wait with the state of a group: it is asked for after that time."""
    (room,) = await recorded(server, intake, "Room")
    await intake.restart()
    asked = len(server.asked("/state"))
    server.answer("/state", Reply(status=429, body=b'{"retry_after_ms":60000}'))
    with pytest.raises(ConnectorUnavailableError):
        await intake.take()
    for seconds, wanted in ((0.0, 1), (59.0, 1), (1.0, 2)):
        clock.advance(seconds)
        server.world.say(room, "said")
        await intake.take()
        assert len(server.asked("/state")) - asked == wanted
    assert intake.sightings(room)[-1].obstacle == ""


async def test_a_state_that_comes_late_makes_the_roster(
    server: FakeHomeserver, intake: Intake, clock: FakeClock
) -> None:
    """A group approved after the join is recorded at once; its roster waits for its state."""
    room = server.world.room("Room")
    server.world.member(room, RECORDER, "invite", sender=CLERK)
    server.world.member(room, RECORDER, "join", sender=RECORDER)
    await intake.start()
    await intake.take()
    server.answer("/state", Reply(status=502))
    intake.approve(room)
    with pytest.raises(ConnectorUnavailableError):
        await intake.take()
    said = server.world.say(room, "said")
    await intake.take()
    assert said in intake.ids(room)
    assert intake.of(room, EventKind.ROSTER) == []
    assert intake.sightings(room)[-1].obstacle is None
    clock.advance(2.0)
    await intake.take()
    assert intake.sightings(room)[-1].obstacle == ""
    server.world.say(room, "more")
    await intake.take()
    (roster,) = intake.of(room, EventKind.ROSTER)
    assert "Clerk" in (roster.body or "")


async def test_a_hole_that_a_kick_leaves(server: FakeHomeserver, intake: Intake) -> None:
    """The last words before a kick are fetched, though the kick itself ended the approval."""
    (room,) = await recorded(server, intake, "Room")
    said = {server.world.say(room, f"message {n}") for n in range(250)}
    server.world.member(room, RECORDER, "leave", sender=CLERK)
    await intake.until(lambda: intake.sightings(room)[-1].presence is Presence.REMOVED)
    assert not said <= intake.ids(room)
    intake.approve()
    await intake.until(lambda: said <= intake.ids(room))
    assert intake.losses == []
    first = next(event for event in intake.of(room) if event.body == "message 0")
    assert first.sender is not None
    assert first.sender.display_name == "Clerk"


async def test_a_hole_from_before_a_kick(server: FakeHomeserver, intake: Intake) -> None:
    """A hole planned before the kick is filled after it, through restarts too."""
    (room,) = await recorded(server, intake, "Room")
    said = {server.world.say(room, f"message {n}") for n in range(350)}
    await intake.until(lambda: "message 349" in intake.bodies(room))
    assert not said <= intake.ids(room)
    server.world.member(room, RECORDER, "ban", sender=CLERK)
    await intake.until(lambda: intake.sightings(room)[-1].presence is Presence.REMOVED)
    intake.approve()
    await intake.until(lambda: said <= intake.ids(room), after_each=intake.restart)
    assert intake.losses == []


async def test_a_group_that_refuses_its_state(server: FakeHomeserver, intake: Intake) -> None:
    """An approved group that is not ours to see holds up no other."""
    (room,) = await recorded(server, intake, "Room")
    intake.approve(room, "!nowhere:town.example")
    said = server.world.say(room, "said")
    await intake.until(lambda: said in intake.ids(room))
