"""One process of the recorder: every part of it, on ports that outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import bridge.admission.loop as admission_loop
import bridge.reconcile.loop as reconciliation
from bridge import decisions, downloads, pressure, scribe, speech
from bridge.admission import Admission, ListedGroup
from bridge.audits import Audits
from bridge.capture import Capture
from bridge.decisions import Decisions
from bridge.downloads import Downloads
from bridge.errors import ConnectorUnavailableError, JournalUnavailableError, MunimentError
from bridge.forget import Forget
from bridge.model import Group
from bridge.notices import Notice
from bridge.opening import Opening
from bridge.pressure import Measure, Pressure
from bridge.protocols import Clock, Connector
from bridge.publisher import Publisher
from bridge.reconcile import Lifetimes, Reconciler, Reconciliation
from bridge.scribe import Scribe
from bridge.seal import Keeper, Retention, Sealer
from bridge.speech import Speech
from bridge.supervise import Loops
from bridge.triage import Triage
from bridge.undecided import Undecided
from bridge.writer import Writer
from tests.fakes import samples
from tests.fakes.holds import FakeHolds
from tests.fakes.log import tiled_log
from tests.fakes.office import FakeOffice, Inbox
from tests.simulation.loop import SimLoop
from tests.simulation.naps import RoundClock
from tests.simulation.ports import (
    SimClassifier,
    SimHeads,
    SimJournal,
    SimPlace,
    SimSpool,
    SimStore,
)
from tests.simulation.rounds import Rounds, Seen
from tests.simulation.server import MEDIA_MAX, SimConnector

TENANT = "demo"
DRAIN_SECONDS = 6.5
PUBLISH_SECONDS = 2.0
CHECKPOINT_SECONDS = 10.0
RETENTION = Retention(records=timedelta(days=2555), review=timedelta(days=30))
LIFETIMES = Lifetimes(records=lambda _stream: RETENTION, documents=RETENTION.records)
NOWHERE = Path("no request is ever made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a process stands on."""

    loop: SimLoop
    clock: Clock
    journal: SimJournal
    store: SimStore
    heads: SimHeads
    place: SimPlace
    spool: SimSpool
    inbox: Inbox
    classifier: SimClassifier
    listed: tuple[ListedGroup, ...]
    forget_after: float
    random: Random


