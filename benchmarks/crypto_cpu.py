"""Client CPU per encrypted event: split, map, decrypt and map again, beside nio's path.

Both read the same sync response in the same process, in turn; the ratio is what counts. nio's path
is its parser and ``decrypt_event``; ours ends with the events as the journal is given them.
vodozemac alone, which both stand on, is measured too. Then 3,000 journalled events wait for a key
that comes, and the longest turn of the event loop is taken while they are opened; nio decrypts a
response in one turn.
Run: ``python -m benchmarks.crypto_cpu [--json FILE]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
import vodozemac

from bridge.clock import SystemClock
from bridge.model import Batch, Cursor, Event, Group, GroupState, NoticeState, Provenance
from bridge.opening import Opening
from connectors.matrix.crypto.decrypter import MatrixDecrypter
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.values import ExportedKey
from connectors.matrix.delivery import Reader
from connectors.matrix.envelope import split_sync
from connectors.matrix.place import Place
from storage.journal import SqliteJournal

ROOM = "!room:bench.example"
SENDER = "@person:bench.example"
OWN = "@recorder:bench.example"
DEVICE = "BENCH"
EVENTS = 3000
ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A sync response of encrypted messages, their key, and the ciphertexts alone."""

    body: bytes
    key: str
    session_id: str
    sender_key: str
    ed25519: str
    ciphertexts: tuple[str, ...]


def talk(turn: int) -> Talk:
    """Messages of one device in one session, as Synapse hands them on."""
    account, session = vodozemac.Account(), vodozemac.GroupSession()
    key = session.session_key.to_base64()
    curve = account.curve25519_key.to_base64()
    ciphertexts = []
    for number in range(EVENTS):
        clear = {
            "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": f"Decision {number}: approve option B."},
            "room_id": ROOM,
        }
        ciphertexts.append(session.encrypt(json.dumps(clear).encode()).to_base64())
    events = [
        {
            "type": "m.room.encrypted",
            "sender": SENDER,
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "ciphertext": ciphertext,
                "device_id": DEVICE,
                "sender_key": curve,
                "session_id": session.session_id,
            },
            "origin_server_ts": 1_700_000_000_000 + number,
            "unsigned": {"membership": "join", "age": 120 + number},
            "event_id": f"${turn:03d}{number:06d}_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        }
        for number, ciphertext in enumerate(ciphertexts)
    ]
    nothing: dict[str, object] = {"events": []}
    room = {
        "timeline": {"events": events, "limited": False, "prev_batch": "s0"},
        "state": nothing,
        "ephemeral": nothing,
        "account_data": nothing,
        "summary": {},
        "unread_notifications": {},
    }
    body = {
        "next_batch": f"s{turn}_1_1_1_1_1_1_1_1",
        "device_one_time_keys_count": {"signed_curve25519": 50},
        "device_lists": {"changed": [], "left": []},
        "to_device": {"events": []},
        "presence": {"events": []},
        "rooms": {"join": {ROOM: room}, "invite": {}, "leave": {}},
    }
    return Talk(
        body=json.dumps(body).encode(),
        key=key,
        session_id=session.session_id,
        sender_key=curve,
        ed25519=account.ed25519_key.to_base64(),
        ciphertexts=tuple(ciphertexts),
    )


class Nio:
    """nio's client with a store of its own."""

    def __init__(self, folder: Path) -> None:
        from nio import AsyncClient

        self._client = AsyncClient("http://127.0.0.1:1", OWN, DEVICE, store_path=str(folder))
        self._client.user_id = OWN
        self._client.load_store()

    def seconds(self, said: Talk) -> float:
        """CPU seconds of its parser and its decryption."""
        from nio import SyncResponse
        from nio.crypto import InboundGroupSession

        olm = self._client.olm
        olm.inbound_group_store.add(
            InboundGroupSession(said.key, said.ed25519, said.sender_key, ROOM)
        )
        began = time.process_time()
        parsed = SyncResponse.from_dict(json.loads(said.body))
        opened = []
        for event in parsed.rooms.join[ROOM].timeline.events:
            event.room_id = ROOM
            opened.append(self._client.decrypt_event(event))
        spent = time.process_time() - began
        if len(opened) != EVENTS or any(not hasattr(event, "body") for event in opened):
            raise TypeError("nio did not open every event")
        return spent


class _Nobody:
    """In place of the upkeep: the homeserver knows nothing of any device."""

    async def refresh(self, users: Collection[str]) -> None:
        """Nothing changed."""

    async def ask(self, users: Collection[str]) -> None:
        """No answer."""


class _Keys:
    """What the decrypter needs of a session, without a homeserver."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.upkeep = _Nobody()

    async def begun(self) -> None:
        """It was, with the machine."""


class Ours:
    """The connector's reading and decrypting, as it runs in the recorder."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._reader = Reader(own_user=OWN, default_retention=None, has_keys=True)
        self._decrypter = MatrixDecrypter(_Keys(machine), own_user=OWN)  # type: ignore[arg-type]

    async def seconds(self, said: Talk) -> float:
        """CPU seconds, all threads, from the body to the events with their content."""
        await self._machine.import_keys([exported(said)], Provenance.IMPORT)
        place = Place(since="s0", recorded={ROOM: 1})
        began = time.process_time()
        delivery = self._reader.read(
            split_sync(said.body), place, approved=frozenset({ROOM}), at=datetime.now(UTC)
        )
        events: Sequence[Event] = [e for e in delivery.events if e.crypto is not None]
        opened = await self._decrypter.open(events)
        spent = time.process_time() - began
        if len(opened) != EVENTS or any(each.event is None for each in opened):
            raise TypeError("an event was not opened")
        return spent


