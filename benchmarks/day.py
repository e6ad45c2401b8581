"""A whole day of the real recorder in virtual time: what is lost or late, and what grows.

    python -m benchmarks.day [--hours 24] [--rate 20] [--groups 50] [--slice 1]
        [--busy HOURS --quiet RATE] [--folder DIR] [--minutes M]

The parts are those of `muniment run`, wired by `bridge.app`, with a journal, a spool, a log and a
`file:` store on disk and the Telegram connector; its Bot API is in memory (``benchmarks/talk.py``),
and the clock and the event loop are virtual (``benchmarks/virtual_time.py``). A second of virtual
time passes when all that belongs to it is done, so that nothing here says how fast anything is
but the lines per hour: how many messages a second of real time took. With ``--minutes`` it ends
early when so much real time has gone. Exits 1 if a message was lost, late or left undecided.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import resource
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from benchmarks.ledger import Ledger, balance
from benchmarks.soak import Samples
from benchmarks.talk import Pace, Talk
from benchmarks.virtual_time import VirtualClock, VirtualLoop, databases_counted
from bridge.app import known_groups, new_folder, read_settings, running
from bridge.cli.ending import Workers
from bridge.demo.ports import free_ports
from bridge.demo.tables import group_table, quoted, telegram_table
from bridge.model import GroupState
from connectors.telegram.client import TelegramConnector
from tests.simulation.ports import START

NAME = "telegram"
FILES = Path("/proc/self/fd")
HOUR = 3600.0
SAMPLES = 288
LEAST_STEP = 60.0
"""Looking collects garbage first, which takes a moment."""

SCRAPE_SECONDS = 60.0
SETTLE_SECONDS = 300.0
"""How long, in virtual time, everything may take to be at rest when nobody says any more."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """What was seen on the way. ``seconds`` are those that passed, virtually."""

    samples: Samples = field(default_factory=Samples)
    seconds: float = 0.0
    alarms: set[str] = field(default_factory=set)
    page: bytes = b""
    journal: int = 0
    stopped_in: float = 0.0

    @property
    def queued(self) -> int:
        """How many messages are on their way, as the metrics say."""
        lines = self.page.decode().splitlines()
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in lines
            if line.startswith("muniment_queue_depth{")
        )


def prepare(folder: Path, talk: Talk) -> Path:
    """What `muniment init` makes, with a bot and its groups; the settings file. Blocks."""
    new_folder(folder, tenant="demo", log_origin="records.example.org", random_bytes=os.urandom)
    secret = folder / "recorder.token"
    secret.touch(mode=0o600)
    secret.write_text(f"{1:010d}:{'a' * 35}\n", encoding="utf-8")
    config = folder / "muniment.toml"
    text = config.read_text(encoding="utf-8")
    place = f"metrics = {quoted('127.0.0.1:9464')}\n"
    if text.count(place) != 1:
        raise RuntimeError(f"{config} does not say once where metrics are shown")
    tables = [telegram_table(NAME, "http://127.0.0.1:9", secret.name)]
    tables += [group_table(NAME, str(chat.id), chat.title) for chat in talk.chats]
    mine = f"metrics = {quoted(f'127.0.0.1:{free_ports(1)[0]}')}\n"
    config.write_text(text.replace(place, mine) + "".join(tables), encoding="utf-8")
    return config


class Day:
    """One run."""

    def __init__(self, pace: Pace, folder: Path, loop: VirtualLoop, minutes: float | None) -> None:
        """Blocks: makes the folders."""
        self._pace = pace
        self._minutes = minutes
        self._loop = loop
        self._clock = VirtualClock(loop, START)
        files = folder / "files"
        files.mkdir()
        self._files = files
        self.talk = Talk(pace, self._clock, files)
        self.folder = folder / "recorder"
        self._settings = read_settings(prepare(self.folder, self.talk))
        self.progress = Progress()

    async def live(self) -> None:
        """From the start to the ordinary end."""
        connector = TelegramConnector(
            name=NAME,
            api=self.talk,
            clock=self._clock,
            approval_timeout_hours=24.0,
            local_files=self._files,
        )
        recorder = running(
            self._settings,
            tell=self._told_of,
            clock=self._clock,
            instead={NAME: connector},
        )
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(recorder)
            await self._recording()
            self.talk.begin()
            scraping = asyncio.create_task(self._scrape())
            await self._watch()
            await self._rest()
            scraping.cancel()
            await asyncio.gather(scraping, return_exceptions=True)
            asked = time.monotonic()
        self.progress.stopped_in = time.monotonic() - asked

    def _told_of(self, alarm: str) -> None:
        self.progress.alarms.add(alarm)
        print(f"at {self._loop.time() / HOUR:.2f} h: ALARM {alarm}", flush=True)

    async def _recording(self) -> None:
        """Until every group is recorded and was told."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                groups = await known_groups(self._settings)
                ready = [g for g in groups if g.state is GroupState.ACTIVE]
                if len(ready) == self._pace.groups and all(g.notices for g in ready):
                    return
                await self._clock.sleep(1.0)

    async def _watch(self) -> None:
        """Until all was said, or time is up."""
        began, spent, done = time.monotonic(), 0.0, 0
        step = max(self._pace.seconds / SAMPLES, min(self._pace.seconds / 10, LEAST_STEP))
        start = self._loop.time()
        next_hour = HOUR
        hour_began, cpu_began = began, time.process_time()
        while not self.talk.silent:
            await self._clock.sleep(step)
            await asyncio.to_thread(self._look)
            self.progress.seconds = self._loop.time() - start
            if self.progress.seconds >= next_hour - 1e-3:
                now, cpu = time.monotonic(), time.process_time()
                self._tell(self.talk.made - done, now - hour_began, cpu - cpu_began)
                done, hour_began, cpu_began = self.talk.made, now, cpu
                next_hour += HOUR
            spent = time.monotonic() - began
            if self._minutes is not None and spent > self._minutes * 60:
                self.talk.end()
                print(f"time is up after {self.progress.seconds / HOUR:.2f} h", flush=True)
                break

    def _look(self) -> None:
        gc.collect()
        self.progress.samples.take(os.getpid(), sum(1 for _ in FILES.iterdir()))
        self.progress.journal = (self._settings.service.data_dir / "journal.db").stat().st_size

    def _tell(self, said: int, seconds: float, cpu: float) -> None:
        samples = self.progress.samples
        print(
            f"{self.progress.seconds / HOUR:5.2f} h: {self.talk.made} said, {said / seconds:.0f}/s,"
            f" {cpu / max(said, 1) * 1000:.2f} ms CPU each, resident {samples.resident[-1]:.0f} MB,"
            f" {samples.files[-1]} files, journal {self.progress.journal / 1e6:.0f} MB,"
            f" {self.progress.queued} on their way",
            flush=True,
        )

    async def _rest(self) -> None:
        """Until nothing is on its way, for as long as that may take."""
        until = self._loop.time() + SETTLE_SECONDS
        while self._loop.time() < until:
            await self._clock.sleep(5.0)
            await self._scrape_once()
            if self.talk.silent and not self.progress.queued:
                return

    async def _scrape(self) -> None:
        """As Prometheus does."""
        while True:
            await self._scrape_once()
            await self._clock.sleep(SCRAPE_SECONDS)

    async def _scrape_once(self) -> None:
        address = f"http://{self._settings.service.metrics}/metrics"
        self.progress.page = await asyncio.to_thread(_read, address)


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - loopback
        found: bytes = answer.read()
    return found


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """What the recorder logs, from warnings on, goes there."""
    before = structlog.get_config()
    with file.open("w", encoding="utf-8") as log:
        structlog.configure(
            processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.WriteLoggerFactory(file=log),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)