class Process:
    """The recorder between a start and an end, wired and started as ``muniment run`` does it."""

    def __init__(self, ground: Ground, connector: SimConnector, *, number: int) -> None:
        self.number = number
        self.ended = asyncio.Event()
        self._begun = asyncio.Event()
        self._ground = ground
        self._connector = connector
        self._loops = Loops(ground.clock)
        clock, journal = ground.clock, ground.journal
        rounds = Rounds(journal, ground.spool, ground.inbox)
        connectors: dict[str, Connector] = {connector.name: connector}
        sealer = Sealer(
            journal=journal,
            blind_key=samples.BLIND_KEY,
            random_bytes=ground.random.randbytes,
            clock=clock,
            version="1.2.3",
        )
        keeper = Keeper(
            journal=journal,
            store=ground.store,
            spool=ground.spool,
            clock=clock,
            tenant=TENANT,
            retention=lambda _stream: RETENTION,
        )
        self.capture = Capture(connector=connector, journal=journal, clock=clock)
        self.openings: list[Opening] = []
        if connector.decrypter is not None:
            opening = Opening(
                connector=connector.name,
                decrypter=connector.decrypter,
                journal=journal,
                clock=clock,
            )
            self.capture.on_batch = opening.wake
            self.openings.append(opening)
        self.triage = Triage(
            journal=journal,
            classifier=ground.classifier,
            sealer=sealer,
            clock=clock,
            capture_all=False,
            window=timedelta(minutes=30),
        )
        self.writer = Writer(journal=journal, keeper=keeper, clock=clock, workers=2)
        self.scribe = Scribe(
            journal=journal,
            store=ground.store,
            clock=self._every(
                scribe.ROUND_SECONDS, waits=rounds.documents_wait, seen=rounds.rows_seen
            ),
            tenant=TENANT,
            retention_days=2555,
        )
        self.publisher = Publisher(
            record_log=tiled_log(ground.store, ground.heads, ground.place, clock),
            journal=journal,
            clock=self._every(
                CHECKPOINT_SECONDS,
                waits=lambda: bool(self.publisher.health) or journal.unavailable,
                seen=rounds.leaves_seen,
            ),
            checkpoint_seconds=CHECKPOINT_SECONDS,
        )
        self.audits = Audits(
            journal=journal,
            clock=clock,
            random_bytes=ground.random.randbytes,
            head=lambda: self.publisher.head,
        )
        self.downloads = Downloads(
            journal=journal,
            spool=ground.spool,
            connectors=connectors,
            clock=self._every(downloads.IDLE_SECONDS, waits=rounds.downloads_wait),
            media_max_bytes=MEDIA_MAX,
            workers=2,
        )
        self.forget = Forget(
            journal=journal,
            spool=ground.spool,
            holds=FakeHolds(),
            clock=clock,
            discard_after=timedelta(seconds=ground.forget_after),
            context_window=timedelta(seconds=5),
        )
        office = FakeOffice(ground.inbox)
        self.decisions = Decisions(
            journal=journal,
            office=office,
            clock=self._every(decisions.ROUND_SECONDS, waits=rounds.decisions_wait),
            random_bytes=ground.random.randbytes,
            revise=self.triage.revise,
        )
        self.admission = Admission(
            journal=journal,
            office=office,
            connectors=connectors,
            clock=self._every(
                admission_loop.ROUND_SECONDS, waits=rounds.groups_wait, seen=rounds.groups_seen
            ),
            random_bytes=ground.random.randbytes,
            listed=ground.listed,
            notice=_notice,
            received=lambda _name: self.capture.received,
        )
        self.speech = Speech(
            journal=journal,
            connectors=connectors,
            clock=self._every(speech.ROUND_SECONDS, waits=rounds.words_wait),
        )
        self.pressure = Pressure(
            journal=journal,
            spool=ground.spool,
            clock=self._every(
                pressure.ROUND_SECONDS,
                waits=lambda: False,
                seen=lambda: (self.triage.lag, *rounds.load_seen()),
            ),
            lag=lambda: self.triage.lag,
            take=self._make_way,
            sweep=self.downloads.sweep,
        )
        self.undecided = Undecided(
            journal=journal, clock=clock, holds=FakeHolds(), review=RETENTION.review
        )
        self.reconciliation = Reconciliation(
            reconciler=Reconciler(
                journal=journal,
                store=ground.store,
                keeper=keeper,
                connectors=connectors,
                clock=clock,
                blind_key=samples.BLIND_KEY,
                lifetimes=LIFETIMES,
                wait=lambda: Measure.LIVE_FIRST in self.pressure.measures,
            ),
            journal=journal,
            office=office,
            clock=self._every(
                reconciliation.ROUND_SECONDS,
                waits=lambda: bool(self.reconciliation.health) or rounds.requests_wait(),
                seen=rounds.groups_seen,
            ),
            file=NOWHERE,
        )

    def _every(
        self, seconds: float, *, waits: Callable[[], bool], seen: Callable[[], Seen] = tuple
    ) -> RoundClock:
        """The clock of a loop of which the rounds that find nothing are left out."""
        ground = self._ground
        return RoundClock(ground.clock, ground.loop, seconds=seconds, busy=waits, seen=seen)

    async def _write_down(self) -> None:
        await self.reconciliation.looked.wait()
        await self.publisher.looked.wait()
        await self.scribe.run()

    def _make_way(self, measures: frozenset[Measure]) -> None:
        self._connector.pause_backfill(paused=Measure.LIVE_FIRST in measures)
        self.triage.hurried = Measure.NO_WAITING in measures
        self.downloads.paused = Measure.TEXTS_FIRST in measures

    async def main(self) -> None:
        """Start and run until stopped; a start that fails is the end of this process."""
        try:
            await self._start()
        except MunimentError:
            self.ended.set()
        finally:
            self._begun.set()

    async def _start(self) -> None:
        with suppress(JournalUnavailableError):
            await self.decisions.take()
            await self.forget.round()
        if await self._ground.journal.cursor(self._connector.name) is None:
            with suppress(ConnectorUnavailableError):  # it starts degraded
                await self._connector.start()
        await self.admission.begin()
        await self.reconciliation.begin()
        await self.publisher.begin()
        self._loops.start("capture", self.capture.run)
        for opening in self.openings:
            self._loops.start("opening", opening.run)
        self._loops.start("admission", self.admission.run)
        self._loops.start("speech", self.speech.run)
        self._loops.start("pressure", self.pressure.run)
        self._loops.start("downloads", self.downloads.run)
        self._loops.start("triage", self.triage.run)
        self._loops.start("writer", self.writer.run)
        self._loops.start("scribe", self._write_down)
        self._loops.start("publisher", self.publisher.run)
        self._loops.start("audits", self.audits.run)
        self._loops.start("forget", self.forget.run)
        self._loops.start("undecided", self.undecided.run)
        self._loops.start("decisions", self.decisions.run)
        self._loops.start("reconciliation", self.reconciliation.run)

    async def stop(self) -> None:
        """Drain and stop, as a SIGTERM asks for."""
        await self._begun.wait()
        await self._loops.stop("capture", "opening", "admission", "speech", "reconciliation")
        await self.capture.leave()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                for opening in self.openings:
                    await opening.finish()
                while await self._ground.journal.pending() and not self.writer.health:
                    await self._ground.clock.sleep(0.05)
                await self._loops.stop("scribe")
                if self.reconciliation.looked.is_set() and self.publisher.looked.is_set():
                    await self.scribe.round(flush=True)
        except (TimeoutError, MunimentError):
            pass  # what is left is stored after the next start
        with suppress(TimeoutError):
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._loops.stop("publisher")
                await self.publisher.round()
        await self._loops.stop()
        self.ended.set()

    async def finish(self) -> None:
        """Do what the next start would find to do, since a stop in the middle left it."""
        await self.downloads.sweep()
        await self.scribe.round(flush=True)
        await self.scribe.round(flush=True)
        await self.forget.round()
        await self.publisher.round()


def _notice(group: Group) -> Notice:
    timer = group.timer.seconds if group.timer else None
    return Notice(text=f"{group.name} is recorded.", language="en", timer=timer)
