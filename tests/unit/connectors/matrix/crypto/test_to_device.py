import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import vodozemac

from bridge.model import DeviceTrust, Provenance
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto import olm_sessions, unpadded
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import ExportedKey, Wedged
from tests.unit.connectors.matrix.crypto.peer import (
    MEGOLM,
    OLM,
    OWN,
    ROOM,
    Peer,
    know,
    opened,
    said,
)
from tests.unit.connectors.matrix.crypto.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The recorder with an empty store."""
    machine = await opened(tmp_path / "a.db")
    yield World(machine)
    await machine.aclose()


async def test_a_room_key_is_reported_and_fresh_once(world: World) -> None:
    """The report names the session; the session is fresh until that was asked."""
    peer = await world.peer()
    report = await world.take(peer.room_key(world.machine.device))
    assert report.keys == ((ROOM, peer.group.session_id),)
    assert world.machine.fresh() == {peer.group.session_id}
    assert world.machine.fresh() == frozenset()


async def test_a_repeated_message_changes_nothing(world: World) -> None:
    """The same Olm message, sent again as another one, is known, and nobody is wedged by it."""
    peer = await world.peer()
    first = peer.room_key(world.machine.device)
    second = peer.olm(world.machine.device, "m.dummy", {})
    await world.take(first, second)
    report = await world.take(first, second, first)
    assert report.counts == {"repeated": 3}
    assert report.wedged == ()
    report = await world.take(peer.olm(world.machine.device, "m.dummy", {}))
    assert report.counts == {"dummy": 1}


async def test_a_repeated_message_to_the_fallback_key_changes_nothing(world: World) -> None:
    """The fallback key opens a message any number of times; the recorder takes it once."""
    await world.server.filled(world.machine)
    world.server.one_time.clear()
    peer = Peer()
    peer.begin(world.machine.device, world.server.claim())
    first = peer.room_key(world.machine.device)
    assert (await world.take(first)).counts == {"room_key": 1}
    assert (await world.take(first)).counts == {"repeated": 1}


async def test_messages_come_in_any_order_and_both_ways(world: World) -> None:
    """Later messages of a session may come first, and our answer makes them normal ones."""
    peer = await world.peer()
    device = world.machine.device
    messages = [peer.olm(device, "m.dummy", {"n": n}) for n in range(4)]
    assert (await world.take(*reversed(messages))).counts == {"dummy": 4}

    def answered(transaction: Transaction) -> JsonObject:
        return olm_sessions.encrypt(transaction, peer.device, "m.dummy", {"to": "you"})

    content = await world.machine.run(answered)
    sealed = content["ciphertext"]
    assert isinstance(sealed, dict)
    mine = sealed[peer.device.curve25519]
    assert peer.session is not None
    data = unpadded.decode(str(mine["body"]))
    assert data is not None
    clear = peer.session.decrypt(vodozemac.AnyOlmMessage.from_parts(int(mine["type"]), data))
    assert json.loads(clear)["recipient"] == peer.device.user_id
    normal = peer.olm(device, "m.dummy", {})
    assert b'"type": 1' in normal
    assert (await world.take(normal)).counts == {"dummy": 1}


MALFORMED: list[tuple[str, bytes]] = [
    ("malformed", b""),
    ("malformed", b"[]"),
    ("malformed", b'{"type":"m.room.encrypted"}'),
    ("malformed", b'{"type":"m.room.encrypted","sender":"@a:b","content":[]}'),
    ("malformed", b'{"type":7,"sender":"@a:b","content":{}}'),
    ("malformed", b"[" * 100_000),
    ("malformed", b'{"type":"m.dummy","sender":"\\ud800","content":{}}'),
    ("unknown_algorithm", b'{"type":"m.room.encrypted","sender":"@a:b","content":{}}'),
    (
        "malformed",
        b'{"type":"m.room.encrypted","sender":"@a:b","content":{"algorithm":"%s"}}' % OLM.encode(),
    ),
    ("ignored", b'{"type":"m.room_key_request","sender":"@a:b","content":{}}'),
    ("secret_refused", b'{"type":"m.secret.send","sender":"@a:b","content":{"secret":"x"}}'),
    ("malformed", b'{"type":"m.room_key.withheld","sender":"@a:b","content":{"code":"m.no_olm"}}'),
]


@pytest.mark.parametrize(("became", "raw"), MALFORMED)
async def test_a_malformed_message_costs_its_neighbours_nothing(
    world: World, became: str, raw: bytes
) -> None:
    """Between two room keys it is counted by what is wrong with it, and both keys are taken."""
    one, other = await world.peer(), await world.peer("@bob:example.org")
    device = world.machine.device
    report = await world.take(one.room_key(device), raw, other.room_key(device))
    assert report.counts == {"room_key": 2, became: 1}
    assert await world.machine.taken() == 3


@pytest.mark.parametrize(
    ("became", "wrong"),
    [
        ("not_for_us", {"ciphertext": {}}),
        ("not_for_us", {"ciphertext": 7}),
        ("malformed", {"sender_key": None}),
        ("malformed", {"sender_key": "AAAA"}),
        ("malformed", {"sender_key": 7}),
        ("malformed", {"type": 2}),
        ("malformed", {"type": "0"}),
        ("malformed", {"body": None}),
        ("malformed", {"body": "%%%"}),
        ("malformed", {"body": ""}),
        ("malformed", {"type": 1, "body": "%%%"}),
        ("malformed", {"type": 1, "body": "AAAA"}),
    ],
)
async def test_a_malformed_envelope_is_named(world: World, became: str, wrong: JsonObject) -> None:
    """Each part of an Olm envelope that is wrong is a reason; the true message opens later."""
    peer = await world.peer()
    device = world.machine.device
    true = peer.room_key(device)
    message = json.loads(true)
    sealed = message["content"]["ciphertext"][device.curve25519]
    for name, value in wrong.items():
        (sealed if name in {"type", "body"} else message["content"])[name] = value
    assert (await world.take(json.dumps(message).encode())).counts == {became: 1}
    assert (await world.take(true)).counts == {"room_key": 1}


async def test_an_altered_message_takes_nothing_from_the_true_one(world: World) -> None:
    """Neither its one-time key nor its place in the session is used up by a changed byte."""
    peer = await world.peer()
    device = world.machine.device
    for true in (peer.room_key(device), peer.olm(device, "m.dummy", {})):
        message = json.loads(true)
        sealed = message["content"]["ciphertext"][device.curve25519]
        body = bytearray(unpadded.decode(sealed["body"]) or b"")
        body[-12] ^= 1
        sealed["body"] = unpadded.encode(bytes(body))
        report = await world.take(json.dumps(message).encode())
        assert report.counts == {"undecryptable": 1}
        assert sum((await world.take(true)).counts.values()) == 1
    assert peer.group.session_id in world.machine.fresh()


@pytest.mark.parametrize(
    ("became", "altered"),
    [
        ("false_sender", {"sender": "@eve:example.org"}),
        ("false_sender", {"sender": None}),
        ("false_sender", {"keys": {}}),
        ("false_recipient", {"recipient": "@eve:example.org"}),
        ("false_recipient", {"recipient_keys": {"ed25519": "AAAA"}}),
        ("false_recipient", {"recipient_keys": 7}),
        ("malformed", {"content": []}),
        ("malformed", {"type": None}),
    ],
)
async def test_a_false_payload_gives_no_key(world: World, became: str, altered: JsonObject) -> None:
    """A message that names another sender or recipient is not taken; its session goes on."""
    peer = await world.peer()
    device = world.machine.device
    report = await world.take(
        peer.olm(device, "m.room_key", peer.room_key_content(), **altered), peer.room_key(device)
    )
    assert report.counts == {became: 1, "room_key": 1}


@pytest.mark.parametrize(
    "altered",
    [
        {"algorithm": "m.megolm.v9"},
        {"room_id": ""},
        {"room_id": "!" * 256},
        {"room_id": "no room"},
        {"room_id": "!lines\nof text:example.org"},
        {"room_id": 7},
        {"session_id": "another"},
        {"session_key": "AAAA"},
        {"session_key": None},
    ],
)
async def test_a_malformed_room_key_is_not_taken(world: World, altered: JsonObject) -> None:
    """A key that is none, or is named by another session's name, is malformed."""
    peer = await world.peer()
    content = peer.room_key_content() | altered
    report = await world.take(peer.olm(world.machine.device, "m.room_key", content))
    assert report.counts == {"malformed": 1}
    assert report.keys == ()


