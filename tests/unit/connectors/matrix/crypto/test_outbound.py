"""What the recorder says in an encrypted room: who can read it, and what nobody's keys cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import DeviceTrust, Provenance
from bridge.rawjson.fields import JsonObject, table
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.olm_sessions import begin
from connectors.matrix.crypto.outbound import PARCEL, Encrypted, Revival
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import MegolmRequest, Wedged
from tests.fakes.homeserver.answers import Reply
from tests.unit.connectors.matrix.crypto.account_server import USER
from tests.unit.connectors.matrix.crypto.keys_scene import (
    ALICE,
    BOB,
    DEVICE,
    ROOM,
    KeysScene,
    keys_scene,
)
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

MESSAGE = "m.room.message"
NOTICE: JsonObject = {"msgtype": "m.notice", "body": "This group is recorded."}
CLEAR: JsonObject = {"type": MESSAGE, "content": NOTICE, "room_id": ROOM}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[KeysScene]:
    """A recorder whose device is published."""
    async with keys_scene(tmp_path) as made:
        assert await made.upkeep.publish_device()
        yield made


async def said(scene: KeysScene, *users: str) -> Encrypted:
    """Encrypt the notice for these, and hand its key over."""
    encrypted = await scene.outbound.encrypted(ROOM, MESSAGE, NOTICE, [USER, *users])
    await scene.outbound.send(encrypted)
    return encrypted


def reads(scene: KeysScene, client: OlmClient, encrypted: Encrypted) -> bool:
    """Whether a device has what it takes, and reads the notice."""
    for message in scene.server.take_inbox(client):
        client.receive(message)
    try:
        return client.read(ROOM, encrypted.content) == CLEAR
    except KeyError:
        return False


async def test_every_device_reads_it(scene: KeysScene) -> None:
    """Verified or not, over a one-time key or the fallback key; users we hear of only now."""
    phone, laptop = OlmClient(ALICE, "PHONE"), OlmClient(ALICE, "LAPTOP")
    bob = OlmClient(BOB, "PHONE")
    scene.server.enrol(phone)
    scene.server.enrol(laptop, one_time=0, fallback=True)
    scene.server.enrol(bob)
    encrypted = await said(scene, ALICE, BOB)
    assert encrypted.left_out == 0
    assert all(reads(scene, each, encrypted) for each in (phone, laptop, bob))
    assert "recorded" not in str(encrypted)


async def test_our_own_echo_opens(scene: KeysScene) -> None:
    """Our copy of the key is there before anything is sent, and is nobody else's."""
    encrypted = await scene.outbound.encrypted(ROOM, MESSAGE, NOTICE, [])
    assert encrypted.parcels == ()
    await scene.work()
    request = MegolmRequest(room_id=ROOM, event_id="$echo", sender=USER, content=encrypted.content)
    [answer] = await scene.machine.decrypt([request])
    assert answer.clear is not None
    assert answer.provenance is Provenance.DIRECT
    assert (answer.device_id, answer.trust) == (DEVICE, DeviceTrust.NO_IDENTITY)
    assert encrypted.content["sender_key"] == scene.machine.device.curve25519
    assert encrypted.content["device_id"] == DEVICE


async def test_each_event_has_a_key_of_its_own(scene: KeysScene) -> None:
    """Who is given one event's key reads no other; the Olm session is used again."""
    alice, bob = OlmClient(ALICE, "PHONE"), OlmClient(BOB, "PHONE")
    scene.server.enrol(alice)
    scene.server.enrol(bob)
    first = await said(scene, ALICE)
    second = await said(scene, ALICE, BOB)
    assert first.content["session_id"] != second.content["session_id"]
    assert reads(scene, alice, first)
    assert alice.read(ROOM, second.content) == CLEAR
    assert reads(scene, bob, second)
    assert not reads(scene, bob, first)
    assert scene.server.calls.count("/keys/claim") == 2


async def test_a_relation_stands_outside(scene: KeysScene) -> None:
    """A server must see what an event answers; it sees nothing else of it."""
    relation = {"m.in_reply_to": {"event_id": "$before"}}
    content = NOTICE | {"m.relates_to": relation}
    encrypted = await scene.outbound.encrypted(ROOM, MESSAGE, content, [])
    assert encrypted.content["m.relates_to"] == relation
    assert set(encrypted.content) == {
        "algorithm",
        "ciphertext",
        "session_id",
        "sender_key",
        "device_id",
        "m.relates_to",
    }


