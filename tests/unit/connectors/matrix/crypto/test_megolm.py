import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import vodozemac

from bridge.model import DeviceTrust, Provenance
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto import inbound, megolm, unpadded
from connectors.matrix.crypto.devices import UserKeys, adopt
from connectors.matrix.crypto.store import Transaction
from connectors.matrix.crypto.values import ExportedKey
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.peer import (
    ROOM,
    Peer,
    know,
    opened,
    said,
)
from tests.unit.connectors.matrix.crypto.world import World

OTHER_ROOM = "!other:example.org"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The recorder with an empty store."""
    machine = await opened(tmp_path / "a.db")
    yield World(machine)
    await machine.aclose()


def exported(peer: Peer, session_key: str) -> ExportedKey:
    """A key of the peer's session as a backup has it."""
    return ExportedKey(
        room_id=ROOM,
        session_id=peer.group.session_id,
        sender_key=peer.device.curve25519,
        ed25519=peer.device.ed25519,
        session_key=session_key,
    )


async def test_events_open_over_key_rotations_and_in_any_order(world: World) -> None:
    """Events of three sessions in a row, the last first, all open; no deprecated field is asked."""
    peer = await world.peer()
    requests = []
    for number in range(90):
        if number % 30 == 0:
            peer.rotate()
            await world.share(peer)
        requests.append(peer.say(f"message {number}"))
    answers = await world.machine.decrypt(requests[::-1])
    assert [said(answer.clear) for answer in answers] == [
        f"message {number}" for number in reversed(range(90))
    ]
    assert {answer.provenance for answer in answers} == {Provenance.DIRECT}


async def test_a_late_key_opens_what_waited(world: World) -> None:
    """Without its key an event has a reason; with it, it opens."""
    peer = await world.peer()
    key = peer.room_key(world.machine.device)
    request = peer.say("hello")
    [answer] = await world.machine.decrypt([request])
    assert (answer.clear, answer.why, answer.is_final) == (None, megolm.NO_KEY, False)
    await world.take(key)
    assert world.machine.fresh() == {peer.group.session_id}
    [answer] = await world.machine.decrypt([request])
    assert said(answer.clear) == "hello"


async def test_the_same_event_opens_again_and_another_with_its_index_does_not(
    world: World,
) -> None:
    """What was encrypted once belongs to one event, also after a restart of the machine."""
    peer = await world.peer()
    await world.share(peer)
    request = peer.say("pay 10")
    replay = replace(request, event_id="$replay")
    for _ in range(2):
        first, second = await world.machine.decrypt([request, replay])
        assert said(first.clear) == "pay 10"
        assert (second.clear, second.why, second.is_final) == (None, megolm.REPLAY, True)


@pytest.mark.parametrize(
    ("trust", "told"),
    [
        (DeviceTrust.SIGNED, DeviceTrust.SIGNED),
        (DeviceTrust.UNSIGNED, DeviceTrust.UNSIGNED),
        (DeviceTrust.NO_IDENTITY, DeviceTrust.NO_IDENTITY),
        (None, DeviceTrust.UNKNOWN),
    ],
)
async def test_an_event_opens_regardless_of_trust(
    world: World, trust: DeviceTrust | None, told: DeviceTrust
) -> None:
    """The sender's device and what is known of it stand in the answer."""
    peer = await world.peer()
    if trust is not None:
        await know(world.machine, peer, trust)
    await world.share(peer)
    [answer] = await world.machine.decrypt([peer.say("hello")])
    assert said(answer.clear) == "hello"
    assert answer.trust is told
    assert answer.device_id == (peer.device.device_id if trust is not None else None)


