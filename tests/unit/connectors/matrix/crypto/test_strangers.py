"""What anybody may leave with the recorder, by writing to its device."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto import megolm, strangers
from connectors.matrix.crypto.store import Transaction
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.peer import MEGOLM, ROOM, Peer, opened, said
from tests.unit.connectors.matrix.crypto.world import World

FAR = "@eve:evil.example"


@pytest.fixture
def clock() -> FakeClock:
    """The store's."""
    return FakeClock()


@pytest.fixture
async def world(tmp_path: Path, clock: FakeClock) -> AsyncIterator[World]:
    """The recorder with an empty store."""
    machine = await opened(tmp_path / "a.db", clock=clock)
    yield World(machine)
    await machine.aclose()


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Low limits, that they are reached soon."""
    monkeypatch.setattr(strangers, "MOST_KEYS", 3)
    monkeypatch.setattr(strangers, "MOST_KEYS_OF_SERVER", 5)
    monkeypatch.setattr(strangers, "MOST_WITHHELD", 3)
    monkeypatch.setattr(strangers, "MOST_WITHHELD_OF_ALL", 5)


async def track(world: World, *user_ids: str) -> None:
    """They share an encrypted room with us."""

    def tracked(transaction: Transaction) -> None:
        rows = [(user_id,) for user_id in user_ids]
        transaction.executemany("INSERT INTO tracked (user_id) VALUES (?)", rows)

    await world.machine.run(tracked)


async def given(world: World, peer: Peer, count: int) -> dict[str, int]:
    """The peer gives so many keys; what became of them."""
    messages = []
    for _ in range(count):
        peer.rotate()
        messages.append(peer.room_key(world.machine.device))
    return dict((await world.take(*messages)).counts)


def notice(
    peer: Peer, *, about: Peer | None = None, session: str = "", code: str = "m.unverified"
) -> bytes:
    """The peer says that a session's key is withheld, its own or another's."""
    device = (about or peer).device
    content: JsonObject = {
        "algorithm": MEGOLM,
        "room_id": ROOM,
        "session_id": session or (about or peer).group.session_id,
        "sender_key": device.curve25519,
        "code": code,
    }
    return peer.plain("m.room_key.withheld", content)


async def rows(world: World, table: str) -> int:
    """How many rows a table has."""

    def counted(transaction: Transaction) -> int:
        (count,) = transaction.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(count)

    return await world.machine.run(counted)


async def test_keys_of_who_is_not_tracked_are_bounded(world: World, clock: FakeClock) -> None:
    """Of each such user a few within a week, then none; a key that comes again is not counted."""
    peer = await world.peer()
    for _ in range(4):
        await world.share(peer)
    assert await given(world, peer, 4) == {"room_key": 2, "room_key_too_many": 2}
    assert await rows(world, "inbound") == 3
    other = await world.peer("@bob:example.org")
    assert await given(world, other, 3) == {"room_key": 3}
    clock.advance(timedelta(days=7, seconds=1).total_seconds())
    assert await given(world, peer, 4) == {"room_key": 3, "room_key_too_many": 1}
    assert await rows(world, "unasked") == 1


async def test_keys_of_members_are_not_bounded(world: World) -> None:
    """Who shares an encrypted room with us gives as many as he likes."""
    peer = await world.peer(FAR)
    assert await given(world, peer, 5) == {"room_key": 3, "room_key_too_many": 2}
    await track(world, FAR)
    assert await given(world, peer, 5) == {"room_key": 5}
    [answer] = await world.machine.decrypt([peer.say("hello")])
    assert said(answer.clear) == "hello"


async def test_a_server_that_makes_users(world: World) -> None:
    """All of another server together are bounded too; those of ours and its members are not."""
    counts = []
    for number in range(3):
        peer = await world.peer(f"@u{number}:evil.example")
        counts.append(await given(world, peer, 3))
    assert counts == [
        {"room_key": 3},
        {"room_key": 2, "room_key_too_many": 1},
        {"room_key_too_many": 3},
    ]
    for number in range(3):
        peer = await world.peer(f"@u{number}:example.org")
        assert await given(world, peer, 3) == {"room_key": 3}
    await track(world, FAR)
    assert await given(world, await world.peer(FAR), 3) == {"room_key": 3}


async def test_words_about_keys_are_bounded(world: World, clock: FakeClock) -> None:
    """Of each user, and of all who are not tracked, the latest; none for longer than a week."""
    peer = await world.peer()
    await track(world, peer.device.user_id)
    for number in range(5):
        clock.advance(1)
        await world.take(notice(peer, session=f"s{number}"))
    assert await rows(world, "withheld") == 3
    for number in range(5):
        clock.advance(1)
        stranger = Peer(f"@u{number}:evil.example")
        await world.take(*(notice(stranger, session=f"s{each}") for each in range(2)))
    assert await rows(world, "withheld") == 3 + 5
    assert await rows(world, "withheld_by_tracked") == 3
    clock.advance(timedelta(days=8).total_seconds())
    await world.take(b"{}")
    assert await rows(world, "withheld") == 0


@pytest.mark.parametrize("code", ["m.unverified", "m.no_olm"])
async def test_what_others_say_of_a_sender_is_not_told_of_him(world: World, code: str) -> None:
    """Only the sender of an event withholds its key; another's word replaces none of his."""
    peer, liar = await world.peer(), Peer(FAR)
    request = peer.say("hello")
    await world.take(notice(liar, about=peer, code=code))
    [answer] = await world.machine.decrypt([request])
    assert answer.why == megolm.NO_KEY
    await world.take(notice(peer), notice(liar, about=peer, code="m.blacklisted"))
    [answer] = await world.machine.decrypt([request])
    assert answer.why == "its sender withholds the key (m.unverified)"


async def test_a_key_ends_what_was_said_of_it(world: World) -> None:
    """The session's words go, whoever said them; that Olm failed is another device's word still."""
    peer, other = await world.peer(), await world.peer("@bob:example.org")
    key = peer.room_key(world.machine.device)
    await world.take(notice(peer), notice(Peer(FAR), about=peer), notice(other, code="m.no_olm"))
    assert await rows(world, "withheld") == 3
    await world.take(key)
    assert await rows(world, "withheld") == 1
    await world.share(other)
    assert await rows(world, "withheld") == 0


async def test_idle_sessions_of_unknown_devices_are_forgotten(
    world: World, clock: FakeClock
) -> None:
    """After a month, those of devices that were shown to us are there, and those in use."""
    known, idle, active = Peer(), await world.peer(FAR), await world.peer("@bob:example.org")
    await world.server.filled(world.machine)
    known.begin(world.machine.device, world.server.claim())
    device = known.device

    def shown(transaction: Transaction) -> None:
        transaction.execute(
            "INSERT INTO device (user_id, device_id, curve25519, ed25519, trust)"
            " VALUES (?, ?, ?, ?, 'unsigned')",
            (device.user_id, device.device_id, device.curve25519, device.ed25519),
        )

    await world.machine.run(shown)
    for peer in (known, idle, active):
        await world.share(peer)
    clock.advance(timedelta(days=20).total_seconds())
    await world.take(active.olm(world.machine.device, "m.dummy", {}))
    clock.advance(timedelta(days=20).total_seconds())
    await world.take(b"{}")
    assert await rows(world, "olm_session") == 2
    assert (await world.share(idle)).counts == {"undecryptable": 1}
    for peer in (known, active):
        assert "undecryptable" not in (await world.share(peer)).counts