async def test_devices_that_cannot_be_written_to(scene: KeysScene) -> None:
    """No key, a key that it did not sign, one that is none, no own signature: left out, counted."""
    good = OlmClient(ALICE, "GOOD")
    bare, forged, broken = (OlmClient(BOB, name) for name in ("BARE", "FORGED", "BROKEN"))
    false = OlmClient(BOB, "FALSE")
    for client in (good, forged, false):
        scene.server.enrol(client)
    scene.server.enrol(bare, one_time=0)
    scene.server.enrol(broken, one_time=0)
    name = next(iter(scene.server.of(BOB, "FORGED").one_time))
    [stolen] = OlmClient(BOB, "FORGED").one_time_keys(1).values()
    assert isinstance(stolen, dict)
    scene.server.of(BOB, "FORGED").one_time = {name: stolen}
    scene.server.of(BOB, "BROKEN").one_time = {name: broken.signed({"key": "A" * 43})}
    scene.server.of(BOB, "FALSE").keys |= {"signatures": {}}
    with capture_logs() as logs:
        encrypted = await said(scene, ALICE, BOB)
    assert encrypted.left_out == 4
    [told] = [each for each in logs if each["event"] == "devices_left_out"]
    assert told["count"] == 4
    assert reads(scene, good, encrypted)
    assert not any(reads(scene, each, encrypted) for each in (bare, forged, broken, false))


def copy_of(alice: OlmClient) -> tuple[OlmClient, JsonObject]:
    """A device of another user, and its keys, which show Alice's Curve25519 key for its own."""
    false = OlmClient(BOB, "COPY")
    document = false.device_keys()
    document.pop("signatures")
    keys = table(document, "keys") | {"curve25519:COPY": alice.device.curve25519}
    return false, false.signed(document | {"keys": keys})


@pytest.mark.parametrize("users", [[ALICE, BOB], [BOB]])
async def test_who_shows_anothers_key_keeps_nothing_from_it(
    scene: KeysScene, users: list[str]
) -> None:
    """What is begun with the false device is not used for the true one, before it or after."""
    alice = OlmClient(ALICE, "PHONE")
    false, keys = copy_of(alice)
    for each in (alice, false):
        scene.server.enrol(each, one_time=5)
    scene.server.of(BOB, "COPY").keys = keys
    await said(scene, *users)
    assert reads(scene, alice, await said(scene, ALICE, BOB))