async def test_an_event_in_anothers_name_is_a_mismatch(world: World) -> None:
    """An event that names another sender than the one its key came from opens, and says so."""
    peer, named = await world.peer(), await world.peer("@bob:example.org")
    for each in (peer, named):
        await know(world.machine, each, DeviceTrust.SIGNED)
    await world.share(peer)
    request = replace(peer.say("hello"), sender=named.device.user_id)
    [answer] = await world.machine.decrypt([request])
    assert said(answer.clear) == "hello"
    assert (answer.device_id, answer.trust) == (None, DeviceTrust.MISMATCH)


async def test_a_copy_in_anothers_name_takes_nothing_from_the_true_event(world: World) -> None:
    """Who sends an event again as his own, and first, has a mismatch; the true one opens."""
    peer, member = await world.peer(), await world.peer("@eve:example.org")
    await know(world.machine, peer, DeviceTrust.SIGNED)
    await world.share(peer)
    request = peer.say("hello")
    copy = replace(request, event_id="$copy", sender=member.device.user_id)
    [false] = await world.machine.decrypt([copy])
    [true] = await world.machine.decrypt([request])
    assert false.trust is DeviceTrust.MISMATCH
    assert (said(true.clear), true.trust) == ("hello", DeviceTrust.SIGNED)
    again = await world.machine.decrypt([replace(copy, event_id="$third"), copy])
    assert [each.why for each in again] == [megolm.REPLAY, ""]


async def test_a_device_that_is_no_longer_shown_proves_nothing_new(tmp_path: Path) -> None:
    """What it sent before stays its own, however that key is improved; a later key is unknown."""
    clock = FakeClock()
    world = World(await opened(tmp_path / "a.db", clock=clock))
    peer = await world.peer()
    await know(world.machine, peer, DeviceTrust.SIGNED)
    earliest = exported(peer, peer.exported())
    first = peer.say("first")
    await world.share(peer)
    second = peer.say("second")
    clock.advance(1)
    gone = UserKeys(user_id=peer.device.user_id, master=None, devices=())
    await world.machine.run(lambda tx: adopt(tx, gone, own=world.machine.device))
    clock.advance(1)
    await world.machine.import_keys([earliest], Provenance.BACKUP)
    peer.rotate()
    await world.share(peer)
    answers = await world.machine.decrypt([first, second, peer.say("third")])
    assert [said(each.clear) for each in answers] == ["first", "second", "third"]
    signed, unknown = DeviceTrust.SIGNED, DeviceTrust.UNKNOWN
    assert [each.trust for each in answers] == [signed, signed, unknown]
    await know(world.machine, peer, DeviceTrust.SIGNED)
    [answer] = await world.machine.decrypt([peer.say("fourth")])
    assert answer.trust is signed
    await world.machine.aclose()


MALFORMED: list[tuple[JsonObject, str]] = [
    ({"algorithm": None}, megolm.UNKNOWN_ALGORITHM),
    ({"algorithm": "m.megolm.v9"}, megolm.UNKNOWN_ALGORITHM),
    ({"algorithm": ["m.megolm.v1.aes-sha2"]}, megolm.UNKNOWN_ALGORITHM),
    ({"session_id": None}, megolm.MALFORMED),
    ({"ciphertext": None}, megolm.MALFORMED),
    ({"ciphertext": {}}, megolm.MALFORMED),
    ({"ciphertext": ""}, megolm.MALFORMED),
    ({"ciphertext": "%%%"}, megolm.MALFORMED),
    ({"ciphertext": "AAAA"}, megolm.MALFORMED),
    ({"ciphertext": "\ud800"}, megolm.MALFORMED),
    ({"session_id": "\ud800"}, megolm.MALFORMED),
]


@pytest.mark.parametrize(("wrong", "why"), MALFORMED)
async def test_a_malformed_event_costs_its_neighbours_nothing(
    world: World, wrong: JsonObject, why: str
) -> None:
    """It has its reason, and those before and after it open."""
    peer = await world.peer()
    await world.share(peer)
    requests = [peer.say("one"), peer.say("two"), peer.say("three")]
    requests[1] = replace(requests[1], content={**requests[1].content, **wrong})
    answers = await world.machine.decrypt(requests)
    assert [said(answer.clear) for answer in answers] == ["one", None, "three"]
    assert (answers[1].why, answers[1].is_final) == (why, True)


