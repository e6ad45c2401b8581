"""What homeservers, proxies and networks do: nothing is lost by it but what is told as lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
)
from bridge.model import Event, EventKind, Presence
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import (
    CLERK,
    PASSWORD,
    RECORDER,
    FakeHomeserver,
    Fault,
    Reply,
    self_signed,
)
from tests.fakes.intake import PATIENCE, Intake, Sign, matrix_connector

HTML = Reply(body=b"<html>Please sign in</html>")
TRUNCATED = Reply(change=lambda body: body[: len(body) // 2])
TOO_LARGE = Reply(body=b" " * (33 * 1024 * 1024))

HEAD = b'"event_id":"$%d","sender":"@clerk:town.example","origin_server_ts":1772355600000'
HOSTILE = {
    "NaN": b'{"body":NaN}',
    "lone surrogate": rb'{"body":"\ud800"}',
    "bad UTF-8": b'{"body":"caf\xe9"}',
    "deep": b'{"n":' * 2000 + b"{}" + b"}" * 2000,
    "NUL": b'{"body":"a\x00b"}',
    "escaped NUL": rb'{"body":"a\u0000b"}',
    "duplicate keys": b'{"body":"one","body":"two"}',
    "numbers": b'{"body":' + b"9" * 9000 + b"}",
    "null": b"null",
}


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    """A homeserver that can misbehave."""
    async with FakeHomeserver() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """The recorder's clock."""
    return FakeClock()


@pytest.fixture
async def intake(server: FakeHomeserver, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Intake]:
    """A recorder."""
    sign = Sign(homeserver=server.url, user_id=RECORDER, folder=tmp_path, password=PASSWORD)
    intake = Intake(lambda: matrix_connector(sign, clock))
    yield intake
    await intake.connector.aclose()


async def recorded(server: FakeHomeserver, intake: Intake, *names: str) -> list[str]:
    """Rooms that are approved, joined and begun."""
    rooms = [server.world.room(name) for name in names]
    for room in rooms:
        server.world.member(room, RECORDER, "invite", sender=CLERK)
        server.world.member(room, RECORDER, "join", sender=RECORDER)
    await intake.start(*rooms)
    await intake.until(lambda: all(intake.of(room, EventKind.ROSTER) for room in rooms))
    await intake.until(lambda: since(intake) is not None)
    return rooms


def since(intake: Intake) -> str | None:
    """The one token of the cursor."""
    place = {} if intake.cursor is None else json.loads(intake.cursor)
    return place.get("since") if "slices" not in place else None


async def persist(intake: Intake, times: int) -> list[ConnectorError]:
    """Call so many times, as the capture loop does, and give the errors."""
    errors: list[ConnectorError] = []
    async with asyncio.timeout(PATIENCE):
        for _ in range(times):
            try:
                await intake.take()
            except ConnectorError as error:
                errors.append(error)
    return errors


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


def hostile(number: int, content: bytes) -> bytes:
    """An event with such content."""
    return b'{"type":"m.room.message","content":' + content + b"," + HEAD % number + b"}"


def hostile_state(number: int, content: bytes) -> bytes:
    """A name of the room with such content."""
    raw = hostile(number, content).replace(b"m.room.message", b"m.room.name")
    return raw.replace(b'"event_id":"$', b'"state_key":"","event_id":"$name')


async def test_hostile_events_cost_no_neighbour(server: FakeHomeserver, intake: Intake) -> None:
    """Each is kept byte for byte in its place, and what stands beside it is as ever."""
    (room,) = await recorded(server, intake, "Room")
    wanted = []
    for number, content in enumerate(HOSTILE.values()):
        wanted.append(server.world.rooms[room].events[-1].raw if number else b"")
        server.world.put_raw(room, hostile(number, content))
        wanted.append(hostile(number, content))
        server.world.say(room, f"neighbour {number}")
    last = server.world.say(room, "last")
    await intake.until(lambda: last in intake.ids(room))
    raws = [event.raw for event in intake.of(room)]
    assert [raw for raw in raws if raw in wanted[1:]] == wanted[1:]
    kinds = [event.kind for event in intake.of(room) if event.raw in wanted[1::2]]
    assert kinds.count(EventKind.UNPARSED) == len(HOSTILE) - 3


