"""The drill: a recorder is backed up while it records, lost with its machine, and put back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from pyrage import x25519

from benchmarks.scene import PROGRAM, use_free_port
from benchmarks.telegram_loss import Person, Town
from bridge.demo.recorder import ApprovedGroup, Recorder
from bridge.demo.shelf import read_shelf
from tests.acceptance.program import Said, muniment, override
from tests.acceptance.test_keys_command import Status, _write_keys, in_an_encrypted_room
from tests.patience import PATIENCE
from tests.servers.bot_api import bot_api_process

AGED = """
UPDATE entry SET received_at = received_at - 3 * 86400000 WHERE state = 'discarded' RETURNING 1
"""
"""What was discarded came three days ago."""

UNSETTLED = "SELECT COUNT(*) FROM entry WHERE state IN ('received', 'judged', 'sealed')"

IDLE = "haha"
"""What is discarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A recorder of one Telegram group, and the way to its back-ups."""

    recorder: Recorder
    anna: Person
    room: str
    folder: Path

    async def say(self, *texts: str) -> None:
        """Anna says something."""
        for text in texts:
            await self.anna.text(self.room, text)

    async def stored(self, *texts: str) -> None:
        """Wait until these stand in the store, and everything that was seen is settled."""
        until = time.monotonic() + PATIENCE
        while True:
            bodies = Counter(await self.bodies())
            if all(bodies[text] for text in texts) and self.asked(UNSETTLED) == (0,):
                return
            assert time.monotonic() < until, (bodies, await self.recorder.last_words())
            await asyncio.sleep(0.1)

    async def bodies(self) -> list[str]:
        """What every record in the store says."""
        shelf = await asyncio.to_thread(read_shelf, await self.recorder.objects())
        return [record.body for record in shelf.records]

    async def muniment(self, *arguments: str) -> Said:
        """Run the program beside the recorder."""
        config = ("--config", str(self.recorder.config))
        return await asyncio.to_thread(muniment, *arguments, *config, folder=self.folder)

    def discards(self) -> int:
        """How many discarded messages the journal can still open."""
        (count,) = self.asked(
            "SELECT COUNT(*) FROM entry WHERE state = 'discarded' AND payload_sealed IS NOT NULL"
        )
        return count

    def asked(self, statement: str) -> tuple[int, ...]:
        """The first row of an answer of the journal."""
        journal = self.recorder.folder / "var" / "journal.db"
        with closing(sqlite3.connect(journal, timeout=10, isolation_level=None)) as db:
            rows: list[tuple[int, ...]] = db.execute(statement).fetchall()
        return rows[0]

    def opened(self) -> list[Opened]:
        """Every ``open`` act, in order."""
        base = self.recorder.folder / "var" / "store" / "v1" / "demo" / "acts"
        acts = [
            msgspec.json.decode(path.read_bytes(), type=Opened) for path in base.rglob("*.json")
        ]
        return sorted((act for act in acts if act.kind == "open"), key=lambda act: act.at)


class Previous(msgspec.Struct):
    """What an ``open`` act says of the stream before."""

    stream: str
    last_n: int
    since: str = msgspec.field(default="", name="from")


class Opened(msgspec.Struct):
    """An act, as far as we look."""

    kind: str
    at: str
    stream: str = ""
    previous: Previous | None = None


def encrypt_to_new_identity(config: Path, folder: Path) -> None:
    """Back-ups go to an identity in ``identity.txt``."""
    identity = x25519.Identity.generate()
    secret = folder / "identity.txt"
    secret.touch(mode=0o600)
    secret.write_text(f"# created for the drill\n{identity}\n")
    recipient = f'recipient = "{identity.to_public()}"'
    override(config, '#recipient = "age1examplerecipient"', recipient)


def lose(folder: Path) -> None:
    """The machine is gone: all but the store, which never stood on it."""
    for path in (*folder.iterdir(), *(folder / "var").iterdir()):
        if path.name not in {"var", "store"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
async def drill(tmp_path: Path) -> AsyncIterator[Drill]:
    """Recording; the identity of its back-ups is in ``identity.txt``."""
    with bot_api_process() as api, ThreadPoolExecutor(4) as pool:
        town = Town(api, pool)
        (anna,) = await town.people(1)
        room, (bot,) = await town.room("drill", [anna], 1)
        recorder = Recorder(folder=tmp_path / "bridge", command=PROGRAM)
        group = ApprovedGroup(id=room, name="Flood response")
        await recorder.prepare_telegram(api_base=api.url, token=bot.token, groups=[group])
        await asyncio.to_thread(use_free_port, recorder)
        await asyncio.to_thread(encrypt_to_new_identity, recorder.config, tmp_path)
        override(recorder.config, "discard_after_days = 30", "discard_after_days = 1")
        await recorder.start()
        try:
            yield Drill(recorder=recorder, anna=anna, room=room, folder=tmp_path)
        finally:
            await recorder.stop()


async def test_what_was_lost_with_the_machine_comes_back(drill: Drill) -> None:
    """Nothing stored is lost or there twice, what was forgotten stays so, and the log is whole."""
    before = [f"We have decided to close crossing {number} tonight" for number in range(4)]
    await drill.say(*before[:2], IDLE, *before[2:])
    await drill.stored(*before)
    assert drill.discards() == 1
    # Its time is over; the running recorder looks again in five minutes.
    drill.asked(AGED)

    said = await drill.muniment("backup", "kept.age")
    assert said.code == 0, said.err
    backup = drill.folder / "kept.age"
    assert backup.stat().st_mode & 0o777 == 0o600
    said = await drill.muniment("backup", "kept.age")
    assert (said.code, "is there already" in said.err) == (2, True), said.err
    said = await drill.muniment("restore", "kept.age", "--identity", "identity.txt")
    assert (said.code, "in use by another" in said.err) == (2, True), said.err
    assert drill.recorder.alive

    after = [f"We have decided to open shelter {number}" for number in range(3)]
    await drill.say(*after)
    await drill.stored(*after)
    await drill.recorder.stop()
    await drill.recorder.start()
    await drill.say("We have decided to call in the army")
    await drill.stored("We have decided to call in the army")
    assert drill.discards() == 0
    (last,) = drill.asked("SELECT MAX(n) FROM entry")
    await drill.recorder.kill()
    (first,) = await asyncio.to_thread(drill.opened)
    await asyncio.to_thread(lose, drill.recorder.folder)

    said = await drill.muniment("restore", "kept.age", "--identity", "identity.txt")
    assert said.code == 0, said.err
    assert "1 discarded message" in said.err
    assert drill.discards() == 0
    assert not list((drill.recorder.folder / "var").glob("restoring*"))
    await drill.recorder.start()
    await drill.say("We have decided to lift the curfew")
    await drill.stored("We have decided to lift the curfew")
    assert await drill.recorder.stop() == 0

    every = [*before, *after, "We have decided to call in the army"]
    every.append("We have decided to lift the curfew")
    found = Counter(await drill.bodies())
    assert {text: found[text] for text in every} == dict.fromkeys(every, 1)
    assert found[IDLE] == 0
    assert drill.discards() == 0
    (_, second) = await asyncio.to_thread(drill.opened)
    assert second.previous is not None
    assert (second.previous.stream, second.previous.last_n) == (first.stream, last)
    assert second.previous.since
    said = await drill.muniment("verify")
    assert said.code == 0, said.err
    said = await drill.muniment("reconcile")
    assert said.code == 0, said.err


async def test_an_encrypted_room_goes_on_with_a_new_device(tmp_path: Path) -> None:
    """Signed by the same identity, with the room keys that the homeserver keeps for it."""
    async with in_an_encrypted_room(tmp_path) as scene:
        recorder = scene.recorder
        await asyncio.to_thread(encrypt_to_new_identity, recorder.config, tmp_path)
        await scene.say("We have decided to open the sluice")
        await _write_keys(tmp_path / "keys.txt", scene.key())
        said = await scene.keys("import", "keys.txt")
        assert said.code == 0, said.err
        await scene.until_waiting(0)

        async def kept(_status: Status) -> bool:
            return any(seen.method == "PUT" for seen in scene.server.asked("/room_keys/keys"))

        await scene.until(kept)
        said = await scene.muniment("backup", "kept.age")
        assert said.code == 0, said.err
        session = recorder.folder / "var" / "matrix-matrix.session"
        device = await asyncio.to_thread(session.read_bytes)
        await recorder.kill()
        await asyncio.to_thread(lose, recorder.folder)
        said = await scene.muniment("restore", "kept.age", "--identity", "identity.txt")
        assert said.code == 0, said.err
        standing = {path.name for path in (recorder.folder / "var").iterdir()}
        assert not [name for name in standing if name.endswith((".session", ".crypto.db"))]
        await recorder.start()
        await scene.say("We have decided to close the gate")

        async def stored(_status: Status) -> bool:
            return "We have decided to close the gate" in await scene.bodies()

        found = await scene.until(stored)
        assert found.waiting == 0
        assert await asyncio.to_thread(session.read_bytes) != device
        assert not [alarm for alarm in found.alarms if "verified" in alarm or "recovery" in alarm]