async def test_an_altered_event_does_not_open(world: World) -> None:
    """One changed byte is noticed, and takes nobody's index."""
    peer = await world.peer()
    await world.share(peer)
    request = peer.say("hello")
    sealed = bytearray(
        vodozemac.MegolmMessage.from_base64(str(request.content["ciphertext"])).to_bytes()
    )
    sealed[20] ^= 1
    altered = vodozemac.MegolmMessage.from_bytes(bytes(sealed)).to_base64()
    false = replace(request, event_id="$false", content={**request.content, "ciphertext": altered})
    first, second = await world.machine.decrypt([false, request])
    assert (first.clear, first.why) == (None, megolm.NOT_BY_KEY)
    assert said(second.clear) == "hello"


async def test_an_event_of_another_room_is_refused(world: World) -> None:
    """What was encrypted for another room is no event of this one, though the key fits."""
    peer = await world.peer()
    await world.share(peer)
    moved = peer.say("hello", inside=OTHER_ROOM)
    elsewhere = replace(peer.say("hello"), room_id=OTHER_ROOM)
    first, second = await world.machine.decrypt([moved, elsewhere])
    assert (first.why, first.is_final) == (megolm.OTHER_ROOM, True)
    assert second.why == megolm.NO_KEY


@pytest.mark.parametrize("clear", [b"", b"\xff\xfe", b"7", b"{}", b'{"room_id":7}', b"[" * 9000])
async def test_what_is_no_event_is_refused(world: World, clear: bytes) -> None:
    """Whatever a sender encrypts, there is a reason and no exception."""
    peer = await world.peer()
    await world.share(peer)
    [answer] = await world.machine.decrypt([peer.event(clear)])
    assert (answer.clear, answer.why, answer.is_final) == (None, megolm.NOT_AN_EVENT, True)


async def test_a_better_key_replaces_a_worse_one_and_never_the_other_way(world: World) -> None:
    """A key from an earlier index opens more, whoever gives it; a later one changes nothing."""
    peer = await world.peer()
    first = peer.exported()
    early = peer.say("early")
    await world.share(peer)
    late = peer.say("late")
    [answer] = await world.machine.decrypt([early])
    assert (answer.why, answer.is_final) == (megolm.TOO_LATE, False)
    assert await world.machine.import_keys([exported(peer, first)], Provenance.BACKUP) == 1
    worse = peer.exported()
    assert await world.machine.import_keys([exported(peer, worse)], Provenance.BACKUP) == 0
    await world.share(peer)
    answers = await world.machine.decrypt([early, late])
    assert [said(answer.clear) for answer in answers] == ["early", "late"]
    # The part that its sender gave stays direct; the other part says where it came from.
    assert [each.provenance for each in answers] == [Provenance.BACKUP, Provenance.DIRECT]
    # What was seen before a key became better is remembered.
    [answer] = await world.machine.decrypt([replace(late, event_id="$replay")])
    assert answer.why == megolm.REPLAY


async def test_a_sender_proves_a_key_that_was_only_claimed(world: World) -> None:
    """A restored key is unproved until its sender gives it; what it opens stays."""
    peer = await world.peer()
    await know(world.machine, peer, DeviceTrust.SIGNED)
    await world.machine.import_keys([exported(peer, peer.exported())], Provenance.BACKUP)
    early = peer.say("early")
    [answer] = await world.machine.decrypt([early])
    assert (answer.provenance, answer.trust) == (Provenance.BACKUP, DeviceTrust.UNPROVED)
    await world.share(peer)
    answers = await world.machine.decrypt([early, peer.say("late")])
    assert [each.trust for each in answers] == [DeviceTrust.SIGNED] * 2
    assert [each.provenance for each in answers] == [Provenance.BACKUP, Provenance.DIRECT]