def run(pace: Pace, folder: Path, *, minutes: float | None = None) -> tuple[Progress, Ledger]:
    """Let the day pass, then count. Blocks."""
    loop = VirtualLoop()
    try:
        loop.set_default_executor(Workers(thread_name_prefix="worker"))
        with _logged(folder / "run.log"), databases_counted():
            day = Day(pace, folder, loop, minutes)
            loop.run_until_complete(day.live())
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    return day.progress, balance(day.folder, sent=day.talk.made)


def _paces(pace: Pace) -> str:
    if pace.busy_seconds is None:
        return f"{pace.rate:g}/s"
    return f"{pace.rate:g}/s for {pace.busy_seconds / HOUR:g} h, else {pace.quiet_rate:g}/s"


def report(pace: Pace, progress: Progress, ledger: Ledger) -> str:
    """The figures as text."""
    first, last = progress.samples.growth(progress.samples.resident)
    files = progress.samples.growth([float(each) for each in progress.samples.files])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    return (
        f"{progress.seconds / HOUR:.2f} virtual hours, {ledger.sent} messages in {pace.groups}"
        f" groups at {_paces(pace)}: {ledger.lost} lost, {ledger.late} late,"
        f" {ledger.skipped} numbers left out, {ledger.gaps} gaps.\n"
        f"In the journal: {ledger.captured} captured, {ledger.review} for review,"
        f" {ledger.discarded} discarded; {ledger.unsettled} unsettled. In the store:"
        f" {ledger.stored} records named, {ledger.missing} missing; of {ledger.read} that were read"
        f" {ledger.changed} are other bytes than the journal's.\n"
        f"Resident {first:.1f} MB after the first tenth, {last:.1f} MB at the end"
        f" ({(last / first - 1) * 100:+.1f} %); {files[0]:.0f} and {files[1]:.0f} open files."
        f" Journal {ledger.journal_mb:.0f} MB.\n"
        f"{cpu / max(ledger.sent, 1) * 1000:.2f} ms of CPU for each message, people and platform"
        f" included. Ended in {progress.stopped_in:.1f} s. Alarms:"
        f" {', '.join(sorted(progress.alarms)) or 'none'}."
    )


def main() -> None:
    """Read the arguments, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--busy", type=float, help="hours in the middle at that rate")
    parser.add_argument("--quiet", type=float, default=0.0, help="messages a second otherwise")
    parser.add_argument("--groups", type=int, default=50)
    parser.add_argument("--slice", type=float, default=1.0, help="seconds that come together")
    parser.add_argument("--folder", type=Path, help="where to work; it must be empty")
    parser.add_argument("--minutes", type=float, help="of real time, at most")
    chosen = parser.parse_args()
    pace = Pace(
        seconds=chosen.hours * HOUR,
        rate=chosen.rate,
        groups=chosen.groups,
        slice_seconds=chosen.slice,
        busy_seconds=None if chosen.busy is None else chosen.busy * HOUR,
        quiet_rate=chosen.quiet,
    )
    with tempfile.TemporaryDirectory(prefix="muniment-day-") as made:
        folder: Path = chosen.folder or Path(made)
        progress, ledger = run(pace, folder, minutes=chosen.minutes)
    print(report(pace, progress, ledger))
    sys.exit(0 if ledger.whole else 1)


if __name__ == "__main__":
    main()
