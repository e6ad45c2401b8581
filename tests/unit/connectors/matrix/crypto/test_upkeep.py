"""Our keys at the server, and sessions that are begun anew."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.model import DeviceTrust
from bridge.protocols import ToDevice
from bridge.rawjson.fields import JsonObject, text
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.values import KeyCounts, Wedged
from tests.fakes.clock import START
from tests.fakes.homeserver.answers import Reply
from tests.unit.connectors.matrix.crypto.account_server import USER
from tests.unit.connectors.matrix.crypto.keys_scene import (
    ALICE,
    BOB,
    DEVICE,
    KeysScene,
    keys_scene,
)
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

HELD = 50
"""One-time keys of ours that the server has when all is well."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[KeysScene]:
    """A recorder and a server of keys."""
    async with keys_scene(tmp_path) as made:
        yield made


def counts(scene: KeysScene) -> KeyCounts:
    """What a sync tells now."""
    own = scene.server.of(USER, DEVICE)
    return KeyCounts(
        one_time=len(own.one_time),
        fallback_unused=bool(own.fallback) and not own.is_fallback_used,
    )


def wedged(client: OlmClient) -> Wedged:
    """A device that writes what we cannot read."""
    return Wedged(user_id=client.device.user_id, curve25519=client.device.curve25519)


def message(number: int, client: OlmClient, to: OlmDevice, key: str) -> ToDevice:
    """A dummy in a new session."""
    content = client.write(to, key, "m.dummy", {})
    raw: JsonObject = {
        "type": "m.room.encrypted",
        "sender": client.device.user_id,
        "content": content,
    }
    return to_device(number, raw)


def to_device(number: int, raw: JsonObject) -> ToDevice:
    """As the journal has it."""
    return ToDevice(number=number, raw=json.dumps(raw).encode(), at=START)


async def use_up(scene: KeysScene) -> None:
    """The device is published, and all its one-time keys were claimed since."""
    assert await scene.upkeep.publish_device()
    while counts(scene).one_time:
        scene.server.claim((USER, DEVICE))
    scene.upkeep.after_sync(counts(scene), [], [])


async def test_the_device_is_published(scene: KeysScene) -> None:
    """Signed by itself, with one-time keys and a fallback key; again it changes nothing."""
    assert await scene.upkeep.publish_device()
    own = scene.server.of(USER, DEVICE)
    assert own.keys
    assert counts(scene) == KeyCounts(one_time=HELD, fallback_unused=True)
    before = dict(own.one_time)
    scene.restart()
    assert await scene.upkeep.publish_device()
    assert own.one_time == before


async def test_a_device_that_cannot_be_published_yet(scene: KeysScene) -> None:
    """It is said, not raised, and to be repeated: before, no key goes under a name not ours."""
    scene.server.answer("/keys/upload", Reply(status=503))
    with capture_logs() as logs:
        assert not await scene.upkeep.publish_device()
    said = [each for each in logs if each["log_level"] == "warning"]
    assert [(each["event"], each["step"]) for each in said] == [("keys_put_off", "upload")]
    for told in (counts(scene), KeyCounts(one_time=1, fallback_unused=False)):
        scene.upkeep.after_sync(told, [], [])
        await scene.work(400)
    assert scene.server.calls.count("/keys/upload") == 1
    assert await scene.upkeep.publish_device()
    assert scene.server.of(USER, DEVICE).keys
    assert counts(scene).one_time == HELD


async def test_a_device_that_is_another_by_now(scene: KeysScene) -> None:
    """From then on nothing of ours is uploaded under its name."""
    assert await scene.upkeep.publish_device()
    scene.upkeep.withdraw()
    scene.upkeep.after_sync(KeyCounts(one_time=0, fallback_unused=False), [], [])
    await scene.work(400)
    assert scene.server.calls.count("/keys/upload") == 1


async def test_an_answer_that_was_lost(scene: KeysScene) -> None:
    """The same keys are uploaded again, which a server takes."""
    scene.server.answer("/keys/upload", Reply(cut=0))
    assert not await scene.upkeep.publish_device()
    assert counts(scene).one_time == HELD
    scene.restart()
    assert await scene.upkeep.publish_device()
    assert scene.troubles() == ()
    assert counts(scene).one_time == HELD


async def test_two_hundred_new_devices_in_a_row(scene: KeysScene) -> None:
    """Each reaches us, whether it found a one-time key or the fallback key; none is left deaf."""
    assert await scene.upkeep.publish_device()
    fallbacks = 0
    for number in range(1, 201):
        claimed = scene.server.claim((USER, DEVICE))
        [(_, document)] = claimed.items()
        fallbacks += "fallback" in document
        sender = OlmClient(f"@sender{number}:dept.example", "PHONE")
        key = text(document, "key") or ""
        report = await scene.machine.take([message(number, sender, scene.machine.device, key)])
        assert report.wedged == ()
        if number % 70 == 0:  # a sync tells of it late
            scene.upkeep.after_sync(counts(scene), [], [])
            await scene.work(3)
    assert fallbacks == (70 - HELD) + (70 - HELD) + (60 - HELD)
    scene.upkeep.after_sync(counts(scene), [], [])
    await scene.work(3600)
    assert counts(scene) == KeyCounts(one_time=HELD, fallback_unused=True)