async def test_another_device_does_not_take_over_a_session(world: World) -> None:
    """A member who passes a key on as their own changes neither its sender nor what it opens."""
    peer, member = await world.peer(), await world.peer("@eve:example.org")
    for each in (peer, member):
        await know(world.machine, each, DeviceTrust.SIGNED)
    await world.share(peer)
    content = peer.room_key_content()
    report = await world.take(member.olm(world.machine.device, "m.room_key", content))
    assert report.counts == {"room_key_of_another": 1}
    [answer] = await world.machine.decrypt([peer.say("hello")])
    assert (answer.device_id, answer.trust) == (peer.device.device_id, DeviceTrust.SIGNED)


async def test_who_passes_on_a_restored_key_is_not_its_sender(world: World) -> None:
    """A member that gives a key from the backup as his own is nobody's device; its sender is."""
    peer, member = await world.peer(), await world.peer("@eve:example.org")
    for each in (peer, member):
        await know(world.machine, each, DeviceTrust.SIGNED)
    await world.machine.import_keys([exported(peer, peer.exported())], Provenance.BACKUP)
    key = peer.room_key_content()
    report = await world.take(member.olm(world.machine.device, "m.room_key", key))
    assert report.counts == {"room_key_of_another": 1}
    request = peer.say("hello")
    copy = replace(request, event_id="$copy", sender=member.device.user_id)
    answers = await world.machine.decrypt([request, copy])
    assert [each.trust for each in answers] == [DeviceTrust.UNPROVED] * 2
    assert [each.provenance for each in answers] == [Provenance.BACKUP] * 2
    await world.share(peer)
    answers = await world.machine.decrypt([request, copy])
    assert [each.trust for each in answers] == [DeviceTrust.SIGNED, DeviceTrust.MISMATCH]


async def test_a_false_export_does_not_spoil_a_session(world: World) -> None:
    """An export bears no signature: one that is no part of the true key gives way to it."""
    peer = await world.peer()
    true = vodozemac.ExportedSessionKey(peer.exported())
    false = Peer().exported()
    assert true.to_base64() != false
    spoiled = _with_key_of(false, peer)
    assert await world.machine.import_keys([exported(peer, spoiled)], Provenance.BACKUP) == 1
    request = peer.say("early")
    [answer] = await world.machine.decrypt([request])
    assert answer.why == megolm.NOT_BY_KEY
    await world.share(peer)
    [answer] = await world.machine.decrypt([peer.say("hello")])
    assert said(answer.clear) == "hello"
    # And a true key is never replaced by such a one, though it begins earlier.
    assert await world.machine.import_keys([exported(peer, spoiled)], Provenance.BACKUP) == 0


def _with_key_of(false: str, peer: Peer) -> str:
    """An export with another ratchet and the true session's name."""
    ratchet, named = unpadded.decode(false), unpadded.decode(peer.exported())
    assert ratchet is not None
    assert named is not None
    return unpadded.encode(ratchet[:-32] + named[-32:])


async def test_a_damaged_key_is_told_of_and_given_way_to(world: World) -> None:
    """A key that cannot be read has its reason; its neighbours open, and it may come again."""
    peer, other = await world.peer(), await world.peer("@bob:example.org")
    key = peer.room_key(world.machine.device)
    again = peer.room_key(world.machine.device)
    await world.take(key)
    await world.share(other)

    def damaged(transaction: Transaction) -> None:
        transaction.execute(
            "UPDATE inbound SET pickle = 'x' WHERE session_id = ?", (peer.group.session_id,)
        )
        transaction.loaded.drop()

    await world.machine.run(damaged)
    request = peer.say("hello")
    first, second = await world.machine.decrypt([request, other.say("hi")])
    assert (first.why, said(second.clear)) == (megolm.KEY_DAMAGED, "hi")
    assert len(await world.machine.keys(after=0, limit=10, unbacked=False)) == 1
    await world.take(again)
    [answer] = await world.machine.decrypt([request])
    assert said(answer.clear) == "hello"