async def test_hostile_events_in_history_and_state(server: FakeHomeserver, intake: Intake) -> None:
    """The same in a page of history, and in the state that a restart loads."""
    (room,) = await recorded(server, intake, "Room")
    for number, content in enumerate(HOSTILE.values()):
        server.world.put_raw(room, hostile(number, content))
        odd = ("m.room.name", str(number))
        server.world.put_raw(room, hostile_state(number, content), state=odd)
    said = {server.world.say(room, f"message {n}") for n in range(120)}
    await intake.restart()
    await intake.until(lambda: said <= intake.ids(room))
    assert {f"${n}" for n in range(len(HOSTILE))} <= intake.ids(room)
    assert intake.losses == []
    assert {e.sender.display_name for e in intake.of(room, EventKind.MESSAGE) if e.sender} == {
        "Clerk"
    }


async def test_a_limited_timeline_without_a_token(server: FakeHomeserver, intake: Intake) -> None:
    """What cannot be asked for stands as a gap; what came is kept."""
    (room,) = await recorded(server, intake, "Room")
    said = [server.world.say(room, f"message {n}") for n in range(150)]
    server.deliveries.oddities.omit_prev_batch = True
    await intake.until(lambda: said[-1] in intake.ids(room))
    assert [loss.why for loss in intake.losses] == ["limited_without_token"]
    assert set(said[-100:]) <= intake.ids(room)


async def test_replayed_and_repeated_events(server: FakeHomeserver, intake: Intake) -> None:
    """What the server delivers twice has the same identity and the same bytes."""
    (room,) = await recorded(server, intake, "Room")
    said = [server.world.say(room, f"message {n}") for n in range(5)]
    await intake.until(lambda: set(said) <= intake.ids(room))
    before = dict(intake.events)
    server.deliveries.oddities.replay = 4
    server.world.repeat(room, said[0])
    marker = server.world.say(room, "marker")
    delivered = [event for event in (await intake.take()).events if event.upstream_id in said]
    assert len(delivered) == 5
    for event in delivered:
        assert event.raw == before[room, event.upstream_id, None].raw
    assert intake.events.keys() - before.keys() == {(room, marker, None)}
    assert intake.losses == []


async def test_reordered_events(server: FakeHomeserver, intake: Intake) -> None:
    """A timeline in another order is delivered in that order, whole."""
    (room,) = await recorded(server, intake, "Room")
    server.deliveries.oddities.reverse_timelines = True
    for n in range(5):
        server.world.say(room, f"message {n}")
    await intake.until(lambda: len(intake.bodies(room)) == 5)
    assert intake.bodies(room) == [f"message {n}" for n in reversed(range(5))]


async def test_back_dated_events(server: FakeHomeserver, intake: Intake) -> None:
    """A time before the group began, or beyond all dates, is kept as said and keeps none back."""
    (room,) = await recorded(server, intake, "Room")
    old = server.world.say(room, "old", sent_ms=0)
    server.world.say(room, "never", sent_ms=10**17)
    server.world.say(room, "below", sent_ms=-(10**17))
    last = server.world.say(room, "last")
    await intake.until(lambda: last in intake.ids(room))
    times = {event.upstream_id: event.sent_at for event in intake.of(room)}
    assert times[old] == datetime(1970, 1, 1, tzinfo=UTC)
    assert intake.bodies(room) == ["old", "never", "below", "last"]


BROKEN: dict[str, tuple[Reply, type[ConnectorError]]] = {
    "HTML": (HTML, EnvelopeError),
    "truncated": (TRUNCATED, EnvelopeError),
    "cut": (Reply(body=b"{}" * 50, cut=9), ConnectorUnavailableError),
    "500": (Reply(status=500), ConnectorUnavailableError),
    "429": (Reply(status=429), ConnectorUnavailableError),
    "redirect": (Reply(status=302, headers={"Location": "/x"}), ConnectorRejectedError),
    "401": (Reply(status=401, body=b'{"errcode":"M_UNKNOWN_TOKEN"}'), ConnectorRejectedError),
    "404 of a proxy": (Reply(status=404, body=b"<html>"), ConnectorRejectedError),
}


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


