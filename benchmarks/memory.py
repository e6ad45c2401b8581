"""Resident memory of `muniment run` while 10,000 events pass through it.

A real Synapse, a `file:` store. Run: ``python -m benchmarks.memory --synapse PYTHON``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.senders import Sending, bodies, send
from bridge.demo.homeserver import Homeserver
from bridge.demo.official import Official
from bridge.demo.recorder import ApprovedGroup, Recorder

EVENTS = 10_000
ROOMS = 10
PATIENCE = 900.0


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} says nothing of its memory")


async def measure(synapse: Path, folder: Path, events: int) -> dict[str, float]:
    """Memory after the start and after ``events`` events, and the rate they were sent at."""
    async with AsyncExitStack() as stack:
        homeserver = await stack.enter_async_context(
            Homeserver(folder=folder / "homeserver", python=synapse)
        )
        account = await homeserver.register("recorder", "secret", "Recorder")
        speaker = await homeserver.register("speaker", "secret", "Speaker")
        person = await stack.enter_async_context(
            Official(homeserver=homeserver.url, account=speaker)
        )
        rooms = [
            await person.create_room(f"Room {i}", invite=[account.user_id]) for i in range(ROOMS)
        ]
        recorder = Recorder(folder=folder / "recorder", command=(sys.executable, "-m", "bridge"))
        await recorder.prepare(
            homeserver=homeserver.url,
            account=account,
            groups=[ApprovedGroup(id=room, name=room) for room in rooms],
        )
        await recorder.start()
        stack.push_async_callback(recorder.stop)
        pid = recorder.pid
        if pid is None:
            raise RuntimeError("the recorder has ended")
        before = await asyncio.to_thread(resident_mb, pid)
        began = time.monotonic()
        for number, room in enumerate(rooms):
            texts = bodies(f"m{number}", events // ROOMS)
            await send([person], room, texts, Sending(count=len(texts), parallel=4))
        rate = events / (time.monotonic() - began)
        async with asyncio.timeout(PATIENCE):
            while sum(group.stored for group in (await recorder.status()).groups) < events:
                await asyncio.sleep(1)
        after = await asyncio.to_thread(resident_mb, pid)
    return {"events": events, "start_mb": before, "after_mb": after, "sent_per_second": rate}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--synapse", type=Path, required=True, metavar="PYTHON")
    options.add_argument("--events", type=int, default=EVENTS)
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(chosen.synapse.absolute(), Path(folder), chosen.events))
    print(
        f"resident: {figures['start_mb']:.0f} MB after start, {figures['after_mb']:.0f} MB after "
        f"{figures['events']:.0f} events at {figures['sent_per_second']:.0f}/s"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