async def test_a_pickle_in_anothers_place_is_damage(world: World) -> None:
    """A key that stands where another belongs is not taken for it."""
    peer, other = await world.peer(), await world.peer("@bob:example.org")
    await world.share(peer)
    await world.share(other)

    def swapped(transaction: Transaction) -> None:
        transaction.execute(
            "UPDATE inbound SET pickle = (SELECT pickle FROM inbound WHERE session_id = ?)",
            (other.group.session_id,),
        )
        transaction.loaded.drop()

    await world.machine.run(swapped)
    first, second = await world.machine.decrypt([peer.say("hello"), other.say("hi")])
    assert (first.why, said(second.clear)) == (megolm.KEY_DAMAGED, "hi")


async def test_keys_beyond_those_held_in_memory_open_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two keys in memory, events of five sessions in turn all open."""
    monkeypatch.setattr("connectors.matrix.crypto.store.MOST_ROOM_KEYS", 2)
    peers = [await world.peer(f"@p{number}:example.org") for number in range(5)]
    for peer in peers:
        await world.share(peer)
    requests = [peer.say(str(turn)) for turn in range(3) for peer in peers]
    answers = await world.machine.decrypt(requests)
    assert [said(answer.clear) for answer in answers] == [
        str(turn) for turn in range(3) for _ in peers
    ]
    assert len(await world.machine.run(lambda tx: tx.loaded.room_keys)) == 2


async def test_our_own_session_opens_our_own_echo(world: World) -> None:
    """What we send comes back to us as an event that we can read."""
    me = Peer(world.machine.device.user_id, world.machine.device.device_id)

    def kept(transaction: Transaction) -> None:
        inbound.keep_own(transaction, ROOM, me.group)

    await world.machine.run(kept)
    [answer] = await world.machine.decrypt([me.say("notice")])
    assert said(answer.clear) == "notice"
    assert answer.provenance is Provenance.DIRECT


async def test_keys_are_backed_up_once_and_again_when_they_became_better(world: World) -> None:
    """A key that became better during the upload is due again; another backup makes all due."""
    peer, other = await world.peer(), await world.peer("@bob:example.org")
    first = peer.exported()
    peer.say("early")
    await world.share(peer)
    await world.share(other)
    rows = await world.machine.keys(after=0, limit=10, unbacked=True)
    assert [row.first_index for row in rows] == [1, 0]
    assert all(row.is_trusted for row in rows)
    await world.machine.import_keys([exported(peer, first)], Provenance.IMPORT)
    await world.machine.backed_up([row.id for row in rows])
    [due] = await world.machine.keys(after=0, limit=10, unbacked=True)
    assert (due.key.session_id, due.first_index) == (peer.group.session_id, 0)
    assert due.key.session_key == first
    await world.machine.backed_up([due.id])
    assert await world.machine.keys(after=0, limit=10, unbacked=True) == ()
    await world.machine.forget_backups()
    assert len(await world.machine.keys(after=0, limit=1, unbacked=True)) == 1
    last = (await world.machine.keys(after=0, limit=10, unbacked=False))[-1]
    assert await world.machine.keys(after=last.id, limit=10, unbacked=False) == ()


async def test_nothing_secret_stands_in_the_file(world: World, tmp_path: Path) -> None:
    """Neither what was said nor a key of it is in any file of the store."""
    peer = await world.peer()
    await world.share(peer)
    key = peer.exported()
    [answer] = await world.machine.decrypt([peer.say("a very secret word")])
    assert said(answer.clear) == "a very secret word"
    assert "secret" not in repr(answer)

    def written() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.iterdir())

    data = await asyncio.to_thread(written)
    assert peer.group.session_id.encode() in data
    assert b"secret word" not in data
    assert key.encode() not in data
    assert peer.group.session_key.to_base64().encode() not in data