async def test_a_false_device_cannot_push_sessions_out(
    scene: KeysScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many sessions are begun with it, those of the true one are there."""
    monkeypatch.setattr("connectors.matrix.crypto.olm_sessions.MOST_SESSIONS", 2)
    alice = OlmClient(ALICE, "PHONE")
    false, _ = copy_of(alice)
    scene.server.enrol(alice)
    await said(scene, ALICE)
    copied = replace(false.device, curve25519=alice.device.curve25519)
    for document in false.one_time_keys(6).values():
        assert isinstance(document, dict)
        key = str(document["key"])
        await scene.machine.run(partial(_begun, copied, key))
    assert reads(scene, alice, await said(scene, ALICE))
    assert scene.server.calls.count("/keys/claim") == 1


def _begun(recipient: OlmDevice, key: str, transaction: Transaction) -> None:
    begin(transaction, recipient, key)


async def test_devices_beyond_those_that_are_read(
    scene: KeysScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are given no key, and are counted."""
    monkeypatch.setattr("connectors.matrix.crypto.devices.MOST_DEVICES", 2)
    clients = [OlmClient(ALICE, f"D{number}") for number in range(5)]
    for client in clients:
        scene.server.enrol(client)
    encrypted = await said(scene, ALICE)
    assert encrypted.left_out == 3
    assert [reads(scene, each, encrypted) for each in clients] == [True, True, *[False] * 3]


async def test_a_session_is_begun_anew_with_a_stranger(scene: KeysScene) -> None:
    """Its device is asked for and told, at most once an hour, and nothing of it is written down."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice, one_time=5)
    wedged = Wedged(user_id=ALICE, curve25519=alice.device.curve25519)
    for _ in range(2):
        revival = await scene.outbound.revive([wedged])
        assert len(revival.parcels) == 1
    for parcel in revival.parcels:
        await scene.outbound.deliver(parcel)
    await scene.outbound.revived(revival.devices)
    assert await scene.outbound.revive([wedged]) == Revival()
    [dummy] = scene.server.take_inbox(alice)
    assert alice.receive(dummy)["type"] == "m.dummy"
    assert scene.server.queried == [[ALICE]] * 2
    await scene.work()
    assert scene.server.queried[2:] == [[USER]]
    assert await scene.knows(alice) == (None, DeviceTrust.UNKNOWN)
    scene.clock.advance(3601)
    assert len((await scene.outbound.revive([wedged])).parcels) == 1


async def test_a_false_device_does_not_stand_for_the_true_one(scene: KeysScene) -> None:
    """That a session was begun with who shows Alice's key keeps none from Alice."""
    alice = OlmClient(ALICE, "PHONE")
    false, keys = copy_of(alice)
    for each in (alice, false):
        scene.server.enrol(each)
    scene.server.of(BOB, "COPY").keys = keys
    for user_id in (BOB, ALICE):
        wedged = Wedged(user_id=user_id, curve25519=alice.device.curve25519)
        revival = await scene.outbound.revive([wedged])
        assert len(revival.parcels) == 1
        await scene.outbound.deliver(revival.parcels[0])
        await scene.outbound.revived(revival.devices)
    [dummy] = scene.server.take_inbox(alice)
    assert alice.receive(dummy)["type"] == "m.dummy"


async def test_a_device_that_is_signed_out(scene: KeysScene) -> None:
    """It is given no further key."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    await said(scene, ALICE)
    inbox = scene.server.of(ALICE, "PHONE").inbox
    scene.server.of(ALICE, "PHONE").keys = {}
    scene.upkeep.after_sync(None, [ALICE], [])
    await said(scene, ALICE)
    assert len(inbox) == 1


async def test_another_device_of_our_account(scene: KeysScene) -> None:
    """It is no member: it is given no key."""
    second = OlmClient(USER, "SECOND")
    scene.server.enrol(second)
    encrypted = await said(scene, ALICE)
    assert not reads(scene, second, encrypted)


async def test_claims_that_fail(scene: KeysScene) -> None:
    """Devices with a session are written to all the same; the others are counted."""
    alice, bob = OlmClient(ALICE, "PHONE"), OlmClient(BOB, "PHONE")
    scene.server.enrol(alice)
    scene.server.enrol(bob)
    await said(scene, ALICE)
    scene.server.answer("/keys/claim", Reply(status=502))
    encrypted = await said(scene, ALICE, BOB)
    assert encrypted.left_out == 1
    assert reads(scene, alice, encrypted)


async def test_questions_that_fail(scene: KeysScene) -> None:
    """Devices known from before are written to."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    scene.upkeep.track([ALICE])
    await scene.work()
    scene.upkeep.after_sync(None, [ALICE], [])
    scene.server.answer("/keys/query", Reply(status=502))
    assert reads(scene, alice, await said(scene, ALICE))


async def test_a_server_that_does_not_take_the_keys(scene: KeysScene) -> None:
    """The event is not to be sent: it is said. Sent again, the keys arrive once."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    encrypted = await scene.outbound.encrypted(ROOM, MESSAGE, NOTICE, [ALICE])
    scene.server.answer("/sendToDevice", Reply(status=503))
    with pytest.raises(ConnectorUnavailableError):
        await scene.outbound.send(encrypted)
    scene.server.answer("/sendToDevice", Reply(cut=1))
    with pytest.raises(ConnectorUnavailableError):
        await scene.outbound.send(encrypted)
    await scene.outbound.send(encrypted)
    assert len(scene.server.of(ALICE, "PHONE").inbox) == 1
    assert reads(scene, alice, encrypted)


async def test_a_parcel_that_is_refused(scene: KeysScene) -> None:
    """It costs the event nothing; a refusal of our account is no such thing."""
    scene.server.enrol(OlmClient(ALICE, "PHONE"))
    encrypted = await scene.outbound.encrypted(ROOM, MESSAGE, NOTICE, [ALICE])
    scene.server.answer("/sendToDevice", Reply(status=413, body=b'{"errcode":"M_TOO_LARGE"}'))
    with capture_logs() as logs:
        await scene.outbound.send(encrypted)
    assert "parcel_refused" in {each["event"] for each in logs}
    scene.http.token = "revoked"
    with pytest.raises(ConnectorRejectedError):
        await scene.outbound.send(encrypted)


async def test_many_devices(scene: KeysScene) -> None:
    """They are written to in parcels, each device once."""
    clients = [OlmClient(f"@user{n % 50}:dept.example", f"D{n}") for n in range(PARCEL + 20)]
    for client in clients:
        scene.server.enrol(client)
    encrypted = await said(scene, *(client.device.user_id for client in clients))
    assert [_written(parcel.body) for parcel in encrypted.parcels] == [PARCEL, 20]
    assert all(reads(scene, client, encrypted) for client in clients)


def _written(body: JsonObject) -> int:
    messages = table(body, "messages")
    return sum(len(table(messages, user_id)) for user_id in messages)