async def test_posted_but_not_answered(server: FakeHomeserver, intake: Intake) -> None:
    """A notice whose answer was lost is posted once, however often it is tried."""
    (room,) = await recorded(server, intake, "Room")
    server.answer("/send/", Reply(change=lambda body: body, cut=3))
    with pytest.raises(ConnectorUnavailableError):
        await intake.connector.announce(room, "Recorded.", key="key")
    said = await intake.connector.announce(room, "Recorded.", key="key")
    await intake.until(lambda: bool(intake.of(room, EventKind.NOTICE)))
    assert [e.upstream_id for e in intake.of(room, EventKind.NOTICE)] == [said.upstream_id]


async def test_joined_but_not_answered(server: FakeHomeserver, intake: Intake) -> None:
    """A join whose answer was lost may be tried again, and is one join."""
    room = server.world.room("Room")
    server.world.member(room, RECORDER, "invite", sender=CLERK)
    await intake.start(room)
    server.answer("/join", Reply(change=lambda body: body, cut=3))
    with pytest.raises(ConnectorUnavailableError):
        await intake.connector.join(room)
    await intake.connector.join(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.MEMBERSHIP)))
    assert [s.presence for s in intake.sightings(room)][-1] is Presence.JOINED
    assert [event.body for event in intake.of(room, EventKind.MEMBERSHIP)] == ["join"]


async def test_a_pin_that_is_refused(server: FakeHomeserver, intake: Intake) -> None:
    """The notice stands, unpinned, where the pin fails."""
    (room,) = await recorded(server, intake, "Room")
    powers: dict[str, int] = {CLERK: 100, RECORDER: 50}
    server.world.send(room, "m.room.power_levels", {"users": powers}, key="")
    await intake.take()
    server.answer("/state/m.room.pinned_events", Reply(status=500), times=None)
    said = await intake.connector.announce(room, "Recorded.", key="key")
    assert said.upstream_id is not None
    assert not said.pinned


async def test_an_untrusted_certificate(tmp_path: Path) -> None:
    """A certificate that nobody vouches for is refused, and the hint names the way out."""
    certificate = self_signed(tmp_path)
    async with FakeHomeserver(tls=certificate.server) as server:
        sign = Sign(homeserver=server.url, user_id=RECORDER, folder=tmp_path, password=PASSWORD)
        connector = matrix_connector(sign, FakeClock())
        with pytest.raises(ConnectorUnavailableError, match="is not trusted") as error:
            await connector.start()
        assert "ca_file" in error.value.hint
        assert server.seen == []
        await connector.aclose()


async def test_a_certificate_of_our_own_authority(tmp_path: Path) -> None:
    """With its authority in ca_file the same certificate will do."""
    certificate = self_signed(tmp_path)
    async with FakeHomeserver(tls=certificate.server) as server:
        sign = Sign(
            homeserver=server.url,
            user_id=RECORDER,
            folder=tmp_path,
            password=PASSWORD,
            ca_file=certificate.file,
        )
        connector = matrix_connector(sign, FakeClock())
        await connector.start()
        assert (await connector.receive(None)).cursor is not None
        await connector.aclose()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_ca_file_without_certificates(tmp_path: Path, content: bytes | None) -> None:
    """A ca_file that is missing or holds no certificate is said to be so."""
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_bytes(content)
    url = "https://127.0.0.1:9"
    sign = Sign(homeserver=url, user_id=RECORDER, folder=tmp_path, password=PASSWORD, ca_file=file)
    connector = matrix_connector(sign, FakeClock())
    with pytest.raises(ConnectorUnavailableError, match="No certificates can be read") as error:
        await connector.start()
    assert "ca_file" in error.value.hint
    await connector.aclose()
