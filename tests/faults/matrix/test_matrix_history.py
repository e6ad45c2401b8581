"""Trouble while history or state is fetched makes no gap that need not be."""

from __future__ import annotations

import pytest

from bridge.errors import (
    ConnectorError,
    EnvelopeError,
)
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
    clock.advance(2.0)
    said = server.world.say(room, "said")
    await intake.until(lambda: said in intake.ids(room))
    event = intake.of(room)[-1]
    assert event.timer is not None
    assert event.sender is not None
    assert (event.timer.seconds, event.sender.display_name) == (60.0, "Clerk")


async def test_a_group_that_refuses_its_state(server: FakeHomeserver, intake: Intake) -> None:
    """An approved group that is not ours to see holds up no other."""
    (room,) = await recorded(server, intake, "Room")
    intake.approve(room, "!nowhere:town.example")
    said = server.world.say(room, "said")
    await intake.until(lambda: said in intake.ids(room))