async def test_a_room_key_in_the_clear_is_refused(world: World) -> None:
    """Nobody knows who sent what was not encrypted."""
    peer = await world.peer()
    report = await world.take(
        peer.plain("m.room_key", peer.room_key_content()),
        peer.plain("m.forwarded_room_key", peer.room_key_content()),
    )
    assert report.counts == {"plain_key_refused": 2}


async def test_a_lost_session_wedges_its_device_until_it_begins_anew(world: World) -> None:
    """A message of a session we do not have names the device; a new session is heard."""
    peer = await world.peer()
    device = world.machine.device
    await world.take(peer.room_key(device))
    await world.machine.run(lambda tx: tx.execute("DELETE FROM olm_session").close())
    report = await world.take(peer.olm(device, "m.dummy", {}), peer.olm(device, "m.dummy", {}))
    assert report.counts == {"undecryptable": 2}
    assert report.wedged == (
        Wedged(user_id=peer.device.user_id, curve25519=peer.device.curve25519),
    )
    peer.begin(device, world.server.claim())
    assert (await world.take(peer.olm(device, "m.dummy", {}))).counts == {"dummy": 1}


async def test_a_damaged_session_is_passed_over(world: World) -> None:
    """A session that cannot be read counts as none: its device is wedged, its neighbours not."""
    peer, other = await world.peer(), await world.peer("@bob:example.org")
    device = world.machine.device
    await world.take(peer.room_key(device), other.room_key(device))
    await world.machine.run(
        lambda tx: tx.execute(
            "UPDATE olm_session SET pickle = 'x' WHERE sender_key = ?", (peer.device.curve25519,)
        ).close()
    )
    report = await world.take(peer.olm(device, "m.dummy", {}), other.olm(device, "m.dummy", {}))
    assert report.counts == {"undecryptable": 1, "dummy": 1}


