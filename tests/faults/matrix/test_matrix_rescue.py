"""What was redacted before it was read is asked for; there is always one outcome, and only one."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bridge.canonical.json import Json
from bridge.model import CaptureMethod, Event, EventKind, Relation, RelationType, Timer
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import CLERK, RECORDER, FakeHomeserver, Reply
from tests.fakes.intake import Intake
from tests.faults.matrix.scenes import recorded

ERASED = b'{"errcode":"FI.MAU.MSC2815_UNREDACTED_CONTENT_DELETED"}'
NOT_FOUND = b'{"errcode":"M_NOT_FOUND"}'
UNKNOWN_TOKEN = b'{"errcode":"M_UNKNOWN_TOKEN"}'


async def empowered(server: FakeHomeserver, intake: Intake, *names: str) -> list[str]:
    """Recorded rooms in which the recorder may redact."""
    rooms = await recorded(server, intake, *names)
    for room in rooms:
        powers: dict[str, Json] = {"users": {CLERK: 100, RECORDER: 50}}
        server.world.send(room, "m.room.power_levels", powers, key="")
    await intake.take()
    return rooms


def redacted(server: FakeHomeserver, room: str, body: str = "gone") -> str:
    """Something that was said and taken back; the recorder has not read it yet."""
    said = server.world.say(room, body)
    server.world.redact(room, said)
    return said


def rescued(intake: Intake, room: str) -> list[Event]:
    """The events that were had once more."""
    return [event for event in intake.of(room) if event.revision == "rescued"]


def orders(intake: Intake) -> int:
    """How many orders the cursor holds."""
    assert intake.cursor is not None
    return len(json.loads(intake.cursor).get("rescues", []))


async def go_on(server: FakeHomeserver, intake: Intake, room: str, times: int) -> None:
    """Take so many deliveries; something is said before each, so that none waits long."""
    for n in range(times):
        server.world.say(room, f"going on {n}")
        await intake.take()


async def settled(intake: Intake) -> None:
    """Go on until no order is left."""
    await intake.until(lambda: orders(intake) == 0)


async def test_rescued_with_its_content(server: FakeHomeserver, intake: Intake) -> None:
    """The event as it was, exact to the byte, beside the pruned one and related to it; no gap."""
    (room,) = await empowered(server, intake, "Room")
    own: dict[str, Json] = {"type": "after_send", "timer": 9000}
    server.world.send(room, "com.beeper.disappearing_timer", own, key="")
    answered = server.world.say(room, "What of the dyke?")
    related: Json = {"m.in_reply_to": {"event_id": answered}}
    content: dict[str, Json] = {"msgtype": "m.text", "body": "gone", "m.relates_to": related}
    said = server.world.send(room, "m.room.message", content)
    server.world.redact(room, said)
    server.world.send(room, "com.beeper.disappearing_timer", {}, key="")
    await intake.until(lambda: bool(rescued(intake, room)))
    assert orders(intake) == 0
    (event,) = rescued(intake, room)
    assert event.raw == server.world.rooms[room].originals[said]
    assert (event.upstream_id, event.kind, event.body) == (said, EventKind.MESSAGE, "gone")
    assert event.method is CaptureMethod.RESCUE
    assert event.relates_to == Relation(type=RelationType.RESCUED, upstream_id=said)
    assert ("reply", answered) in event.upstream
    assert event.sender is not None
    assert event.sender.display_name == "Clerk"
    timer = Timer(seconds=9, basis="com.beeper.disappearing_timer:after_send")
    assert (event.timer, event.own_timer) == (timer, timer)
    pruned = intake.events[room, said, None]
    assert (pruned.body, pruned.missing, pruned.timer) == (None, None, timer)
    assert "redacted_by" in dict(pruned.upstream)
    assert intake.losses == []


async def test_an_order_survives_a_restart(server: FakeHomeserver, intake: Intake) -> None:
    """It stands in the cursor that the pruned event came with, and goes with its outcome."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    await intake.until(lambda: said in intake.ids(room))
    assert orders(intake) == 1
    await intake.restart()
    lost = None
    while lost is None or not lost.events:
        lost = await intake.take(keep=False)
        if not lost.events:
            intake.cursor = lost.cursor
    assert [event.revision for event in lost.events] == ["rescued"]
    await intake.restart()
    await intake.until(lambda: bool(rescued(intake, room)))
    assert intake.losses == []


