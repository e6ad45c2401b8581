"""A long run at a steady pace: memory, open files, losses, lateness.

    python -m benchmarks.soak [--seconds 3600] [--rate 20] [--groups 50]

Against the Bot API server for tests, as a process of its own, and a `file:` store. Growth is told
from the first tenth, when caches are warm, to the end. Exits 1 if a message was lost or late.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.memory import resident_mb
from benchmarks.scene import use_free_port
from benchmarks.talk import TEXTS
from benchmarks.telegram_loss import Town
from bridge.demo.recorder import ApprovedGroup, Recorder
from tests.acceptance.program import metrics_of
from tests.servers.bot_api import bot_api_process

_SAMPLE_SECONDS = 5.0
_DRAIN_SECONDS = 120.0
_PEOPLE = 8


@dataclass(slots=True)
class Samples:
    """What was seen of the recorder's process, every few seconds."""

    resident: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def take(self, pid: int, files: int) -> None:
        """Look once. Blocks."""
        self.resident.append(resident_mb(pid))
        self.files.append(files)

    def growth(self, values: list[float]) -> tuple[float, float]:
        """The median of the tenth after the first tenth, and of the last tenth."""
        tenth = max(len(values) // 10, 1)
        return median(values[tenth : 2 * tenth] or values), median(values[-tenth:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """How long, how fast, how wide."""

    seconds: float
    rate: float
    groups: int


async def _people(town: Town, count: int) -> list[str]:
    return [person.name for person in await town.people(count)]


async def rooms_of(town: Town, people: list[str], count: int) -> tuple[str, list[ApprovedGroup]]:
    """Supergroups with these people and one bot in all of them; its token and the groups."""
    made = await town.do(
        **{"do": "bot", "as": "soak", "name": "soak", "username": "soak_bot"}, hears_all=True
    )
    groups = []
    for number in range(count):
        name = f"room_{number}"
        order = {"do": "supergroup", "as": name, "by": people[0], "title": f"Room {number}"}
        room = str((await town.do(**order))["id"])
        for guest in people[1:]:
            await town.do(do="join", by=guest, chat=name)
        await town.do(do="add", by=people[0], chat=name, whom="soak")
        groups.append(ApprovedGroup(id=room, name=name))
    return str(made["token"]), groups


async def send(town: Town, people: list[str], groups: list[ApprovedGroup], soak: Soak) -> int:
    """Messages at a steady pace; how many were sent."""
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < soak.seconds:
        due = int(elapsed * soak.rate)
        for number in range(sent, due):
            text = TEXTS[number % len(TEXTS)].format(number)
            group = groups[number % len(groups)].name
            await town.do(do="say", by=people[number % len(people)], chat=group, text=text)
        sent = max(sent, due)
        await asyncio.sleep(0.05)
    return sent


def open_files(page: str) -> int:
    """How many files a recorder says it has open: ``/proc`` shows them to root alone. Blocks."""
    with urlopen(page, timeout=10) as answer:  # noqa: S310 - the page of our own recorder
        found = re.search(rb"^process_open_fds (\S+)$", answer.read(), re.MULTILINE)
    if found is None:
        raise RuntimeError("the recorder does not say how many files it has open")
    return int(float(found[1]))


async def _watch(recorder: Recorder, samples: Samples) -> None:
    page = f"http://{metrics_of(recorder.config)}/metrics"
    while True:
        pid = recorder.pid
        if pid is None or not recorder.alive:
            raise RuntimeError("the recorder has ended")
        files = await asyncio.to_thread(open_files, page)
        await asyncio.to_thread(samples.take, pid, files)
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _drained(recorder: Recorder, expected: int) -> int:
    """How many messages the journal has, once it has as many or they come no more."""
    seen = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while seen < expected:
                seen = await _seen(recorder)
                await asyncio.sleep(1.0)
    except TimeoutError:
        pass
    return seen


async def _seen(recorder: Recorder) -> int:
    return sum(group.seen for group in (await recorder.status()).groups)


async def measure(soak: Soak, folder: Path) -> bool:
    """Run it and print the figures. False: something was lost or late."""
    samples = Samples()
    async with AsyncExitStack() as stack:
        api = stack.enter_context(bot_api_process())
        town = Town(api, stack.enter_context(ThreadPoolExecutor(_PEOPLE)))
        people = await _people(town, _PEOPLE)
        token, groups = await rooms_of(town, people, soak.groups)
        recorder = Recorder(folder=folder / "recorder", command=(sys.executable, "-m", "bridge"))
        await recorder.prepare_telegram(api_base=api.url, token=token, groups=groups)
        await asyncio.to_thread(use_free_port, recorder)
        await recorder.start(patience=300.0)
        stack.push_async_callback(recorder.stop)
        before = await _seen(recorder)
        watching = asyncio.create_task(_watch(recorder, samples))
        began = time.monotonic()
        sent = await send(town, people, groups, soak)
        pace = sent / (time.monotonic() - began)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        seen = await _drained(recorder, before + sent) - before
        status = await recorder.status()
        asked = time.monotonic()
        code = await recorder.stop()
        stopped = time.monotonic() - asked
    lost, late = sent - seen, sum(group.late for group in status.groups)
    first, last = samples.growth(samples.resident)
    opened, open_last = samples.growth([float(each) for each in samples.files])
    print(
        f"{sent} messages in {soak.groups} groups at {pace:.1f}/s for {soak.seconds:.0f} s:"
        f" {lost} lost, {late} late, {sum(g.gaps for g in status.groups)} gaps,"
        f" {status.overdue} overdue at the end, alarms {status.alarms or 'none'}.\n"
        f"Resident {first:.1f} MB after the first tenth, {last:.1f} MB at the end"
        f" ({(last / first - 1) * 100:+.1f} %); {opened:.0f} and {open_last:.0f} open files.\n"
        f"SIGTERM: ended with {code} in {stopped:.1f} s."
    )
    return not lost and not late


def main() -> None:
    """Read the arguments, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--groups", type=int, default=50)
    chosen = parser.parse_args()
    soak = Soak(seconds=chosen.seconds, rate=chosen.rate, groups=chosen.groups)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if asyncio.run(measure(soak, Path(folder))) else 1)


if __name__ == "__main__":
    main()
