"""Keys as the client handles them: taken, used, backed up, carried out and in."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.model import EventKind, Provenance
from bridge.protocols import ImportedKeys, ToDevice
from connectors.matrix.crypto.safekeeping import REST
from tests.fakes.homeserver import CLERK, RECORDER, Reply
from tests.patience import PATIENCE
from tests.unit.connectors.matrix.crypto.peer import Peer
from tests.unit.connectors.matrix.encrypted_scene import Scene, keys_of, scene

_SOUND = str(Peer(CLERK).say("Hello", room_id="!a").content["ciphertext"])
__all__ = ["scene"]


async def test_messages_to_our_device(scene: Scene) -> None:
    """They come whole, in order, with the cursor; the same cursor brings them again."""
    intake = scene.intake()
    await intake.start()
    first = await intake.take()
    raw = [b'{"type":"m.room_key", "n":%d}' % n for n in range(3)]
    for each in raw:
        scene.server.world.whisper(each)
    assert (await intake.take(keep=False)).to_device == tuple(raw)
    assert (await intake.take()).to_device == tuple(raw)
    scene.server.world.whisper(b'{"type":"m.dummy"}')
    assert (await intake.take()).to_device == (b'{"type":"m.dummy"}',)
    assert first.to_device == ()


async def test_a_response_that_cannot_be_split(scene: Scene) -> None:
    """The cursor stays; asked for slice by slice, the messages to our device come after all."""
    room = scene.server.world.room("Plain")
    scene.server.world.member(room, RECORDER, "invite", sender=CLERK)
    scene.server.world.join(room, RECORDER)
    intake = scene.intake()
    await intake.start(room)
    await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
    scene.server.world.whisper(b'{"type":"m.room_key"}')
    scene.server.world.put_raw(room, b'{"a":[}')
    before = intake.cursor
    with pytest.raises(EnvelopeError) as refusal:
        await intake.take()
    assert b"m.room_key" in refusal.value.body
    assert intake.cursor == before
    came: list[bytes] = []
    async with asyncio.timeout(PATIENCE):
        while not came:
            try:
                came += (await intake.take()).to_device
            except EnvelopeError:
                scene.clock.advance(1.0)
    assert came == [b'{"type":"m.room_key"}']
    # Acknowledged by one slice, the server may forget it: it is in the journal by then.


async def test_taking_and_opening(scene: Scene) -> None:
    """Messages count as taken whatever they hold, and an event without a key says so."""
    room = scene.invitation("Permits")
    intake = scene.intake()
    decrypter = keys_of(intake)
    with pytest.raises(ConnectorUnavailableError):
        await decrypter.take([])
    assert decrypter.fresh() == frozenset()
    before = asyncio.create_task(decrypter.taken())
    await asyncio.sleep(0)
    await intake.start(room)
    await intake.connector.join(room)
    assert await before == 0
    now = scene.clock.now()
    raws = (b"no JSON", b'{"type":"m.room_key","content":{},"sender":"@a:x"}')
    await decrypter.take([ToDevice(number=n, raw=raw, at=now) for n, raw in enumerate(raws, 1)])
    assert await decrypter.taken() == 2
    sent = scene.server.world.send(
        room,
        "m.room.encrypted",
        {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "s", "ciphertext": "x"},
    )
    gone = scene.server.world.send(room, "m.room.encrypted", {"session_id": "s"})
    scene.server.world.redact(room, gone)
    await intake.until(lambda: {sent, gone} <= intake.ids(room))
    answers = await decrypter.open([intake.events[room, each, None] for each in (sent, gone)])
    assert [answer.event for answer in answers] == [None, None]
    assert all(answer.why.endswith(".") for answer in answers)


async def test_what_no_key_can_mend(scene: Scene) -> None:
    """Of an event without a key it is said whether one could still come for it."""
    room = scene.invitation("Permits")
    intake = scene.intake()
    await intake.start(room)
    await intake.connector.join(room)
    known = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "s"}
    wholes = [{**known, "ciphertext": _SOUND}, {**known, "algorithm": "x"}, known]
    sent = [scene.server.world.send(room, "m.room.encrypted", dict(each)) for each in wholes]
    await intake.until(lambda: set(sent) <= intake.ids(room))
    answers = await keys_of(intake).open([intake.events[room, each, None] for each in sent])
    assert [(answer.event, answer.final) for answer in answers] == [
        (None, False),
        (None, True),
        (None, True),
    ]


async def test_the_notice_in_a_room_that_is_not_known(scene: Scene) -> None:
    """The server is asked whether it is encrypted; what we say opens again for ourselves."""
    encrypted, plain = scene.invitation("Encrypted"), scene.invitation("Plain", encrypted=False)
    intake = scene.intake()
    await intake.start(encrypted, plain)
    for room in (encrypted, plain):
        await intake.connector.join(room)
        posted = await intake.connector.announce(room, "We record.", key="k")
        assert posted.upstream_id is not None
    raw = [scene.server.world.rooms[room].events[-1].raw for room in (encrypted, plain)]
    kinds = [json.loads(each)["type"] for each in raw]
    assert kinds == ["m.room.encrypted", "m.room.message"]
    await intake.until(lambda: len(intake.of(encrypted, EventKind.ENCRYPTED)) == 1)
    [answer] = await keys_of(intake).open(intake.of(encrypted, EventKind.ENCRYPTED))
    assert answer.event is not None
    assert (answer.event.kind, answer.event.body) == (EventKind.NOTICE, "We record.")


async def test_keys_are_found_again_in_the_backup(scene: Scene) -> None:
    """What one machine backed up opens at the next, which has only the recovery key."""
    room = scene.invitation("Encrypted")
    intake = scene.intake()
    await intake.start(room)
    await intake.connector.join(room)
    await intake.connector.announce(room, "We record.", key="k")
    await intake.until(lambda: bool(intake.of(room, EventKind.ENCRYPTED)))
    await scene.until(lambda: room in scene.server.keys.backed_up)
    await intake.connector.aclose()
    scene.recovery_key_file = scene.folder / "matrix-town.recovery-key"
    scene.folder /= "elsewhere"
    await asyncio.to_thread(scene.folder.mkdir)
    other = scene.intake()
    await other.start(room)
    fresh: set[str] = set()

    def came() -> bool:
        fresh.update(keys_of(other).fresh())
        return bool(fresh)

    await scene.until(came)
    [event] = intake.of(room, EventKind.ENCRYPTED)
    assert event.crypto is not None
    assert event.crypto.session in fresh
    [answer] = await keys_of(other).open([event])
    assert answer.event is not None
    assert answer.event.crypto is not None
    assert answer.event.crypto.provenance is Provenance.BACKUP
    await keys_of(other).seek([(room, event.crypto.session), (room, "unknown")])
    [trouble] = keys_of(other).troubles
    assert "DEVICE0" in trouble  # the first machine is still signed in


async def test_keys_that_came_last_are_backed_up(scene: Scene) -> None:
    """At an end at once; else soon, though nothing is heard from the homeserver meanwhile."""
    first, second = scene.invitation("First"), scene.invitation("Second")
    intake = scene.intake()
    await intake.start(first, second)
    await intake.connector.join(first)
    await scene.until(lambda: bool(scene.server.asked("/room_keys/version")))
    began = scene.clock.monotonic()
    await intake.connector.announce(first, "We record.", key="k1")
    await scene.until(lambda: first in scene.server.keys.backed_up)
    assert scene.clock.monotonic() - began <= REST
    await intake.connector.join(second)
    await intake.connector.announce(second, "We record.", key="k2")
    await intake.connector.aclose()
    assert second in scene.server.keys.backed_up


async def test_an_end_while_the_backup_is_refused(scene: Scene) -> None:
    """It is no reason to stay."""
    room = scene.invitation("Encrypted")
    intake = scene.intake()
    await intake.start(room)
    await intake.connector.join(room)
    await intake.connector.announce(room, "We record.", key="k1")
    await scene.until(lambda: room in scene.server.keys.backed_up)
    scene.server.keys.backed_up.clear()
    scene.server.answer("/room_keys/keys", Reply(status=503), times=None)
    await intake.connector.announce(room, "We record.", key="k2")
    with capture_logs() as logs:
        await intake.connector.aclose()
    assert [each["event"] for each in logs] == ["keys_not_backed_up"]
    assert scene.server.keys.backed_up == {}


async def test_a_backup_of_somebody_else(scene: Scene) -> None:
    """It is told of and left alone; looking in it for keys finds none, and the rest goes on."""
    theirs = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {}}
    version = json.dumps({**theirs, "version": "7", "count": 1, "etag": "1"}).encode()
    scene.server.answer("/room_keys/version", Reply(body=version), times=None)
    intake = scene.intake()
    await intake.start()
    await scene.until(lambda: keys_of(intake).ready and bool(keys_of(intake).troubles))
    assert any("key backup" in trouble for trouble in keys_of(intake).troubles)
    await keys_of(intake).seek([("!a:x", "session")])
    posts = [seen for seen in scene.server.asked("/room_keys/") if seen.method != "GET"]
    assert posts == []
    assert (await intake.take()).events == ()


async def test_keys_go_out_to_a_file_and_in_again(scene: Scene) -> None:
    """A file that is there is never replaced; without keys there is none to take."""
    intake = scene.intake()
    await intake.start()
    decrypter = keys_of(intake)
    file = scene.folder / "keys.txt"
    assert await decrypter.export_keys(file, b"passphrase") == 0
    with pytest.raises(ConnectorRejectedError, match="cannot be written"):
        await decrypter.export_keys(file, b"passphrase")
    assert await decrypter.import_keys(file, b"passphrase") == ImportedKeys(new=0)
    with pytest.raises(ConnectorRejectedError, match="cannot be read"):
        await decrypter.import_keys(scene.folder / "missing", b"passphrase")


async def test_closing_ends_the_work(scene: Scene) -> None:
    """What goes on beside receiving ends with the connector; a start after it works again."""
    intake = scene.intake()
    await intake.start()
    await intake.connector.aclose()
    with pytest.raises(ConnectorUnavailableError):
        await keys_of(intake).taken()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not any("crypto of" in task.get_name() for task in others)
    await intake.connector.start()
    assert await keys_of(intake).taken() == 0