async def test_sessions_of_one_device_are_bounded(world: World) -> None:
    """A device that begins sessions without end keeps the latest of them, and is heard."""
    peer = await world.peer()
    device = world.machine.device
    for _ in range(olm_sessions.MOST_SESSIONS + 5):
        await world.server.filled(world.machine)
        peer.begin(device, world.server.claim())
        await world.take(peer.olm(device, "m.dummy", {}))
    [count] = await world.machine.run(
        lambda tx: tx.execute("SELECT count(*) FROM olm_session").fetchone()
    )
    assert count == olm_sessions.MOST_SESSIONS
    assert (await world.take(peer.room_key(device))).counts == {"room_key": 1}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("m.unverified", "m.unverified"),
        ("m.blacklisted", "m.blacklisted"),
        ("m.unauthorised", "m.unauthorised"),
        ("m.unavailable", "m.unavailable"),
        ("ignore all\nprevious", "other"),
        (7, "other"),
    ],
)
async def test_a_withheld_key_is_counted_until_it_comes(
    world: World, sent: str | int, kept: str
) -> None:
    """The code is counted, the event says it, and the sender's own words are nowhere."""
    peer = await world.peer()
    content: JsonObject = {
        "algorithm": MEGOLM,
        "room_id": ROOM,
        "session_id": peer.group.session_id,
        "sender_key": peer.device.curve25519,
        "code": sent,
        "reason": "because of a reason",
    }
    key = peer.room_key(world.machine.device)
    said_before = peer.say("hello")
    report = await world.take(peer.plain("m.room_key.withheld", content))
    assert report.counts == {"withheld": 1}
    assert await world.withheld() == [(kept, 1)]
    [answer] = await world.machine.decrypt([said_before])
    assert answer.clear is None
    assert answer.why == f"its sender withholds the key ({kept})"
    await world.take(key)
    assert await world.withheld() == []
    [answer] = await world.machine.decrypt([said_before])
    assert said(answer.clear) == "hello"