async def longest_turn(folder: Path, machine: Machine, said: Talk) -> float:
    """Seconds of the longest turn of the event loop while waiting events are opened."""
    journal = await _journal(folder)
    reader = Reader(own_user=OWN, default_retention=None, has_keys=True)
    place = Place(since="s0", recorded={ROOM: 1})
    delivery = reader.read(
        split_sync(said.body), place, approved=frozenset({ROOM}), at=datetime.now(UTC)
    )
    events = tuple(event for event in delivery.events if event.crypto is not None)
    await journal.append(
        Batch(connector="bench", platform="matrix", cursor=Cursor(b"1"), events=events)
    )
    opening = Opening(
        connector="bench",
        decrypter=MatrixDecrypter(_Keys(machine), own_user=OWN),  # type: ignore[arg-type]
        journal=journal,
        clock=SystemClock(),
    )
    while await opening.step():
        pass
    await machine.import_keys([exported(said)], Provenance.IMPORT)
    turns = _Turns()
    watching = asyncio.create_task(turns.watch())
    while await opening.step():
        pass
    watching.cancel()
    left = await journal.unopened("bench", limit=1)
    await journal.aclose()
    if left:
        raise TypeError("an event was not opened")
    return turns.longest


class _Turns:
    """How long others had to wait for the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            asked = time.monotonic()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.monotonic() - asked)


async def _journal(folder: Path) -> SqliteJournal:
    journal = await SqliteJournal.open(
        folder / "journal.db",
        key=os.urandom(32),
        blind_key=os.urandom(32),
        random_bytes=os.urandom,
        clock=SystemClock(),
    )
    group = Group(
        connector="bench",
        platform="matrix",
        group_id=ROOM,
        name="Bench",
        state=GroupState.ACTIVE,
        notice=NoticeState.POSTED,
    )
    await journal.set_group(group, expect=None)
    return journal


def exported(said: Talk) -> ExportedKey:
    """Its key as a file or a backup has it."""
    key = vodozemac.InboundGroupSession(vodozemac.SessionKey(said.key)).export_at(0)
    if key is None:
        raise TypeError("a new session exports its first key")
    return ExportedKey(
        room_id=ROOM,
        session_id=said.session_id,
        sender_key=said.sender_key,
        ed25519=said.ed25519,
        session_key=key.to_base64(),
    )


def bare_seconds(said: Talk) -> float:
    """CPU seconds of vodozemac alone, from the text of each ciphertext."""
    session = vodozemac.InboundGroupSession(vodozemac.SessionKey(said.key))
    began = time.process_time()
    for ciphertext in said.ciphertexts:
        session.decrypt(vodozemac.MegolmMessage.from_base64(ciphertext))
    return time.process_time() - began


async def measure(folder: Path) -> Mapping[str, float]:
    """Microseconds per event of each, and the ratio of ours to nio's, as medians of the rounds."""
    machine = await Machine.open(
        folder / "keys.db",
        key=os.urandom(32),
        user_id=OWN,
        device_id=DEVICE,
        random=os.urandom,
        clock=SystemClock(),
    )
    nio_folder = folder / "nio"
    await asyncio.to_thread(nio_folder.mkdir)
    nio, ours = Nio(nio_folder), Ours(machine)
    rounds = []
    for turn in range(ROUNDS + 1):
        said = talk(turn)
        rounds.append((await ours.seconds(said), nio.seconds(said), bare_seconds(said)))
    longest = await longest_turn(folder, machine, talk(ROUNDS + 1))
    await machine.aclose()
    micro = 1e6 / EVENTS
    mine, theirs, bare = zip(*rounds[1:], strict=True)
    return {
        "muniment_us": statistics.median(mine) * micro,
        "nio_us": statistics.median(theirs) * micro,
        "vodozemac_us": statistics.median(bare) * micro,
        "ratio": statistics.median(a / b for a, b in zip(mine, theirs, strict=True)),
        "nio_turn_ms": statistics.median(theirs) * 1e3,
        "longest_turn_ms": longest * 1e3,
    }


def told(figures: Mapping[str, float]) -> str:
    """The figures as a sentence."""
    return (
        f"muniment, body to opened events: {figures['muniment_us']:.0f} us per encrypted event; "
        f"nio, parser and decryption: {figures['nio_us']:.0f} us; ratio {figures['ratio']:.2f}; "
        f"vodozemac alone: {figures['vodozemac_us']:.0f} us. While {EVENTS} waiting events are"
        f" opened the event loop's longest turn is {figures['longest_turn_ms']:.0f} ms;"
        f" nio takes {figures['nio_turn_ms']:.0f} ms in one turn."
    )


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder)))
    print(told(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