async def test_without_power_it_is_a_gap(server: FakeHomeserver, intake: Intake) -> None:
    """One refusal settles all orders of that group, each with a gap; another group has its own."""
    (weak,) = await recorded(server, intake, "Weak")
    (strong,) = await empowered(server, intake, "Strong")
    intake.approve(weak, strong)
    wanted = [redacted(server, weak, f"gone {n}") for n in range(3)]
    kept = redacted(server, strong)
    await intake.until(lambda: {*wanted} <= intake.ids(weak) and kept in intake.ids(strong))
    await settled(intake)
    assert [loss.why for loss in intake.losses] == ["not_rescued"] * 3
    assert {loss.group_id for loss in intake.losses} == {weak}
    assert [loss.detail.partition(":")[0] for loss in intake.losses] == wanted
    assert all("refuses it" in loss.detail for loss in intake.losses)
    assert all(loss.since is not None and loss.until is not None for loss in intake.losses)
    assert len(server.asked(f"/rooms/{weak}/event/")) == 1
    assert [event.body for event in rescued(intake, strong)] == ["gone"]


async def test_a_server_without_it(server: FakeHomeserver, intake: Intake) -> None:
    """Where the server does not offer it nothing is asked for, and each is a gap that says so."""
    server.keeps_redacted = False
    (room,) = await empowered(server, intake, "Room")
    said = [redacted(server, room, f"gone {n}") for n in range(3)]
    await intake.until(lambda: {*said} <= intake.ids(room))
    await settled(intake)
    assert [loss.why for loss in intake.losses] == ["not_rescued"] * 3
    assert {"does not offer" in loss.detail for loss in intake.losses} == {True}
    assert server.asked("/event/") == []
    assert len(server.asked("/versions")) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=404, body=ERASED), "erased the content"),
        (Reply(status=404, body=NOT_FOUND), "the event no more"),
        (Reply(status=400, body=b'{"errcode":"M_INVALID_PARAM"}'), "M_INVALID_PARAM"),
        (Reply(change=lambda body: body.replace(b'"gone"', b"7").replace(b"body", b"x")), ""),
    ],
)
async def test_an_answer_that_settles_it(
    server: FakeHomeserver, intake: Intake, reply: Reply, words: str
) -> None:
    """A refusal of this event is a gap with its reason; odd content is content."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    server.answer("/event/", reply)
    await intake.until(lambda: said in intake.ids(room))
    await settled(intake)
    assert [loss.why for loss in intake.losses] == (["not_rescued"] if words else [])
    assert all(words in loss.detail for loss in intake.losses)
    assert bool(rescued(intake, room)) is not bool(words)


async def test_still_without_its_content(server: FakeHomeserver, intake: Intake) -> None:
    """A server that gives the pruned event again has rescued nothing."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    server.world.rooms[room].originals.clear()
    await intake.until(lambda: said in intake.ids(room))
    await settled(intake)
    assert rescued(intake, room) == []
    (loss,) = intake.losses
    assert "without its content" in loss.detail


TROUBLE = {
    "500": Reply(status=500),
    "429": Reply(status=429, body=b'{"retry_after_ms":60000}'),
    "HTML": Reply(body=b"<html>"),
    "another event": Reply(body=b'{"event_id":"$other","content":{"body":"x"}}'),
    "401": Reply(status=401, body=UNKNOWN_TOKEN),
    "cut": Reply(body=b"{}" * 50, cut=9),
    "404 of a proxy": Reply(status=404, body=b"<html>"),
}