async def test_a_sender_without_olm_is_counted_and_wedged(world: World) -> None:
    """``m.no_olm`` names no session: a session is to be begun, and the count ends with a key."""
    peer = await world.peer()
    content: JsonObject = {
        "algorithm": MEGOLM,
        "sender_key": peer.device.curve25519,
        "code": "m.no_olm",
    }
    report = await world.take(peer.plain("m.room_key.withheld", content))
    assert [each.curve25519 for each in report.wedged] == [peer.device.curve25519]
    assert await world.withheld() == [("m.no_olm", 1)]
    await world.take(peer.room_key(world.machine.device))
    assert await world.withheld() == []


def forwarded(peer: Peer) -> JsonObject:
    """What an ``m.forwarded_room_key`` says of the peer's session."""
    return {
        "algorithm": MEGOLM,
        "room_id": ROOM,
        "session_id": peer.group.session_id,
        "session_key": peer.exported(),
        "sender_key": peer.device.curve25519,
        "sender_claimed_ed25519_key": peer.device.ed25519,
        "forwarding_curve25519_key_chain": [],
    }


@pytest.mark.parametrize("user_id", [OWN, "@bob:example.org"])
async def test_a_forwarded_key_is_refused(world: World, user_id: str) -> None:
    """We ask for none: not even a device that our own identity is said to have signed gives one."""
    author, forwarder = await world.peer(), await world.peer(user_id, "PHONE")
    await know(world.machine, forwarder, DeviceTrust.SIGNED)
    content = forwarded(author)
    request = author.say("hello")
    report = await world.take(forwarder.olm(world.machine.device, "m.forwarded_room_key", content))
    assert (report.counts, report.keys) == ({"forward_refused": 1}, ())
    [answer] = await world.machine.decrypt([request])
    assert answer.clear is None


async def test_what_we_cannot_handle_costs_its_neighbours_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message on which our own code fails is passed over, and all others are taken whole."""
    one, other = await world.peer(), await world.peer("@bob:example.org")
    device = world.machine.device
    messages = (
        one.room_key(device),
        b'{"type":"m.dummy","sender":"@a:b","content":{}}',
        other.room_key(device),
    )

    def decoded(raw: bytes) -> JsonObject:
        if raw == messages[1]:
            raise RecursionError
        found: JsonObject = json.loads(raw)
        return found

    monkeypatch.setattr("connectors.matrix.crypto.to_device.decode", decoded)
    report = await world.take(*messages)
    assert report.counts == {"room_key": 2, "malformed": 1}


async def test_imported_keys_that_are_malformed_are_passed_over(world: World) -> None:
    """Those beside them are taken; the same ones again are not new."""
    peer = await world.peer()
    request = peer.say("hello")
    good = ExportedKey(
        room_id=ROOM,
        session_id=peer.group.session_id,
        sender_key=peer.device.curve25519,
        ed25519=peer.device.ed25519,
        session_key=Peer().exported(),
    )
    first = ExportedKey(
        room_id=ROOM,
        session_id="another",
        sender_key=peer.device.curve25519,
        ed25519="",
        session_key="%%%",
    )
    assert await world.machine.import_keys([first, good], Provenance.IMPORT) == 0
    late = ExportedKey(
        room_id=ROOM,
        session_id=peer.group.session_id,
        sender_key=peer.device.curve25519,
        ed25519=peer.device.ed25519,
        session_key=peer.exported(),
    )
    assert await world.machine.import_keys([first, late], Provenance.IMPORT) == 1
    assert await world.machine.import_keys([late], Provenance.IMPORT) == 0
    [answer] = await world.machine.decrypt([request])
    assert answer.why == "its session's key begins at a later message"
