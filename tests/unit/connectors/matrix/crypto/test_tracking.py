"""Whose devices are asked for, when, and what a question that fails costs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.model import DeviceTrust
from connectors.matrix.crypto.directory import Directory
from connectors.matrix.crypto.tracking import MOST_REFUSED, PORTION, Tracking
from tests.fakes.homeserver.answers import Reply
from tests.unit.connectors.matrix.crypto.account_server import USER
from tests.unit.connectors.matrix.crypto.keys_scene import (
    ALICE,
    BOB,
    KeysScene,
    identity,
    keys_scene,
    publish_identity,
)
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

FAR = "@carol:far.example"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[KeysScene]:
    """A recorder and a server of keys."""
    async with keys_scene(tmp_path) as made:
        yield made


async def test_who_is_tracked_is_asked_for_once(scene: KeysScene) -> None:
    """We ourselves and those named; a second round asks for nobody."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    scene.upkeep.track([ALICE, "no user", ALICE])
    await scene.work()
    assert scene.server.queried == [[ALICE, USER]]
    assert await scene.knows(alice) == ("PHONE", DeviceTrust.NO_IDENTITY)
    scene.upkeep.track([ALICE])
    await scene.work(10)
    assert len(scene.server.queried) == 1


async def test_who_changed_is_asked_for_again(scene: KeysScene) -> None:
    """Only if tracked; who left is not until named again."""
    scene.upkeep.track([ALICE, BOB])
    await scene.work()
    scene.upkeep.after_sync(None, [ALICE, FAR], [])
    await scene.work()
    assert scene.server.queried[1:] == [[ALICE]]
    scene.upkeep.after_sync(None, [], [BOB, USER])
    scene.upkeep.after_sync(None, [BOB, USER], [])
    await scene.work()
    assert scene.server.queried[2:] == [[USER]]
    scene.upkeep.track([BOB])
    await scene.work()
    assert scene.server.queried[3:] == [[BOB]]


async def test_all_are_asked_for_after_a_restart(scene: KeysScene) -> None:
    """What changed while we were away may not have been told."""
    scene.upkeep.track([ALICE, BOB])
    await scene.work()
    scene.restart()
    await scene.work()
    assert scene.server.queried == [[ALICE, BOB, USER]] * 2


async def test_portions(scene: KeysScene) -> None:
    """Never more than 250 at a time, and all in one round."""
    scene.upkeep.track(f"@user{n:04d}:dept.example" for n in range(2 * PORTION + 10))
    await scene.work()
    assert [len(portion) for portion in scene.server.queried] == [PORTION, PORTION, 11]


async def test_a_change_during_a_question(scene: KeysScene) -> None:
    """It is asked for again: the answer may be older."""

    def changed(body: bytes) -> bytes:
        scene.upkeep.after_sync(None, [ALICE], [])
        return body

    scene.upkeep.track([ALICE])
    scene.server.answer("/keys/query", Reply(change=changed))
    await scene.work()
    await scene.work()
    assert scene.server.queried == [[ALICE, USER], [ALICE]]


async def test_a_server_that_does_not_answer(scene: KeysScene) -> None:
    """It is tried again later and later, logged by name alone, and never raised."""
    scene.upkeep.track([ALICE])
    scene.server.answer("/keys/query", Reply(status=502), times=2)
    with capture_logs() as logs:
        await scene.work()
    assert [each["event"] for each in logs if each["log_level"] == "warning"] == [
        "devices_not_asked"
    ]
    assert ALICE not in str(logs)
    await scene.work(1)
    assert scene.server.calls.count("/keys/query") == 1
    await scene.work(1.1)
    await scene.work(2)
    assert scene.server.calls.count("/keys/query") == 2
    await scene.work(2.1)
    assert scene.server.queried == [[ALICE, USER]]