@pytest.mark.parametrize("left", [24, 1, 0])
async def test_keys_are_replenished(scene: KeysScene, left: int) -> None:
    """When the server has under half, and when it has none at all."""
    await scene.upkeep.publish_device()
    while counts(scene).one_time > left:
        scene.server.claim((USER, DEVICE))
    scene.upkeep.after_sync(counts(scene), [], [])
    await scene.work(3)
    assert counts(scene).one_time == HELD


async def test_counts_that_say_nothing_new(scene: KeysScene) -> None:
    """Nothing is uploaded where enough is left, nor where a sync says nothing of it."""
    await scene.upkeep.publish_device()
    for told in (None, counts(scene), KeyCounts(one_time=30, fallback_unused=True), None):
        scene.upkeep.after_sync(told, [], [])
        await scene.work(3)
    assert scene.server.calls.count("/keys/upload") == 1


async def test_keys_that_a_server_has_otherwise(scene: KeysScene) -> None:
    """A store that was put back makes names that are taken: new names are found, and it is told."""
    await scene.upkeep.publish_device()
    own = scene.server.of(USER, DEVICE)
    for _ in range(HELD):
        scene.server.claim((USER, DEVICE))
    body = await scene.machine.upload(counts(scene), with_device=False)
    assert body is not None
    taken = next(iter(one_time_keys(body)))
    stranger = OlmClient(USER, DEVICE)
    [foreign] = stranger.one_time_keys(1).values()
    assert isinstance(foreign, dict)
    own.one_time[taken] = foreign
    scene.upkeep.after_sync(counts(scene), [], [])
    await scene.work(3)
    [trouble] = scene.troubles()
    assert "M_UNKNOWN" in trouble
    await scene.work(3)
    assert scene.troubles() == ()
    assert counts(scene).one_time >= HELD


def one_time_keys(body: JsonObject) -> JsonObject:
    """The one-time keys of an upload."""
    keys = body["one_time_keys"]
    assert isinstance(keys, dict)
    return keys


async def test_a_server_that_refuses_for_long(scene: KeysScene) -> None:
    """It is told of until it takes them; keys are not made anew each time."""
    await use_up(scene)
    fault = scene.server.answer(
        "/keys/upload", Reply(status=400, body=b'{"errcode":"M_UNKNOWN"}'), times=None
    )
    for _ in range(7):
        await scene.work(400)
    assert "M_UNKNOWN" in scene.troubles()[0]
    fault.times = 0
    scene.upkeep.after_sync(counts(scene), [], [])
    await scene.work(400)
    assert scene.troubles() == ()
    names = scene.server.of(USER, DEVICE).one_time
    assert len(names) == HELD
    await scene.machine.uploaded()
    body = await scene.machine.upload(
        KeyCounts(one_time=HELD - 26, fallback_unused=True), with_device=False
    )
    assert not one_time_keys(body or {}).keys() & names.keys()


async def test_a_server_that_is_away_for_long(scene: KeysScene) -> None:
    """One failure is not worth a word; the third in a row is."""
    await use_up(scene)
    scene.server.answer("/keys/upload", Reply(status=503), times=3)
    await scene.work(300)
    await scene.work(300)
    assert scene.troubles() == ()
    await scene.work(300)
    assert "cannot be uploaded" in scene.troubles()[0]
    await scene.work(300)
    assert scene.troubles() == ()


async def test_keys_that_senders_withhold(scene: KeysScene) -> None:
    """They are told of by code, with their number; what strangers say is not counted."""
    content = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "room_id": "!room:dept.example",
        "session_id": "session",
        "sender_key": OlmClient(ALICE, "PHONE").device.curve25519,
        "code": "m.unverified",
        "reason": "never repeated",
    }
    raw: JsonObject = {"type": "m.room_key.withheld", "sender": ALICE, "content": content}
    await scene.machine.take([to_device(1, raw), to_device(2, raw | {"sender": BOB})])
    scene.upkeep.track([ALICE])
    await scene.work()
    [trouble] = scene.troubles()
    assert "m.unverified 1" in trouble
    assert "never repeated" not in trouble


