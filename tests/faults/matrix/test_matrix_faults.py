"""What senders, homeservers and networks do: nothing is lost but what is told as lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import (
    ConnectorUnavailableError,
)
from bridge.model import EventKind, Presence
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import (
    CLERK,
    PASSWORD,
    RECORDER,
    FakeHomeserver,
    Reply,
    self_signed,
)
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.faults.matrix.scenes import recorded

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
