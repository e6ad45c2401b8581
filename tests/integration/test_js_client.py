"""The client that is not ours, against a real homeserver: what it shares, and with whom."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import File
from tests.clients.js_client import JsClient
from tests.clients.js_process import JsClientError, JsProcess
from tests.servers.synapse import MARKS

pytestmark = [*MARKS, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def js(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[JsProcess]:
    """One process for the clients of all tests."""
    async with JsProcess(log=tmp_path_factory.mktemp("js") / "js.log") as process:
        yield process


async def _person(homeserver: Homeserver, name: str) -> Account:
    return await homeserver.register(f"js-{name}", f"password of {name}", name.title())


async def _pair(js: JsProcess, homeserver: Homeserver, test: str) -> tuple[JsClient, JsClient]:
    """Two people, neither device cross-signed."""
    accounts = [await _person(homeserver, f"{who}-{test}") for who in ("clerk", "mayor")]
    logins = (JsClient.login(js, homeserver=homeserver.url, account=each) for each in accounts)
    clerk, mayor = await asyncio.gather(*logins)
    return clerk, mayor


async def _room(clerk: JsClient, mayor: JsClient) -> str:
    room = await clerk.create_room("Floods", invite=[mayor.user_id])
    await mayor.join(room)
    await clerk.member(room, mayor.user_id)
    return room


def _relation(relates_to: Mapping[str, Json] | None) -> tuple[Json, Json]:
    assert relates_to is not None
    return relates_to.get("rel_type"), relates_to.get("event_id")


async def test_two_clients_talk_encrypted(js: JsProcess, homeserver: Homeserver) -> None:
    """Messages, edits, replies and files cross encrypted; reactions and redactions in the clear."""
    clerk, mayor = await _pair(js, homeserver, "talk")
    room = await _room(clerk, mayor)
    file = File(name="plan.png", data=b"\x89PNG\r\n\x1a\n" + bytes(range(256)), type="image/png")
    said = await clerk.text(room, "Open the sluice at six")
    edited = await clerk.edit(room, said.event_id, "Open the sluice at seven")
    answered = await clerk.reply(room, said.event_id, "Agreed?")
    sent = await clerk.attach(room, file)
    shown = await mayor.decrypted(said.event_id)
    assert (shown.type, shown.body, shown.sender) == (
        "m.room.message",
        "Open the sluice at six",
        clerk.user_id,
    )
    assert (shown.encrypted, shown.session_id) == (True, said.session_id)
    assert (shown.shield, shown.shield_reason) == ("RED", "UNSIGNED_DEVICE")
    edit = await mayor.decrypted(edited.event_id)
    assert _relation(edit.relates_to) == ("m.replace", said.event_id)
    assert (await mayor.decrypted(answered.event_id)).body == "Agreed?"
    assert await mayor.download(await mayor.decrypted(sent.event_id)) == file.data
    reaction = await mayor.react(room, said.event_id, "👍")
    redaction = await mayor.redact(room, reaction.event_id, "too soon")
    assert reaction.session_id is None
    assert not (await clerk.shown(reaction.event_id)).encrypted
    assert (await clerk.shown(redaction.event_id)).redacts == reaction.event_id


async def test_a_discarded_session_is_not_used_again(js: JsProcess, homeserver: Homeserver) -> None:
    """A rotation gives the next message a new key, and so does the limit of the room."""
    clerk, mayor = await _pair(js, homeserver, "rotate")
    room = await _room(clerk, mayor)
    first = await clerk.text(room, "one")
    second = await clerk.text(room, "two")
    await clerk.rotate(room)
    third = await clerk.text(room, "three")
    assert first.session_id == second.session_id
    assert third.session_id not in {None, first.session_id}
    assert (await mayor.decrypted(third.event_id)).body == "three"
    short = await clerk.create_room("Short keys", rotation_messages=1)
    assert len({(await clerk.text(short, body)).session_id for body in "ab"}) == 2


async def test_keys_for_signed_devices_only(js: JsProcess, homeserver: Homeserver) -> None:
    """OnlySigned withholds from an unsigned device, and shares once its owner has signed it."""
    clerk, mayor = await _pair(js, homeserver, "signed")
    await clerk.bootstrap()
    await clerk.isolate(only_signed=True)
    room = await _room(clerk, mayor)
    unseen = await clerk.text(room, "for signed devices")
    shown = await mayor.shown(unseen.event_id)
    assert shown.failure == "MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE"
    assert [
        (notice.room_id, notice.session_id, notice.code) for notice in await mayor.withheld()
    ] == [(room, unseen.session_id, "m.unverified")]
    await mayor.bootstrap()
    assert (await clerk.device(mayor.user_id, mayor.device_id)).signed_by_owner
    seen = await clerk.text(room, "for signed devices, once more")
    assert (await mayor.decrypted(seen.event_id)).body == "for signed devices, once more"
    # The first key is not sent again; a file brings it.
    await mayor.import_keys(await clerk.export_keys())
    assert (await mayor.decrypted(unseen.event_id)).body == "for signed devices"
    await clerk.isolate(only_signed=False)
    assert (await mayor.decrypted((await clerk.text(room, "all")).event_id)).body == "all"


async def test_trust_as_a_client_sees_it(js: JsProcess, homeserver: Homeserver) -> None:
    """A device is unsigned, then signed by its owner, then verified through the owner."""
    clerk, mayor = await _pair(js, homeserver, "trust")
    await clerk.bootstrap()
    await _room(clerk, mayor)
    plain = await clerk.device(mayor.user_id, mayor.device_id, signed=False)
    assert (plain.known, plain.cross_signing_verified, plain.verified) == (True, False, False)
    assert not (await clerk.identity(mayor.user_id)).published
    await mayor.bootstrap()
    signed = await clerk.device(mayor.user_id, mayor.device_id)
    assert (signed.cross_signing_verified, signed.verified) == (False, False)
    await clerk.verify_user(mayor.user_id)
    (verified,) = await clerk.devices(mayor.user_id)
    assert (verified.cross_signing_verified, verified.verified) == (True, True)
    assert (await clerk.identity(mayor.user_id)).verified
    await mayor.verify_device(clerk.user_id, clerk.device_id)
    (local,) = await mayor.devices(clerk.user_id)
    assert (local.locally_verified, local.cross_signing_verified) == (True, False)


async def test_a_replaced_device_comes_back(js: JsProcess, homeserver: Homeserver) -> None:
    """With the recovery key a new device is signed by the old identity and has the old keys."""
    account = await _person(homeserver, "mayor-recover")
    other = await _person(homeserver, "clerk-recover")
    clerk = await JsClient.login(js, homeserver=homeserver.url, account=other)
    mayor = await JsClient.login(js, homeserver=homeserver.url, account=account)
    await mayor.bootstrap()
    recovery_key = await mayor.new_secret_storage()
    await mayor.backup_on()
    room = await _room(clerk, mayor)
    said = await clerk.text(room, "before the loss")
    await mayor.decrypted(said.event_id)
    assert await mayor.back_up() == 1
    await mayor.logout()
    mayor = await JsClient.login(js, homeserver=homeserver.url, account=account)
    assert (await mayor.shown(said.event_id)).failure is not None
    with pytest.raises(JsClientError):
        await mayor.open_secret_storage("EsTW not a recovery key")
    await mayor.open_secret_storage(recovery_key)
    assert (await clerk.device(mayor.user_id, mayor.device_id)).signed_by_owner
    assert (await mayor.restore()).imported >= 1
    assert (await mayor.decrypted(said.event_id)).body == "before the loss"
    await mayor.backup_off()


async def test_a_dead_client_is_an_error(tmp_path: Path, homeserver: Homeserver) -> None:
    """When the process dies, calls that wait and calls to come fail at once."""
    account = await _person(homeserver, "clerk-dead")
    async with JsProcess(log=tmp_path / "js.log") as process:
        clerk = await JsClient.login(process, homeserver=homeserver.url, account=account)
        waiting = asyncio.create_task(clerk.member("!nowhere:dept.example", clerk.user_id))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        for each in (waiting, clerk.stop()):
            with pytest.raises(JsClientError) as refusal:
                await each
            assert refusal.value.code == "ended"


async def test_the_process_ends_with_its_block(tmp_path: Path) -> None:
    """A block that is cancelled leaves no process."""
    process = JsProcess(log=tmp_path / "js.log")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def block() -> None:
        async with process:
            assert process.pid is not None
            started.set_result(process.pid)
            await asyncio.Event().wait()

    running = asyncio.create_task(block())
    pid = await started
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