@pytest.mark.parametrize(
    ("route", "reply"),
    [("/event/", reply) for reply in TROUBLE.values()]
    + [("/versions", reply) for name, reply in TROUBLE.items() if name != "another event"],
)
async def test_trouble_puts_it_off(
    server: FakeHomeserver, intake: Intake, clock: FakeClock, reply: Reply, route: str
) -> None:
    """What is no answer holds up nothing live and makes no gap; the order waits its pause."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    fault = server.answer(route, reply, times=None)
    await intake.until(lambda: said in intake.ids(room))
    await go_on(server, intake, room, 5)
    assert len(intake.bodies(room)) >= 4
    assert len(server.asked(route)) == 1
    assert orders(intake) == 1
    fault.times = 0
    clock.advance(61.0)
    await intake.until(lambda: bool(rescued(intake, room)))
    assert intake.losses == []


async def test_trouble_that_never_ends(
    server: FakeHomeserver, intake: Intake, clock: FakeClock
) -> None:
    """After a day without a usable answer it is a gap, through restarts too."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    server.answer("/event/", Reply(status=500), times=None)
    await intake.until(lambda: said in intake.ids(room))
    await go_on(server, intake, room, 2)
    assert orders(intake) == 1
    clock.advance(timedelta(days=1, seconds=1).total_seconds())
    await intake.restart()
    await settled(intake)
    (loss,) = intake.losses
    assert "no usable answer for a day" in loss.detail


async def test_more_than_can_wait(server: FakeHomeserver, intake: Intake) -> None:
    """The oldest orders are kept; each beyond them is a gap at once. None is without an outcome."""
    (room,) = await empowered(server, intake, "Room")
    server.answer("/versions", Reply(status=500), times=None)
    said = [redacted(server, room, f"gone {n}") for n in range(520)]
    await intake.until(lambda: {*said} <= intake.ids(room))
    assert orders(intake) == 500
    assert len(intake.losses) == 20
    assert {"Too many" in loss.detail for loss in intake.losses} == {True}
    lost = {loss.detail.partition(":")[0] for loss in intake.losses}
    assert intake.cursor is not None
    waiting = {order["event_id"] for order in json.loads(intake.cursor)["rescues"]}
    assert lost | waiting == {*said}


async def test_redacted_after_it_was_read(server: FakeHomeserver, intake: Intake) -> None:
    """What the journal has whole is not asked for, though the server gives it again, pruned."""
    (room,) = await empowered(server, intake, "Room")
    said = server.world.say(room, "in the journal")
    await intake.until(lambda: said in intake.ids(room))
    server.world.say(room, "one more")
    await intake.take()
    server.world.redact(room, said)
    server.deliveries.oddities.replay = 5
    server.world.say(room, "marker")
    delivered = await intake.take()
    assert said in {event.upstream_id for event in delivered.events}
    assert {event.missing for event in delivered.events} == {None}
    assert orders(intake) == 0
    await go_on(server, intake, room, 2)
    assert server.asked("/event/") == []
    assert intake.losses == []


async def test_settled_once(server: FakeHomeserver, intake: Intake) -> None:
    """Delivered again after its outcome, an event has no second one."""
    (room,) = await recorded(server, intake, "Room")
    said = redacted(server, room)
    await intake.until(lambda: said in intake.ids(room))
    await settled(intake)
    server.deliveries.oddities.replay = 4
    for n in range(3):
        server.world.say(room, f"again {n}")
        await intake.take()
    assert [loss.why for loss in intake.losses] == ["not_rescued"]
    assert orders(intake) == 0


async def test_approval_withdrawn(server: FakeHomeserver, intake: Intake) -> None:
    """Nothing more is asked of a group that is not approved any more; that too is an outcome."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    await intake.until(lambda: said in intake.ids(room))
    intake.approve()
    await settled(intake)
    assert ["approval was withdrawn" in loss.detail for loss in intake.losses] == [True]
    assert server.asked("/event/") == []


async def test_the_last_words_of_a_stay(server: FakeHomeserver, intake: Intake) -> None:
    """What was redacted before we were put out is asked for, though the kick ended the approval."""
    (room,) = await empowered(server, intake, "Room")
    said = redacted(server, room)
    server.world.member(room, RECORDER, "leave", sender=CLERK)
    await intake.until(lambda: said in intake.ids(room))
    intake.approve()
    await intake.until(lambda: bool(rescued(intake, room)))
    assert intake.losses == []


async def test_beside_a_hole(server: FakeHomeserver, intake: Intake) -> None:
    """Live events, pages of a hole and rescues take turns; all come."""
    (room,) = await empowered(server, intake, "Room")
    said = {server.world.say(room, f"message {n}") for n in range(250)}
    gone = {redacted(server, room, f"gone {n}") for n in range(5)}
    await intake.until(lambda: said <= intake.ids(room))
    await settled(intake)
    assert {event.upstream_id for event in rescued(intake, room)} == gone
    assert intake.losses == []
