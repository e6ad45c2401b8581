"""A room whose messages live for four seconds, on a real Synapse whose purge job runs.

    python -m benchmarks.short_timer --synapse .synapse/bin/python [--count N] [--rate N]

Each message must be durable in the journal before it expires, and stored. Synapse's times and
ours are those of one machine. Exits 1 if a message is missing in either, or was journalled after
its expiry.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.journal_view import journalled_bodies, probe_of
from benchmarks.scene import PROGRAM, account, in_memory, room_for, speakers
from benchmarks.senders import Sending, bodies, send
from bridge.demo.homeserver import Homeserver
from bridge.demo.official import Official
from bridge.demo.recorder import ApprovedGroup, Recorder
from bridge.demo.shelf import read_shelf

LIFETIME_MS = 4000
_PATIENCE = 30.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts of messages; ``slowest``: seconds from sending to the journal, at the slow end.

    ``late``: stored after their expiry, by the recorder's own count.
    """

    sent: int
    in_time: int
    stored: int
    late: int
    slowest: float


async def measure(*, python: Path, folder: Path, sending: Sending) -> Figures:
    """Send into the room and look. ``python`` has Synapse; ``folder`` MUST NOT exist."""
    async with (
        in_memory() as memory,
        Homeserver(folder=memory, python=python) as homeserver,
        speakers(homeserver, 2) as people,
    ):
        own = await account(homeserver, "recorder")
        room = await room_for(people, "Brief", own, retention_ms=LIFETIME_MS)
        recorder = Recorder(folder=folder, command=PROGRAM)
        await recorder.prepare(
            homeserver=homeserver.url, account=own, groups=[ApprovedGroup(id=room, name="Brief")]
        )
        probe = ("--probe", str(probe_of(recorder.config)))
        await recorder.start(command=(sys.executable, "-m", "benchmarks.slow_run", *probe))
        try:
            return await _figures(recorder, people, room, sending)
        finally:
            await recorder.stop()


async def _figures(
    recorder: Recorder, people: list[Official], room: str, sending: Sending
) -> Figures:
    texts = bodies("a short timer", sending.count)
    await send(people, room, texts, sending)
    wanted = frozenset(texts)
    clock = asyncio.get_running_loop().time
    until = clock() + _PATIENCE
    while (stored := await _stored(recorder, wanted)) < len(texts) and clock() < until:
        await asyncio.sleep(_LOOK_SECONDS)
    journalled = await journalled_bodies(recorder.config)
    delays = {body: delay for body, delay in journalled if body in wanted}
    status = await recorder.status()
    return Figures(
        sent=len(texts),
        in_time=sum(delay < LIFETIME_MS / 1000 for delay in delays.values()),
        stored=stored,
        late=sum(group.late for group in status.groups),
        slowest=max(delays.values(), default=0.0),
    )


async def _stored(recorder: Recorder, wanted: frozenset[str]) -> int:
    objects = await recorder.objects()
    shelf = await asyncio.to_thread(read_shelf, objects)
    return len(wanted.intersection(record.body for record in shelf.records))


def told(figures: Figures) -> str:
    """The figures as a sentence."""
    return (
        f"Retention {LIFETIME_MS / 1000:.0f} s: {figures.in_time} of {figures.sent} journalled"
        f" before expiry (slowest {figures.slowest:.2f} s), {figures.stored} stored,"
        f" {figures.late} of them after expiry."
    )


def main() -> None:
    """Read the arguments, measure, print; 1 if a message is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synapse", type=Path, required=True, help="python with Synapse")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muniment-timer-") as name:
        figures = asyncio.run(
            measure(
                python=chosen.synapse.absolute(),
                folder=Path(name) / "recorder",
                sending=Sending(count=chosen.count, rate=chosen.rate),
            )
        )
    print(told(figures))
    raise SystemExit(0 if figures.in_time == figures.stored == figures.sent else 1)


if __name__ == "__main__":
    main()
