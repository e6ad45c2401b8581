"""A homeserver that repeats, reorders, cuts and back-dates: what it delivers is kept once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.model import Batch, EventKind
from bridge.protocols import Journal
from connectors.matrix.place import read_place
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import CLERK, RECORDER, FakeHomeserver, Reply
from tests.fakes.intake import Intake
from tests.faults.matrix.scenes import journalled, pending, persist, recorded

Misbehave = Callable[[FakeHomeserver], None]


def twice(server: FakeHomeserver) -> None:
    """Each event stands twice."""
    server.deliveries.oddities.twice = True


def reordered(server: FakeHomeserver) -> None:
    """Timelines and pages stand the wrong way round."""
    server.deliveries.oddities.reverse_timelines = True
    server.deliveries.oddities.reverse_pages = True


def overlapping(server: FakeHomeserver) -> None:
    """Pages begin with what the page before ended with, and hold less than was asked for."""
    server.deliveries.oddities.overlap = 9
    server.deliveries.oddities.page = 33


def replaying(server: FakeHomeserver) -> None:
    """Every response begins again a little earlier."""
    server.deliveries.oddities.replay = 3


def cutting(server: FakeHomeserver) -> None:
    """Every third answer is cut, in its JSON or in the transfer."""
    for path in ("/sync", "/messages"):
        server.answer(path, Reply(change=lambda body: body[: len(body) * 2 // 3]))
        server.answer(path, Reply(change=lambda body: body, cut=99))


def everything(server: FakeHomeserver) -> None:
    """All of it together."""
    for misbehave in (twice, reordered, overlapping, replaying, cutting):
        misbehave(server)


@pytest.mark.parametrize(
    "misbehave", [twice, reordered, overlapping, replaying, cutting, everything]
)
@pytest.mark.parametrize("down", [False, True])
async def test_each_event_is_kept_once(
    server: FakeHomeserver,
    intake: Intake,
    clock: FakeClock,
    journal: Journal,
    misbehave: Misbehave,
    *,
    down: bool,
) -> None:
    """Of two groups, live and in history, whatever was said is in the journal once, gapless."""
    rooms = await recorded(server, intake, "One", "Two")
    for n in range(6):
        server.world.say(rooms[n % 2], f"warming up {n}")
    await intake.take()
    misbehave(server)
    said = {room: set[str]() for room in rooms}
    for n in range(250):
        room = rooms[n % 5 == 0]
        # Every tenth is dated before the group, or before all groups.
        sent_ms = None if n % 10 else n * 1_000_000
        said[room].add(server.world.say(room, f"message {n}", sent_ms=sent_ms))
    for _ in range(200):
        if all(said[room] <= intake.ids(room) for room in rooms):
            break
        await one_more(intake, clock, down=down)
        server.world.say(rooms[0], "so that none waits long")
    await journalled(journal, intake.batches, *rooms)
    entries = await pending(journal)
    ids = [(e.event.group_id, e.event.upstream_id, e.event.revision) for e in entries]
    assert len(ids) == len(set(ids))
    assert {event_id for room in rooms for event_id in said[room]} <= {ident for _, ident, _ in ids}
    assert delivered(intake.batches) == set(ids)
    for room in rooms:
        numbers = sorted(e.n for e in entries if e.event.group_id == room)
        assert numbers == list(range(len(numbers)))
    assert {loss.why for loss in intake.losses} <= {"response_unreadable"}


async def one_more(intake: Intake, clock: FakeClock, *, down: bool) -> None:
    """One call, after which pauses are over; ``down``: a new process after each that moved on."""
    before = intake.cursor
    await persist(intake, 1)
    if down and intake.cursor != before:
        await intake.restart()
    clock.advance(2.0)


def delivered(batches: list[Batch]) -> set[tuple[str, str, str | None]]:
    """Every identity that was delivered, once or more often."""
    return {(e.group_id, e.upstream_id, e.revision) for batch in batches for e in batch.events}


async def test_an_old_answer_again(
    server: FakeHomeserver, intake: Intake, journal: Journal
) -> None:
    """A cache that gives an answer of yesterday costs a detour: nothing is lost or kept twice."""
    (room,) = await recorded(server, intake, "Room")
    old: list[bytes] = []

    def keep(body: bytes) -> bytes:
        old.append(body)
        return body

    server.answer("/sync", Reply(change=keep))
    said = [server.world.say(room, "first")]
    server.world.send(room, "m.room.retention", {"max_lifetime": 60_000}, key="")
    await intake.take()
    server.world.send(room, "m.room.retention", {"max_lifetime": 30_000}, key="")
    said.append(server.world.say(room, "second"))
    await intake.take()
    server.answer("/sync", Reply(body=old[0]), times=3)
    said.append(server.world.say(room, "third"))
    for _ in range(4):
        await intake.take()
    said.append(server.world.say(room, "fourth"))
    await intake.until(lambda: {*said} <= intake.ids(room))
    assert intake.losses == []
    standing = [timer.standing for batch in intake.batches for timer in batch.timers][-1]
    assert standing is not None
    assert standing.seconds == 30.0
    await journalled(journal, intake.batches, room)
    bodies = [e.event.body for e in await pending(journal) if e.event.kind is EventKind.MESSAGE]
    assert bodies == ["first", "second", "third", "fourth"]


async def test_our_own_join_again(server: FakeHomeserver, intake: Intake) -> None:
    """The join we know, delivered once more, is no second stay, and what was before it not ours."""
    room = server.world.room("Room")
    before = server.world.say(room, "before")
    server.world.member(room, RECORDER, "invite", sender=CLERK)
    server.world.member(room, RECORDER, "join", sender=RECORDER)
    await intake.start(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    for restarts in range(2):
        server.deliveries.oddities.replay = 4 + restarts
        server.world.say(room, f"said {restarts}")
        await intake.take()
        server.deliveries.oddities.replay = 0
        await intake.restart()
        await intake.take()
    assert intake.bodies(room) == ["said 0", "said 1"]
    assert before not in intake.ids(room)
    assert intake.losses == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"errcode":"M_INVALID_PARAM","error":"unknown token"}', "history_refused"),
        (b'{"errcode":"M_FORBIDDEN"}', "history_refused"),
    ],
)
async def test_a_limited_timeline_with_a_bad_token(
    server: FakeHomeserver, intake: Intake, body: bytes, why: str
) -> None:
    """A prev_batch that the server itself does not know is a gap; what came with it is kept."""
    (room,) = await recorded(server, intake, "Room")
    said = [server.world.say(room, f"message {n}") for n in range(150)]
    server.answer("/messages", Reply(status=400, body=body), times=None)
    await intake.until(lambda: bool(intake.losses))
    assert [loss.why for loss in intake.losses] == [why]
    assert set(said[-100:]) <= intake.ids(room)
    assert read_place(intake.cursor).backfills == ()
