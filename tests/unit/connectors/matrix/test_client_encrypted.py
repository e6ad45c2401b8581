"""Encrypted groups: entered once our device is verified, and never a reason to receive later."""

from __future__ import annotations

import asyncio
import json

import pytest

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import EventKind
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, Reply
from tests.fakes.homeserver.keys import SESSION
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.unit.connectors.matrix.crypto.olm import OlmAccount
from tests.unit.connectors.matrix.encrypted_scene import Scene, keys_of, scene

__all__ = ["scene"]

DOWN = Reply(status=503, body=b"{}")


async def test_verified_before_the_first_join(scene: Scene) -> None:
    """The device and the identity are published when the invitation is answered."""
    room = scene.invitation("Permits")
    intake = scene.intake()
    await intake.start(room)
    await intake.connector.join(room)
    asked = [seen.path.removeprefix("/_matrix/client/v3") for seen in scene.server.seen]
    joined = asked.index(next(each for each in asked if each.endswith("/join")))
    for part in ("/keys/upload", "/keys/device_signing/upload", "/keys/signatures/upload"):
        assert asked.index(part) < joined
    assert keys_of(intake).ready
    assert keys_of(intake).troubles == ()
    assert len(scene.server.keys.one_time) > 0
    assert len(scene.told) == 1


async def test_a_restart_makes_nothing_anew(scene: Scene) -> None:
    """Device, identity and recovery key are found again; nothing is told twice."""
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready)
    before = dict(scene.server.keys.identity)
    devices = dict(scene.server.keys.devices)
    await intake.restart()
    await scene.until(lambda: keys_of(intake).ready)
    assert (scene.server.keys.identity, scene.server.keys.devices) == (before, devices)
    assert len(scene.told) == 1


async def test_a_password_is_given_in_the_servers_session(scene: Scene) -> None:
    """Where the server calls a try by a name, the password goes with it."""
    scene.server.keys.asks_password = PASSWORD
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready)
    [auth] = scene.server.keys.auths
    assert isinstance(auth, dict)
    assert auth["session"] == SESSION


async def test_a_homeserver_without_keys_for_a_while(scene: Scene) -> None:
    """What is received goes on; the invitation waits, with a sentence; then all is made up for."""
    fault = scene.server.answer("/keys/", DOWN, times=None)
    plain = scene.server.world.room("Plain")
    scene.server.world.member(plain, RECORDER, "invite", sender=CLERK)
    scene.server.world.join(plain, RECORDER)
    said = scene.server.world.say(plain, "Heard.")
    encrypted = scene.invitation("Encrypted")
    intake = scene.intake()
    await intake.start(plain, encrypted)
    await intake.until(lambda: said in intake.ids(plain))
    with pytest.raises(ConnectorUnavailableError, match="not verified yet"):
        await intake.connector.join(encrypted)
    assert not keys_of(intake).ready
    assert any("answers 503" in each for each in keys_of(intake).troubles)
    fault.times = 0
    await scene.until(lambda: keys_of(intake).ready)
    assert keys_of(intake).troubles == ()
    await intake.connector.join(encrypted)


async def test_an_identity_of_somebody_else(scene: Scene) -> None:
    """Refused, and told of; plain groups are entered, encrypted and unknown ones are not."""
    scene.server.keys.data["m.secret_storage.default_key"] = {"key": "theirs"}
    encrypted, plain = scene.invitation("Encrypted"), scene.invitation("Plain", encrypted=False)
    stranger = scene.server.world.room("Never asked in")
    intake = scene.intake()
    await intake.start(encrypted, plain, stranger)
    await intake.connector.join(plain)
    for room in (encrypted, stranger):
        with pytest.raises(ConnectorUnavailableError, match="secret storage"):
            await intake.connector.join(room)
    assert scene.server.keys.identity == {}
    assert not keys_of(intake).ready
    assert scene.told == []


async def test_a_recovery_key_file_that_is_not_there(scene: Scene) -> None:
    """A file that the operator named is never made: what is wrong is told, and the rest goes on."""
    scene.recovery_key_file = scene.folder / "missing"
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: bool(keys_of(intake).troubles))
    assert "no recovery key" in keys_of(intake).troubles[0]
    assert (await intake.take()).events == ()


async def test_a_token_is_that_of_its_device(scene: Scene) -> None:
    """With an access token the keys are those of the device that the server names."""
    scene.access_token = scene.server.issue("OFFICE")
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready)
    assert list(scene.server.keys.devices) == ["OFFICE"]


async def test_a_token_and_a_password(scene: Scene) -> None:
    """The token signs in; the password is given where an identity asks for it, and only there."""
    scene.server.keys.asks_password = PASSWORD
    scene.access_token = scene.server.issue("OFFICE")
    scene.has_password = True
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready)
    assert list(scene.server.keys.devices) == ["OFFICE"]
    assert len(scene.server.keys.auths) == 1
    assert scene.server.asked("/login") == []