async def test_somebody_with_too_many_devices(
    scene: KeysScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of, with the remedy."""
    monkeypatch.setattr("connectors.matrix.crypto.devices.MOST_DEVICES", 2)
    for number in range(3):
        scene.server.enrol(OlmClient(ALICE, f"PHONE{number}"))
    scene.upkeep.track([ALICE, BOB])
    await scene.work()
    [trouble] = scene.troubles()
    assert f"these users: {ALICE}." in trouble


async def test_who_shares_no_room_is_not_tracked(scene: KeysScene) -> None:
    """A stranger whose message cannot be read is written to, and nothing is kept of it."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    scene.upkeep.wedged([wedged(alice)])
    await scene.work()
    assert len(scene.server.take_inbox(alice)) == 1
    assert await scene.knows(alice) == (None, DeviceTrust.UNKNOWN)


async def test_a_session_is_begun_anew(scene: KeysScene) -> None:
    """The device learns of it by a dummy; at most once an hour, whatever it sends."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice, one_time=5)
    scene.upkeep.wedged([wedged(alice)])
    await scene.work()
    [dummy] = scene.server.take_inbox(alice)
    assert alice.receive(dummy)["type"] == "m.dummy"
    scene.upkeep.wedged([wedged(alice)])
    await scene.work(3500)
    assert scene.server.take_inbox(alice) == []
    scene.restart()
    scene.upkeep.wedged([wedged(alice)])
    await scene.work(200)
    [dummy] = scene.server.take_inbox(alice)
    assert alice.receive(dummy)["type"] == "m.dummy"
    assert len(scene.server.of(ALICE, "PHONE").one_time) == 3


async def test_a_crash_before_a_session_was_told_of(scene: KeysScene) -> None:
    """Encrypted and not sent, it does not count: with the next message one is begun anew."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice, one_time=2)
    scene.server.answer("/sendToDevice", Reply(status=503))
    scene.upkeep.wedged([wedged(alice)])
    await scene.work()
    scene.restart()
    scene.upkeep.wedged([wedged(alice)])
    await scene.work(1)
    [dummy] = scene.server.take_inbox(alice)
    assert alice.receive(dummy)["type"] == "m.dummy"
    scene.restart()
    scene.upkeep.wedged([wedged(alice)])
    await scene.work(1)
    assert scene.server.take_inbox(alice) == []


async def test_devices_that_changed_are_asked_for_first(scene: KeysScene) -> None:
    """Of those that are asked after only; what nobody told of since is not asked for."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    scene.upkeep.track([ALICE, BOB])
    await scene.work()
    asked = len(scene.server.queried)
    await scene.upkeep.refresh([ALICE, BOB])
    assert len(scene.server.queried) == asked
    scene.upkeep.after_sync(None, [ALICE, BOB], [])
    await scene.upkeep.refresh([ALICE])
    assert scene.server.queried[asked:] == [[ALICE]]
    scene.restart()
    await scene.upkeep.refresh(["@stranger:dept.example"])
    assert len(scene.server.queried) == asked + 1


async def test_a_device_that_cannot_be_reached(scene: KeysScene) -> None:
    """Unknown, without keys, with one that it did not sign: nothing is sent, nothing raised."""
    unknown, bare = OlmClient(ALICE, "UNKNOWN"), OlmClient(ALICE, "BARE")
    forged = OlmClient(ALICE, "FORGED")
    scene.server.enrol(bare, one_time=0)
    scene.server.enrol(forged, one_time=1)
    published = scene.server.of(ALICE, "FORGED")
    published.one_time = {name: {"key": "A" * 43} for name in published.one_time}
    scene.upkeep.wedged([wedged(unknown), wedged(bare), wedged(forged)])
    await scene.work()
    assert scene.server.calls.count("/keys/claim") == 1
    assert not any("sendToDevice" in each for each in scene.server.calls)


@pytest.mark.parametrize("part", ["/keys/claim", "/sendToDevice"])
async def test_a_session_that_could_not_be_begun_yet(scene: KeysScene, part: str) -> None:
    """It is begun later; a message that was encrypted is sent again, and arrives once."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice, one_time=1)
    scene.server.answer(part, Reply(status=503))
    scene.upkeep.wedged([wedged(alice)])
    with capture_logs() as logs:
        await scene.work()
    assert ("keys_put_off", "revive") in {(each["event"], each.get("step")) for each in logs}
    await scene.work(2.1)
    [dummy] = scene.server.take_inbox(alice)
    assert alice.receive(dummy)["type"] == "m.dummy"


async def test_a_refused_account(scene: KeysScene) -> None:
    """Nothing is raised, and no keys are thrown away for it."""
    scene.http.token = "revoked"
    assert not await scene.upkeep.publish_device()
    scene.upkeep.track([ALICE])
    await scene.work()
    body = await scene.machine.upload(None, with_device=False)
    assert len(one_time_keys(body or {})) == HELD


async def test_a_store_that_cannot_be_used(scene: KeysScene) -> None:
    """Nothing is raised by it, and nothing is asked of the server."""
    scene.upkeep.track([ALICE])
    await scene.machine.aclose()
    with capture_logs() as logs:
        assert not await scene.upkeep.publish_device()
        await scene.upkeep.ask([ALICE])
        await scene.upkeep.refresh([ALICE])
        await scene.work()
    assert {("keys_put_off", "upload"), ("devices_not_asked", None), ("keys_put_off", "look")} <= {
        (each["event"], each.get("step")) for each in logs
    }
    assert scene.server.calls == []