async def test_a_server_of_others_that_does_not_answer(scene: KeysScene) -> None:
    """Its users rest; all others are answered and not asked for again."""
    carol = OlmClient(FAR, "FAR")
    scene.server.enrol(carol)
    scene.server.silent.add("far.example")
    scene.upkeep.track([ALICE, FAR])
    await scene.work()
    await scene.work(1)
    assert len(scene.server.queried) == 1
    scene.server.silent.clear()
    await scene.work(1.1)
    assert scene.server.queried[1:] == [[FAR]]
    assert await scene.knows(carol) == ("FAR", DeviceTrust.NO_IDENTITY)


async def test_a_user_whom_the_server_refuses(scene: KeysScene) -> None:
    """The question is asked in smaller ones until only that user is put off."""
    bad = "@refused:dept.example"
    users = [f"@user{n:02d}:dept.example" for n in range(20)]
    scene.server.refused.add(bad)
    scene.upkeep.track([*users, bad])
    await scene.work()
    answered = {user_id for portion in scene.server.queried for user_id in portion}
    assert answered == {*users, USER}
    before = len(scene.server.calls)
    await scene.work(1)
    assert len(scene.server.calls) == before


async def test_a_server_that_refuses_every_user(scene: KeysScene) -> None:
    """After a few of them the question is put off as a whole."""
    users = [f"@user{n:03d}:dept.example" for n in range(100)]
    scene.server.refused.update([*users, USER])
    scene.upkeep.track(users)
    with capture_logs() as logs:
        await scene.work()
    assert [each["event"] for each in logs].count("devices_not_told") == MOST_REFUSED
    assert "devices_not_asked" in {each["event"] for each in logs}
    assert len(scene.server.calls) < 4 + 2 * MOST_REFUSED
    scene.server.refused.clear()
    await scene.work(2.1)
    assert sorted(user for portion in scene.server.queried for user in portion) == [USER, *users]


async def test_many_oddities_make_few_words(scene: KeysScene) -> None:
    """A server that invents devices of ours does not flood what operators read."""
    for number in range(20):
        scene.server.enrol(OlmClient(USER, f"FALSE{number:02d}"), one_time=0)
    scene.server.enrol(OlmClient(USER, "LINES\nOF TEXT"), one_time=0)
    await scene.work()
    [trouble] = scene.troubles()
    assert "FALSE04 and 15 more" in trouble
    assert trouble.isprintable()


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"device_keys":[]}'])
async def test_an_answer_that_is_none(scene: KeysScene, body: bytes) -> None:
    """Nobody's devices are taken to be gone by it; it is asked again later."""
    alice = OlmClient(ALICE, "PHONE")
    scene.server.enrol(alice)
    scene.upkeep.track([ALICE])
    await scene.work()
    scene.upkeep.after_sync(None, [ALICE], [])
    scene.server.answer("/keys/query", Reply(body=body))
    await scene.work()
    assert await scene.knows(alice) == ("PHONE", DeviceTrust.NO_IDENTITY)
    await scene.work(2.1)
    assert scene.server.queried == [[ALICE, USER], [ALICE]]


async def test_what_is_odd_is_told(scene: KeysScene) -> None:
    """A replaced identity and a second device of ours, by their names, after a restart too."""
    alice, second = OlmClient(ALICE, "PHONE"), OlmClient(USER, "SECOND")
    scene.server.enrol(alice)
    publish_identity(scene.server, identity(ALICE, 1), alice)
    scene.upkeep.track([ALICE])
    await scene.work()
    assert scene.troubles() == ()
    assert await scene.knows(alice) == ("PHONE", DeviceTrust.SIGNED)
    publish_identity(scene.server, identity(ALICE, 5))
    scene.server.enrol(second)
    scene.upkeep.after_sync(None, [ALICE, USER], [])
    with capture_logs() as logs:
        await scene.work()
    assert "identity_changed" in {each["event"] for each in logs}
    assert await scene.knows(alice) == ("PHONE", DeviceTrust.UNSIGNED)
    identity_trouble, device_trouble = scene.troubles()
    assert ALICE in identity_trouble
    assert "SECOND" in device_trouble
    scene.restart()
    await scene.work()
    assert scene.troubles() == (identity_trouble, device_trouble)
    await scene.work(8 * 86_400)
    assert scene.troubles() == (device_trouble,)


