"""``muniment keys`` on the program: beside a running recorder, in its place, and refused."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from benchmarks.scene import PROGRAM, use_free_port
from bridge.canonical.json import Json
from bridge.demo.homeserver import Account
from bridge.demo.recorder import ApprovedGroup, Recorder
from bridge.demo.shelf import read_shelf
from connectors.matrix.crypto.export_file import decode, encode
from connectors.matrix.crypto.values import ExportedKey
from tests.acceptance.program import Said, metrics_of, muniment
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, FakeHomeserver
from tests.patience import PATIENCE
from tests.unit.connectors.matrix.crypto.peer import Peer

ENCRYPTION: dict[str, dict[str, Json]] = {
    "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}
}
PASSPHRASE = b"correct horse battery"


class Unopened(msgspec.Struct):
    """What ``status --json`` says of messages that wait."""

    count: int
    why: str


class Group(msgspec.Struct):
    """A group, as far as we look."""

    unopened: list[Unopened]


class Status(msgspec.Struct):
    """``status --json``, as far as we look."""

    groups: list[Group]
    alarms: list[str]

    @property
    def waiting(self) -> int:
        """How many messages wait for a key."""
        return sum(each.count for group in self.groups for each in group.unopened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A recorder in an encrypted room, whose clerk gives it no key."""

    server: FakeHomeserver
    recorder: Recorder
    room: str
    clerk: Peer
    folder: Path

    async def say(self, body: str) -> str:
        """The clerk says something."""
        content = dict(self.clerk.say(body, room_id=self.room).content)
        wire: dict[str, Json] = json.loads(json.dumps(content))
        return self.server.world.send(self.room, "m.room.encrypted", wire)

    def key(self) -> ExportedKey:
        """The key of what the clerk says."""
        return ExportedKey(
            room_id=self.room,
            session_id=self.clerk.group.session_id,
            sender_key=self.clerk.device.curve25519,
            ed25519=self.clerk.device.ed25519,
            session_key=self._first,
        )

    @property
    def _first(self) -> str:
        return _FIRST[self.clerk.group.session_id]

    async def muniment(self, *arguments: str) -> Said:
        """Run the program beside the recorder."""
        config = ("--config", str(self.recorder.config))
        return await asyncio.to_thread(muniment, *arguments, *config, folder=self.folder)

    async def keys(self, step: str, file: str, *, connector: str = "matrix") -> Said:
        """``muniment keys``, with paths from the folder it is run in."""
        secret = ("--passphrase-file", "passphrase")
        return await self.muniment("keys", step, connector, file, *secret)

    async def until(self, reached: Callable[[Status], Awaitable[bool]]) -> Status:
        """The status, once it is so."""
        until = time.monotonic() + PATIENCE
        while True:
            said = await self.muniment("status", "--json")
            assert said.code == 0, said.err
            found = msgspec.json.decode(said.out, type=Status)
            if await reached(found):
                return found
            assert time.monotonic() < until, (found, await self.recorder.last_words())
            await asyncio.sleep(1.0)

    async def until_waiting(self, count: int) -> Status:
        """The status, once so many messages wait for a key and it is known why."""

        async def reached(found: Status) -> bool:
            known = all(each.why for group in found.groups for each in group.unopened)
            return found.waiting == count and known

        return await self.until(reached)

    async def bodies(self) -> set[str]:
        """What the store's records say."""
        objects = await self.recorder.objects()
        shelf = await asyncio.to_thread(read_shelf, objects)
        return {record.body for record in shelf.records}


_FIRST: dict[str, str] = {}
"""The first key of each session: a ratchet that went on does not give it again."""


@asynccontextmanager
async def in_an_encrypted_room(folder: Path, *, start: bool = True) -> AsyncIterator[Scene]:
    """A recorder, running if it is to, and a clerk whose keys it has not."""
    async with FakeHomeserver() as server:
        room = server.world.room("Floods", state=ENCRYPTION)
        server.world.member(room, RECORDER, "invite", sender=CLERK)
        recorder = Recorder(folder=folder / "m", command=PROGRAM)
        own = Account(
            user_id=RECORDER,
            username="recorder",
            display_name="Recorder",
            device_id="",
            password=PASSWORD,
            access_token="",
        )
        groups = [ApprovedGroup(id=room, name="Floods")]
        await recorder.prepare(homeserver=server.url, account=own, groups=groups)
        await asyncio.to_thread(use_free_port, recorder)
        await asyncio.to_thread(_write_secret, folder / "passphrase", PASSPHRASE)
        clerk = Peer(CLERK)
        _FIRST[clerk.group.session_id] = clerk.exported()
        if start:
            await recorder.start()
        try:
            yield Scene(server=server, recorder=recorder, room=room, clerk=clerk, folder=folder)
        finally:
            await recorder.stop()


def _write_secret(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content + b"\n")


