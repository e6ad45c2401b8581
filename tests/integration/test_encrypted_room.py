"""An encrypted room on a real homeserver: joined once verified, captured, opened, told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from bridge.demo.official import File
from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.model import DeviceTrust, EventKind, Provenance, RelationType
from bridge.rawjson.fields import JsonObject, table, text
from tests.integration.encrypted_scene import MEGOLM, Scene, scene
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS

__all__ = ["scene"]

pytestmark = MARKS


async def test_an_encrypted_room(scene: Callable[[str], Awaitable[Scene]], tmp_path: Path) -> None:
    """Messages, an edit, a reply and a reaction are captured encrypted, and open."""
    one = await scene("whole")
    room = await one.joined("Permits")
    decrypter = one.recorder.decrypter
    assert decrypter.ready
    [told] = one.told
    key_file = tmp_path / "matrix-town.recovery-key"
    assert str(key_file) in told
    assert stat.S_IMODE((await asyncio.to_thread(key_file.stat)).st_mode) == 0o600

    sender, user = one.sender, one.user
    said = await sender.say(room, "The permit is granted.", user)
    new: JsonObject = {"msgtype": "m.text", "body": "The permit is refused."}
    replaced: JsonObject = {"rel_type": "m.replace", "event_id": said}
    edit = await sender.say(room, "* x", user, **{"m.new_content": new, "m.relates_to": replaced})
    to: JsonObject = {"m.in_reply_to": {"event_id": said}}
    reply = await sender.say(room, "Why?", user, **{"m.relates_to": to})
    plain = await sender.official.text(room, "In the clear.")

    opened = await one.recorder.open_all(said, edit, reply)
    assert [(each.kind, each.body) for each in opened] == [
        (EventKind.MESSAGE, "The permit is granted."),
        (EventKind.EDIT, "The permit is refused."),
        (EventKind.MESSAGE, "Why?"),
    ]
    assert [each.relates_to and each.relates_to.type for each in opened] == [
        None,
        RelationType.EDIT,
        RelationType.REPLY,
    ]
    first = one.recorder.events[room, said, None]
    assert (first.kind, first.body) == (EventKind.ENCRYPTED, None)
    assert opened[0].raw == first.raw
    crypto = opened[0].crypto
    assert crypto is not None
    assert (crypto.algorithm, crypto.provenance) == (MEGOLM, Provenance.DIRECT)
    assert crypto.device == sender.machine.device.device_id
    assert crypto.trust is DeviceTrust.NO_IDENTITY
    assert b"The permit is granted." in (crypto.clear or b"")
    clear = one.recorder.events[room, plain, None]
    assert clear.crypto is not None
    assert clear.crypto.plain_in_encrypted


async def test_the_notice_is_encrypted(scene: Callable[[str], Awaitable[Scene]]) -> None:
    """Others can read it, the server cannot, and its echo opens as a notice of ours."""
    one = await scene("notice")
    room = await one.joined("Notice")
    connector = one.recorder.connector
    posted = await connector.announce(room, "We record here.", key="n1", pin=False)
    again = await connector.announce(room, "We record here.", key="n1", pin=False)
    assert posted.upstream_id is not None
    assert again.upstream_id == posted.upstream_id
    inside = await one.sender.read(room, posted.upstream_id)
    assert text(table(inside, "content"), "body") == "We record here."
    event = await one.sender.official.event(room, posted.upstream_id)
    assert event["type"] == "m.room.encrypted"
    assert "We record here." not in json.dumps(event)
    [echo] = await one.recorder.open_all(posted.upstream_id)
    assert (echo.kind, echo.body) == (EventKind.NOTICE, "We record here.")


async def test_an_attachment(scene: Callable[[str], Awaitable[Scene]]) -> None:
    """A file opens with the key from the message; a changed one is refused."""
    one = await scene("file")
    room = await one.joined("Files")
    data, key, iv = os.urandom(100_000), os.urandom(32), os.urandom(8) + bytes(8)
    sealed = Cipher(AES(key), CTR(iv)).encryptor().update(data)
    url = await one.sender.official.upload(File(name="x.bin", data=sealed))
    jwk: JsonObject = {
        "kty": "oct",
        "alg": "A256CTR",
        "ext": True,
        "key_ops": ["encrypt", "decrypt"],
        "k": base64.urlsafe_b64encode(key).decode().rstrip("="),
    }
    file: JsonObject = {
        "url": url,
        "v": "v2",
        "key": jwk,
        "iv": base64.b64encode(iv).decode().rstrip("="),
        "hashes": {"sha256": base64.b64encode(hashlib.sha256(sealed).digest()).decode()},
    }
    content: JsonObject = {"msgtype": "m.file", "body": "plan.pdf", "file": file}
    sent = await one.sender.send(room, "m.room.message", content, one.user)
    [event] = await one.recorder.open_all(sent)
    [attachment] = event.attachments
    assert attachment.secret is not None

    connector = one.recorder.connector
    download = await connector.open_download(room, attachment)
    assert b"".join([chunk async for chunk in download.chunks()]) == data
    await download.aclose()
    other = await one.sender.official.upload(File(name="y.bin", data=sealed[:-1] + b"!"))
    download = await connector.open_download(room, replace(attachment, url=other))
    with pytest.raises(ConnectorRejectedError):
        [chunk async for chunk in download.chunks()]
    await download.aclose()
    with pytest.raises(ConnectorRejectedError):
        await connector.open_download(room, replace(attachment, secret=b"{}"))


async def test_a_restart(scene: Callable[[str], Awaitable[Scene]]) -> None:
    """What came while the recorder was down opens; old keys are there, nothing is made anew."""
    one = await scene("restart")
    room = await one.joined("Restart")
    before = await one.sender.say(room, "before", one.user)
    await one.recorder.open_all(before)
    await one.recorder.connector.aclose()
    down = [await one.sender.say(room, f"down {i}", one.user) for i in range(5)]
    one.recorder.opened.clear()
    await one.recorder.restart()
    found = await one.recorder.open_all(before, *down)
    assert [each.body for each in found] == ["before", *(f"down {i}" for i in range(5))]
    assert len(one.told) == 1


async def test_without_a_key(scene: Callable[[str], Awaitable[Scene]]) -> None:
    """What we were given no key for stays encrypted, and says why."""
    one = await scene("keyless")
    room = await one.joined("Keyless")
    sent = await one.sender.say(room, "not for us")
    async with asyncio.timeout(PATIENCE):
        while sent not in one.recorder.why:
            await one.recorder.step()
    assert sent not in one.recorder.opened
    assert one.recorder.why[sent]


async def test_a_replaced_machine(scene: Callable[[str], Awaitable[Scene]], tmp_path: Path) -> None:
    """With the recovery key alone another device is verified, and reads what is backed up."""
    one = await scene("replaced")
    room = await one.joined("Replaced")
    said = await one.sender.say(room, "Kept in the backup.", one.user)
    [before] = await one.recorder.open_all(said)
    decrypter = one.recorder.decrypter
    exported = tmp_path / "keys.txt"
    assert await decrypter.export_keys(exported, b"a passphrase") == 1
    await one.recorder.connector.aclose()

    elsewhere = tmp_path / "elsewhere"
    await asyncio.to_thread(elsewhere.mkdir)
    one.recorder.sign = replace(one.recorder.sign, folder=elsewhere)
    one.recorder.settings = replace(
        one.recorder.settings,
        folder=elsewhere,
        recovery_key_file=tmp_path / "matrix-town.recovery-key",
    )
    one.recorder.opened.clear()
    await one.recorder.restart()
    second = one.recorder.decrypter
    assert (await second.import_keys(exported, b"a passphrase")).unreadable == 0
    [after] = await one.recorder.open_all(said)
    assert second.ready
    assert after.body == before.body
    assert after.crypto is not None
    assert after.crypto.provenance in {Provenance.BACKUP, Provenance.IMPORT}
    assert len(one.told) == 1


async def test_a_store_of_another_device(
    scene: Callable[[str], Awaitable[Scene]], tmp_path: Path
) -> None:
    """It is told of and not touched; encrypted groups are not entered, the stream goes on."""
    one = await scene("store")
    room = await one.joined("Store")
    await one.recorder.connector.aclose()
    await asyncio.to_thread((tmp_path / "matrix-town.session").unlink)
    await one.recorder.restart()
    decrypter = one.recorder.decrypter
    said = await one.sender.official.text(room, "Still heard.")
    await one.recorder.until(lambda: said in one.recorder.ids(room))
    assert any("is that of device" in trouble for trouble in decrypter.troubles)
    with pytest.raises(ConnectorUnavailableError, match="is that of device"):
        await decrypter.taken()
    other = await one.sender.room("Other")
    await one.sender.official.invite(other, one.user)
    with pytest.raises(ConnectorUnavailableError, match="not verified"):
        await one.recorder.connector.join(other)
    plain = await one.sender.official.create_room("Plain", invite=[one.user])
    await one.enter(plain)