async def test_a_user_with_more_devices_than_are_read(
    scene: KeysScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is found by name until he has fewer; what is logged counts his devices alone."""
    monkeypatch.setattr("connectors.matrix.crypto.devices.MOST_DEVICES", 2)
    for number in range(5):
        scene.server.enrol(OlmClient(ALICE, f"D{number}"), one_time=0)
    tracking = Tracking(machine=scene.machine, directory=Directory(scene.http), clock=scene.clock)
    tracking.track([ALICE])
    with capture_logs() as logs:
        assert not await tracking.step()
    [told] = [each for each in logs if each["event"] == "devices_not_read"]
    assert told["count"] == 3
    assert ALICE not in str(logs)
    assert tracking.findings.crowded == (ALICE,)
    for number in range(2, 5):
        scene.server.of(ALICE, f"D{number}").keys = {}
    tracking.changed([ALICE])
    await tracking.step()
    found = tracking.findings
    assert found.crowded == ()


async def test_a_glance_at_who_is_not_tracked(scene: KeysScene) -> None:
    """The valid devices are told, nothing is written down, and what fails holds up nobody."""
    alice, forged = OlmClient(ALICE, "PHONE"), OlmClient(ALICE, "FORGED")
    for each in (alice, forged):
        scene.server.enrol(each)
    scene.server.of(ALICE, "FORGED").keys |= {"signatures": {}}
    tracking = Tracking(machine=scene.machine, directory=Directory(scene.http), clock=scene.clock)
    assert [each.olm for each in await tracking.glance([ALICE, "no user"])] == [alice.device]
    assert await scene.knows(alice) == (None, DeviceTrust.UNKNOWN)
    assert await tracking.glance(["no user"]) == ()
    for reply in (Reply(status=502), Reply(body=b"[]")):
        scene.server.answer("/keys/query", reply)
        asked = len(scene.server.calls)
        for _ in range(2):
            assert await tracking.glance([ALICE]) == ()
        assert len(scene.server.calls) == asked + 1
        scene.clock.advance(10)
    scene.server.silent.add("far.example")
    assert [each.olm for each in await tracking.glance([ALICE, FAR])] == [alice.device]
    assert await tracking.glance([ALICE]) == ()
    tracking.track([ALICE])
    assert not await tracking.step()
    assert scene.server.queried[-1] == [ALICE, USER]


async def test_devices_with_other_keys_are_logged(scene: KeysScene) -> None:
    """Counted, without names."""
    scene.server.enrol(OlmClient(ALICE, "PHONE"))
    scene.upkeep.track([ALICE])
    await scene.work()
    scene.server.enrol(OlmClient(ALICE, "PHONE"))
    scene.upkeep.after_sync(None, [ALICE], [])
    with capture_logs() as logs:
        await scene.work()
    [told] = [each for each in logs if each["event"] == "devices_refused"]
    assert told["changed"] == 1
    assert "PHONE" not in json.dumps(told)


async def test_a_user_is_asked_for_at_once(scene: KeysScene) -> None:
    """Who is known and did not change is not asked for; a pause of the server is kept."""
    alice, bob = OlmClient(ALICE, "PHONE"), OlmClient(BOB, "PHONE")
    scene.server.enrol(alice)
    scene.server.enrol(bob)
    await scene.upkeep.ask([ALICE])
    await scene.upkeep.ask([ALICE])
    assert scene.server.queried == [[ALICE]]
    assert await scene.knows(alice) == ("PHONE", DeviceTrust.NO_IDENTITY)
    scene.server.answer("/keys/query", Reply(status=502))
    await scene.upkeep.ask([BOB])
    await scene.upkeep.ask([BOB])
    assert scene.server.calls.count("/keys/query") == 2
    await scene.work(2.1)
    assert scene.server.queried == [[ALICE], [BOB, USER]]
