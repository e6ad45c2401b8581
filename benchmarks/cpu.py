"""Client CPU per plain event: connector and journal together, beside nio's parser alone.

Both read the same sync response in the same process, in turn; the ratio is what counts.
Run: ``python -m benchmarks.cpu [--json FILE]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bridge.clock import SystemClock
from bridge.model import Batch, Group, GroupState, NoticeState
from connectors.matrix.delivery import Reader
from connectors.matrix.envelope import split_sync
from connectors.matrix.place import Place, write_place
from storage.journal import SqliteJournal

ROOMS = 60
EVENTS = 3000
ROUNDS = 7
OWN = "@recorder:bench.example"


def response(turn: int) -> bytes:
    """A sync response of plain messages as Synapse writes it, other ids each turn."""
    joined = {room: _room(room, turn) for room in map(_room_id, range(ROOMS))}
    return json.dumps(
        {
            "next_batch": f"s{turn}_1_1_1_1_1_1_1_1",
            "device_one_time_keys_count": {"signed_curve25519": 50},
            "device_lists": {"changed": [], "left": []},
            "to_device": {"events": []},
            "presence": {"events": []},
            "rooms": {"join": joined, "invite": {}, "leave": {}},
        }
    ).encode()


def _room_id(number: int) -> str:
    return f"!room{number:03d}:bench.example"


def _room(room: str, turn: int) -> dict[str, object]:
    events = [
        {
            "type": "m.room.message",
            "sender": f"@person{i % 5}:bench.example",
            "content": {"msgtype": "m.text", "body": f"Decision {i}: approve option B, go ahead."},
            "origin_server_ts": 1_700_000_000_000 + i,
            "unsigned": {"membership": "join", "age": 120 + i},
            "event_id": f"${turn:03d}{i:03d}{room[1:8]}_aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        }
        for i in range(EVENTS // ROOMS)
    ]
    nothing: dict[str, object] = {"events": []}
    return {
        "timeline": {"events": events, "limited": False, "prev_batch": "s0"},
        "state": nothing,
        "ephemeral": nothing,
        "account_data": nothing,
        "summary": {},
        "unread_notifications": {},
    }


def nio_seconds(body: bytes) -> float:
    """CPU seconds of nio's parser over ``body``."""
    from nio import SyncResponse

    began = time.process_time()
    parsed = SyncResponse.from_dict(json.loads(body))
    spent = time.process_time() - began
    if not isinstance(parsed, SyncResponse):
        raise TypeError("nio did not understand the response")
    return spent


async def our_seconds(journal: SqliteJournal, reader: Reader, body: bytes) -> float:
    """CPU seconds, all threads, from the body to the durable journal."""
    groups = frozenset(map(_room_id, range(ROOMS)))
    place = Place(since="s0", recorded=dict.fromkeys(groups, 1))
    began = time.process_time()
    delivery = reader.read(split_sync(body), place, approved=groups, at=datetime.now(UTC))
    await journal.append(
        Batch(
            connector="bench",
            platform="matrix",
            cursor=write_place(delivery.place),
            events=tuple(delivery.events),
            sightings=tuple(delivery.sightings),
        )
    )
    return time.process_time() - began


async def measure(folder: Path) -> dict[str, float]:
    """Microseconds per event of both, and their ratio, as medians over the rounds."""
    journal = await SqliteJournal.open(
        folder / "journal.db",
        key=os.urandom(32),
        blind_key=os.urandom(32),
        random_bytes=os.urandom,
        clock=SystemClock(),
    )
    for room in map(_room_id, range(ROOMS)):
        group = Group(
            connector="bench",
            platform="matrix",
            group_id=room,
            name="Bench",
            state=GroupState.ACTIVE,
            notice=NoticeState.POSTED,
        )
        await journal.set_group(group, expect=None)
    reader = Reader(own_user=OWN, default_retention=None)
    ours, theirs = [], []
    for turn in range(ROUNDS + 1):
        body = response(turn)
        ours.append(await our_seconds(journal, reader, body) / EVENTS * 1e6)
        theirs.append(nio_seconds(body) / EVENTS * 1e6)
    await journal.aclose()
    ratios = [a / b for a, b in zip(ours[1:], theirs[1:], strict=True)]
    return {
        "muniment_us": statistics.median(ours[1:]),
        "nio_parser_us": statistics.median(theirs[1:]),
        "ratio": statistics.median(ratios),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder)))
    print(
        f"muniment, body to durable journal: {figures['muniment_us']:.0f} us per event; "
        f"nio's parser alone: {figures['nio_parser_us']:.0f} us; ratio {figures['ratio']:.2f}"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
