"""Keys of the journal, of back-ups and of witnesses are replaced, as the operations page says."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from pyrage import x25519

from bridge.app import open_journal
from bridge.app.service import running
from bridge.app.witness import MEMORY, PUBLIC_KEY, SIGNING_KEY, new_witness, witnessing
from bridge.clock import SystemClock
from bridge.errors import ConfigError, JournalKeyError
from bridge.model import Loss
from bridge.notekeys import Algorithm, parse_verifier
from bridge.rawjson.fields import table
from config.settings import Settings
from storage.translog.post import Outside
from storage.translog.witness_client import HttpWitness
from tests.acceptance.program import override
from tests.fakes.clock import FakeClock
from tests.fakes.heads import SampleLog
from tests.fakes.homeserver import RECORDER, FakeHomeserver
from tests.fakes.homeserver.rooms import CLERK
from tests.integration.recording import objects, recorder, until_kept
from tests.integration.replacing import put
from tests.unit.bridge.backup.machine import IDENTITY, Machine
from tests.unit.bridge.house import until


async def test_a_journal_key_that_was_replaced(tmp_path: Path, blockbuster: BlockBuster) -> None:
    """In place it is refused; with a new journal the group goes on, and names what went before."""
    # A process reads its settings and keys before anything waits for its loop; ours is this one.
    blockbuster.deactivate()
    async with FakeHomeserver() as server:
        room = server.world.room("Office")
        server.world.member(room, RECORDER, "invite", sender=CLERK)
        settings = recorder(tmp_path / "bridge", server.url, room)
        async with running(settings):
            await until(lambda: server.world.rooms[room].membership(RECORDER) == "join")
            server.world.say(room, "before")
            await until_kept(settings, "before")
        put(settings.keys.journal_key_file, b64encode(os.urandom(32)).decode())
        with pytest.raises(JournalKeyError):
            async with running(settings):
                pytest.fail("it began")
        data = settings.service.data_dir
        for path in (*data.glob("journal.db*"), data / "spool", *data.glob("matrix-m.[cs]*")):
            path.rename(tmp_path / path.name)
        async with running(settings):
            server.world.say(room, "after")
            await until_kept(settings, "after")
        first, second = [each for each in objects(settings, "acts") if each["kind"] == "open"]
        assert table(second, "previous")["stream"] == first["stream"]
        assert "journal_replaced" in {loss.why for loss in await _losses(settings, room)}
        assert len(server.keys.devices) == 2


async def _losses(settings: Settings, room: str) -> tuple[Loss, ...]:
    journal = await open_journal(settings, SystemClock(), look=True)
    try:
        return await journal.gaps("m", room)
    finally:
        await journal.aclose()


def test_a_recipient_of_back_ups_that_was_replaced(tmp_path: Path) -> None:
    """Each back-up is opened by the identity of its time, and by no other."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record()
    kept = machine.folder / "kept.age"
    machine.backup()
    before = kept.rename(tmp_path / "before.age")
    fresh = x25519.Identity.generate()
    override(machine.config, str(IDENTITY.to_public()), str(fresh.to_public()))
    machine.backup()
    after = kept.rename(tmp_path / "after.age")
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    put(old, str(IDENTITY))
    put(new, str(fresh))
    machine.lose()
    assert "another recipient" in machine.refused(before, identity=new)
    assert "another recipient" in machine.refused(after, identity=old)
    machine.restore(after, identity=new)
    states = machine.states()
    machine.lose()
    machine.restore(before, identity=old)
    assert machine.states() == states


NAME = "witness.example.org/{}"


async def test_a_witness_that_has_another_key(tmp_path: Path) -> None:
    """Its lines are known by the key of their time; under the same memory it does not begin."""
    sample, head = SampleLog(), SampleLog().head(3)
    (tmp_path / "log.key").write_text(f"{sample.verifier.line}\n")
    lines = []
    for life in ("w1", "w2"):
        await asyncio.to_thread(
            new_witness, NAME.format(life), tmp_path / life, random_bytes=os.urandom
        )
        lines.append(await _cosigned(tmp_path / life, sample))
    clients = [_client("http://127.0.0.1:1", tmp_path / life, sample) for life in ("w1", "w2")]
    for place, line in enumerate(lines):
        told = [client.cosigned(head.note + line) for client in clients]
        assert told == [place == 0, place == 1]
    for client in clients:
        await client.aclose()
    # w2's key over w1's memory.
    (tmp_path / "w2" / SIGNING_KEY).rename(tmp_path / "w1" / SIGNING_KEY)
    with pytest.raises(ConfigError, match="another"):
        await _cosigned(tmp_path / "w1", sample)


async def _cosigned(folder: Path, sample: SampleLog) -> bytes:
    """What the witness in ``folder`` says of the log."""
    async with witnessing(
        listen="127.0.0.1:0",
        log_keys=[folder.parent / "log.key"],
        signing_key_file=folder / SIGNING_KEY,
        memory_file=folder / MEMORY,
        clock=FakeClock(),
    ) as witness:
        client = _client(f"http://127.0.0.1:{witness.port}", folder, sample)
        try:
            return (await client.cosign(sample.head(3))).line
        finally:
            await client.aclose()


def _client(url: str, folder: Path, sample: SampleLog) -> HttpWitness:
    verifier = parse_verifier((folder / PUBLIC_KEY).read_text(), algorithm=Algorithm.COSIGNATURE)
    return HttpWitness(
        Outside(url=url), verifier=verifier, consistency=sample.consistency, clock=FakeClock()
    )