async def test_a_token_of_another_client(scene: Scene) -> None:
    """The keys of a device that is somebody's stay as they are: nothing of ours goes under it."""
    theirs = json.dumps(OlmAccount(RECORDER, "OFFICE").device_keys())
    scene.server.keys.devices["OFFICE"] = json.loads(theirs)
    scene.access_token = scene.server.issue("OFFICE")
    intake = scene.intake()
    await intake.start()
    await intake.take()
    await scene.until(lambda: len(scene.server.asked("/keys/query")) > 4)
    assert "of no other client" in keys_of(intake).troubles[0]
    assert scene.server.keys.devices["OFFICE"] == json.loads(theirs)
    assert scene.server.asked("/keys/upload") == []
    assert not keys_of(intake).ready


async def test_a_store_that_was_lost(scene: Scene) -> None:
    """Nothing is published over the old device; without the session file there is a new one."""
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready)
    await intake.connector.aclose()
    before = json.dumps(scene.server.keys.devices)
    uploads = len(scene.server.asked("/keys/upload"))
    for file in await asyncio.to_thread(list, scene.folder.glob("*.crypto.db*")):
        await asyncio.to_thread(file.unlink)
    await intake.restart()
    await scene.until(lambda: bool(keys_of(intake).troubles))
    assert "matrix-NAME.session" in keys_of(intake).troubles[0]
    await intake.take()
    assert json.dumps(scene.server.keys.devices) == before
    assert len(scene.server.asked("/keys/upload")) == uploads
    await intake.connector.aclose()
    for file in await asyncio.to_thread(list, scene.folder.glob("*.crypto.db*")):
        await asyncio.to_thread(file.unlink)
    await asyncio.to_thread((scene.folder / "matrix-town.session").unlink)
    await intake.restart()
    await scene.until(lambda: keys_of(intake).ready)
    assert len(scene.server.keys.devices) == 2


def _wanting(*stages: str, url: str | None = None) -> Reply:
    """What a server answers that wants these steps first."""
    params = {} if url is None else {stages[0]: {"url": url}}
    answer = {"session": "s", "flows": [{"stages": stages}, 3], "params": params}
    return Reply(status=401, body=json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            _wanting("org.matrix.cross_signing_reset", url="https://account.example/approve?x=1"),
            "approved at https://account.example/approve?x=1 first",
        ),
        (_wanting("m.oauth", url="javascript:alert()"), "asks for what the recorder cannot give"),
        (_wanting("m.login.sso"), "(m.login.sso)"),
        (_wanting("m.login.password", "m.login.msisdn"), "(m.login.msisdn, m.login.password)"),
        (_wanting("<odd>"), "(it does not say what)"),
    ],
)
async def test_what_the_password_does_not_help_with(scene: Scene, reply: Reply, said: str) -> None:
    """The page for the approval is named, or what is asked for; the password is not sent."""
    fault = scene.server.answer("/device_signing/upload", reply, times=None)
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: bool(keys_of(intake).troubles))
    assert said in keys_of(intake).troubles[0]
    assert scene.server.keys.auths == []
    fault.times = 0  # approved
    await scene.until(lambda: keys_of(intake).ready)
    assert scene.server.keys.auths == []


async def test_a_token_of_no_device(scene: Scene) -> None:
    """Where the server does not name the device, encrypted groups are not entered."""
    scene.access_token = scene.server.issue()
    whoami = json.dumps({"user_id": RECORDER}).encode()
    scene.server.answer("/whoami", Reply(body=whoami), times=None)
    intake = scene.intake()
    room = scene.invitation("Encrypted")
    await intake.start(room)
    with pytest.raises(ConnectorUnavailableError, match="does not say which device"):
        await intake.connector.join(room)
    assert (await intake.take()).events == ()


async def test_a_device_that_was_deleted(scene: Scene) -> None:
    """Signed in anew as the same device, its keys are published and signed again."""
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready)
    [device_id] = scene.server.keys.devices
    keys = scene.server.keys.devices.pop(device_id)["keys"]
    scene.server.tokens.clear()
    with pytest.raises(ConnectorRejectedError):
        await intake.take()
    await intake.connector.start()
    await scene.until(lambda: device_id in scene.server.keys.devices)
    assert scene.server.keys.devices[device_id]["keys"] == keys
    await scene.until(lambda: len(scene.server.asked("/signatures/upload")) == 2)
    assert keys_of(intake).ready


async def test_without_keys_of_its_own(scene: Scene) -> None:
    """A connector that was given no place for keys has no decrypter; encrypted events stay so."""
    sign = Sign(
        homeserver=scene.server.url, user_id=RECORDER, folder=scene.folder, password=PASSWORD
    )
    intake = Intake(lambda: matrix_connector(sign, scene.clock))
    scene.intakes.append(intake)
    room = scene.invitation("Encrypted")
    assert intake.connector.decrypter is None
    await intake.start(room)
    await intake.connector.join(room)
    sent = scene.server.world.send(room, "m.room.encrypted", {"session_id": "s"})
    scene.server.world.whisper(b'{"type":"m.room_key"}')
    await intake.until(lambda: sent in intake.ids(room))
    assert intake.events[room, sent, None].kind is EventKind.ENCRYPTED
    assert [raw for batch in intake.batches for raw in batch.to_device] == []
    assert scene.server.asked("/keys/") == []