async def _write_keys(file: Path, *keys: ExportedKey) -> None:
    data = await asyncio.to_thread(encode, keys, PASSPHRASE, random=os.urandom, rounds=1000)
    await asyncio.to_thread(file.write_bytes, data)


def _refused(said: Said, *words: str) -> None:
    """Exit 2, a sentence and its remedy, no traceback."""
    assert (said.code, "Traceback" in said.err) == (2, False), said.err
    for word in words:
        assert word in said.err, said.err


async def test_keys_open_what_waited_beside_a_running_recorder(tmp_path: Path) -> None:
    """Imported, they open what was journalled, without a restart; exported, they are all there.

    What is refused says why, exits 2, and disturbs nothing.
    """
    async with in_an_encrypted_room(tmp_path) as scene:
        for body in ("Open the sluice", "Agreed, option B"):
            await scene.say(body)
        waiting = await scene.until_waiting(2)
        assert all("key" in each.why for group in waiting.groups for each in group.unopened)
        pid = scene.recorder.pid
        file, secret = tmp_path / "keys.txt", tmp_path / "passphrase"
        await _write_keys(file, scene.key(), replace(scene.key(), session_id="another"))
        await asyncio.to_thread(_write_secret, secret, b"another")
        _refused(await scene.keys("import", "keys.txt"), "passphrase is not the one of the file")
        await asyncio.to_thread(_write_secret, secret, PASSPHRASE)
        await asyncio.to_thread(secret.chmod, 0o644)
        _refused(await scene.keys("import", "keys.txt"), "open to others", "chmod 600")
        await asyncio.to_thread(secret.chmod, 0o600)
        _refused(await scene.keys("export", "keys.txt"), "File exists", "does not exist")
        said = await scene.keys("import", "keys.txt")
        assert said.code == 0, said.err
        assert said.out == ""
        assert "1 were new or better for matrix" in said.err
        assert "1 could not be read" in said.err
        await scene.until_waiting(0)

        async def stored(_status: Status) -> bool:
            return "Agreed, option B" in await scene.bodies()

        await scene.until(stored)
        assert scene.recorder.pid == pid
        out = await scene.keys("export", "out.txt")
        assert out.code == 0, out.err
        assert f"exported to {tmp_path / 'out.txt'}" in out.err
        written = await asyncio.to_thread((tmp_path / "out.txt").read_bytes)
        found = await asyncio.to_thread(decode, written, PASSPHRASE)
        assert scene.key().session_id in {each.session_id for each in found.keys}
        assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o600
        log = await asyncio.to_thread(scene.recorder.log.read_text)
        assert '"event": "keys_imported"' in log
        assert '"event": "keys_exported"' in log
        assert PASSPHRASE.decode() not in log


async def test_keys_in_place_of_a_recorder(tmp_path: Path) -> None:
    """Before its first start there are none; after a stop they are taken, and open at the next."""
    async with in_an_encrypted_room(tmp_path, start=False) as scene:
        _refused(await scene.keys("export", "out.txt"), "has no keys yet", "muniment run")
        await scene.recorder.start()
        await scene.say("Close the gate")
        await scene.until_waiting(1)
        await scene.recorder.stop()
        asked = len(scene.server.seen)
        await _write_keys(tmp_path / "keys.txt", scene.key())
        said = await scene.keys("import", "keys.txt")
        assert said.code == 0, said.err
        assert "1 were new" in said.err
        assert "once `muniment run` runs" in said.err
        out = await scene.keys("export", "out.txt")
        assert out.code == 0, out.err
        assert len(scene.server.seen) == asked
        await scene.recorder.spawn()
        await scene.until_waiting(0)


async def test_a_sender_that_withholds_its_keys(tmp_path: Path) -> None:
    """It is an alarm, a class of its own at the port, and a finding of doctor."""
    async with in_an_encrypted_room(tmp_path) as scene:
        content = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "code": "m.unverified",
            "room_id": scene.room,
            "session_id": scene.clerk.group.session_id,
            "sender_key": scene.clerk.device.curve25519,
        }
        scene.server.world.whisper(scene.clerk.plain("m.room_key.withheld", dict(content)))
        await scene.say("Not for the record")
        (group,) = (await scene.until_waiting(1)).groups
        assert "withholds the key (m.unverified)" in group.unopened[0].why
        # It looks for such notices at its start, and only now and then later.
        await scene.recorder.stop()
        await scene.recorder.spawn()

        async def told(found: Status) -> bool:
            return any("withheld keys" in alarm for alarm in found.alarms)

        await scene.until(told)
        assert "matrix: keys" in await asyncio.to_thread(_readyz, scene.recorder.config)
        doctor = await scene.muniment("doctor")
        assert doctor.code == 1
        assert "withheld keys" in doctor.err
        assert "is signed by the account's identity" in doctor.err


def _readyz(config: Path) -> str:
    try:
        with urllib.request.urlopen(f"http://{metrics_of(config)}/readyz") as answer:
            said: bytes = answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            said = refusal.read()
    return said.decode()
