"""All parts of one running recorder, wired."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from bridge import deadlines
from bridge.admission import Admission
from bridge.app.adapters import FILE_WORKERS, S3_WORKERS
from bridge.app.anchors import Outsiders, anchoring_of
from bridge.app.catalog import FiledCatalog
from bridge.app.catalog import answering as answering_catalog
from bridge.app.keys import answering
from bridge.app.policies import idle_calibration
from bridge.app.reading import VERSION, as_config_error
from bridge.app.rules import (
    descriptions,
    lifetimes,
    listed_groups,
    notices,
    retentions,
    review_time,
)
from bridge.audits import Audits, TrailDigest
from bridge.capture import STARTING, Capture
from bridge.commands import Commands
from bridge.decisions import Decisions
from bridge.downloads import Downloads
from bridge.errors import (
    ConfigError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    JournalUnavailableError,
)
from bridge.forget import Forget
from bridge.health import FILE as HEALTH_FILE
from bridge.health import Alarm, HealthMonitor
from bridge.holds import HoldActs, StoreHolds
from bridge.indexer import Indexer
from bridge.model import GroupState
from bridge.opening import Opening
from bridge.pressure import Measure, Pressure
from bridge.protocols import Classifier, Clock, Connector, ObjectStore, RecordLog
from bridge.protocols.holds import Holds, LegalHolds
from bridge.publisher import Publisher
from bridge.reconcile import FILE as REQUEST_FILE
from bridge.reconcile import Reconciler, Reconciliation
from bridge.scribe import Scribe
from bridge.seal import Keeper, Sealer
from bridge.speech import Speech
from bridge.store_watch import StoreWatch
from bridge.supervise import Loops
from bridge.triage import Triage
from bridge.undecided import Undecided
from bridge.writer import Writer
from config.secrets import read_key
from config.settings import Settings
from storage.journal import SqliteJournal
from storage.office import SqliteOffice
from storage.spool import FileSpool

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 6.5
"""How long a stop waits for what is on its way; with what follows it stays under ten seconds."""

PUBLISH_SECONDS = 2.0
"""How long it waits after that for the checkpoint that covers what is stored."""


class Bridge:
    """All parts of one running recorder."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        journal: SqliteJournal,
        office: SqliteOffice,
        store: ObjectStore,
        record_log: RecordLog,
        outsiders: Outsiders,
        watch: StoreWatch,
        spool: FileSpool,
        holds: Holds,
        legal_holds: LegalHolds | None,
        trail: TrailDigest,
        connectors: dict[str, Connector],
        classifier: Classifier,
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._classifier = classifier
        self._clock = clock
        self._journal = journal
        self._connectors = connectors
        self._watch = watch
        self._loops = Loops(clock)
        with as_config_error():
            blind_key = read_key(settings.keys.blind_key_file)
        sealer = Sealer(
            journal=journal,
            blind_key=blind_key,
            random_bytes=os.urandom,
            clock=clock,
            version=VERSION,
        )
        keeper = Keeper(
            journal=journal,
            store=store,
            spool=spool,
            clock=clock,
            tenant=settings.service.tenant,
            retention=retentions(settings),
        )
        s3 = settings.store.location.folder is None
        self._captures = [
            Capture(
                connector=connector,
                journal=journal,
                clock=clock,
                interruption_seconds=settings.notice.interruption_seconds,
                language=settings.notice.language,
            )
            for connector in connectors.values()
        ]
        self._openings = self._openings_of(connectors)
        self._triage = Triage(
            journal=journal,
            classifier=classifier,
            sealer=sealer,
            clock=clock,
            capture_all=settings.policy.capture_all,
            audit_percent=settings.policy.audit_percent,
        )
        self._writer = Writer(
            journal=journal,
            keeper=keeper,
            clock=clock,
            workers=S3_WORKERS if s3 else FILE_WORKERS,
        )
        self._scribe = Scribe(
            journal=journal,
            store=store,
            clock=clock,
            tenant=settings.service.tenant,
            retention_days=settings.longest_retention(),
        )
        self._publisher = Publisher(
            record_log=record_log,
            journal=journal,
            clock=clock,
            checkpoint_seconds=settings.log.checkpoint_seconds,
        )
        self._audits = Audits(
            journal=journal,
            clock=clock,
            random_bytes=os.urandom,
            head=lambda: self._publisher.head,
            probed=lambda: self._watch.verdict,
            trail=trail,
        )
        self._anchoring = anchoring_of(
            settings,
            outsiders,
            journal=journal,
            store=store,
            clock=clock,
            published=lambda: self._publisher.publication,
        )
        self._downloads = Downloads(
            journal=journal,
            spool=spool,
            connectors=connectors,
            clock=clock,
            media_max_bytes=settings.spool.media_max_bytes,
        )
        self._forget = Forget(
            journal=journal,
            spool=spool,
            holds=holds,
            clock=clock,
            discard_after=timedelta(days=settings.policy.discard_after_days),
            context_window=timedelta(minutes=settings.policy.context_minutes),
        )
        self._undecided = Undecided(
            journal=journal, clock=clock, holds=holds, review=review_time(settings)
        )
        self._hold_acts = HoldActs(
            journal=journal,
            holds=holds,
            clock=clock,
            random_bytes=os.urandom,
            keep=self._undecided.keep_held,
        )
        self._store_holds = (
            None
            if legal_holds is None
            else StoreHolds(journal=journal, holds=holds, store=legal_holds, clock=clock)
        )
        self._decisions = Decisions(
            journal=journal,
            office=office,
            clock=clock,
            random_bytes=os.urandom,
            revise=self._triage.revise,
        )
        self._commands = Commands(
            journal=journal,
            clock=clock,
            describe=descriptions(settings),
            language=settings.notice.language,
        )
        by_name = {capture.name: capture for capture in self._captures}
        self._admission = Admission(
            journal=journal,
            office=office,
            connectors=connectors,
            clock=clock,
            random_bytes=os.urandom,
            listed=listed_groups(settings, connectors),
            notice=notices(settings),
            received=lambda name: by_name[name].received,
            language=settings.notice.language,
        )
        self._speech = Speech(journal=journal, connectors=connectors, clock=clock)
        self._pressure = Pressure(
            journal=journal,
            spool=spool,
            clock=clock,
            lag=lambda: self._triage.lag,
            take=self._make_way,
            sweep=self._downloads.sweep,
            language=settings.notice.language,
        )
        self._indexer = Indexer(
            journal=journal, store=store, binding=FiledCatalog(settings), clock=clock
        )
        self._reconciliation = Reconciliation(
            reconciler=Reconciler(
                journal=journal,
                store=store,
                keeper=keeper,
                connectors=connectors,
                clock=clock,
                blind_key=blind_key,
                lifetimes=lifetimes(settings),
                wait=lambda: Measure.LIVE_FIRST in self._pressure.measures,
            ),
            journal=journal,
            office=office,
            clock=clock,
            file=settings.service.data_dir / REQUEST_FILE,
            answering=answering_catalog(self._indexer, answering(connectors)),
        )
        self._health = HealthMonitor(
            file=settings.service.data_dir / HEALTH_FILE,
            clock=clock,
            alarms=self._alarms,
            tell=tell,
            capture_delay=lambda: self._writer.capture_delay,
            anchors=lambda: self._anchoring.vouchers,
        )
        self._port_problem: str | None = None
        self._console_problem = ""

    def _openings_of(self, connectors: dict[str, Connector]) -> list[Opening]:
        """One for each connector with keys; it is woken by what its capture journals."""
        found = []
        for capture in self._captures:
            decrypter = connectors[capture.name].decrypter
            if decrypter is None:
                continue
            opening = Opening(
                connector=capture.name,
                decrypter=decrypter,
                journal=self._journal,
                clock=self._clock,
            )
            capture.on_batch = opening.wake
            found.append(opening)
        return found

    async def start(self) -> None:
        """Sign in, then start every loop. A connector that does not answer starts degraded.

        Raises:
            ConfigError: the platform refuses the very first sign-in, or the store does not
                enforce the lock that it is to keep.
        """
        try:
            await self._decisions.take()  # what a person wants kept must not be forgotten
            await self._forget.round()
        except JournalUnavailableError as error:
            log.warning("not_forgetting", what=str(error), hint=error.hint)
        await self._watch.begin()
        for connector in self._connectors.values():
            await self._first_sign_in(connector)
        await self._admission.begin()
        # Before anything is captured: what comes must not be numbered in a stream that a lost
        # journal went on with.
        await self._reconciliation.begin()
        await self._publisher.begin()
        host, _, port = self._settings.service.metrics.rpartition(":")
        self._port_problem = await self._health.serve(host.strip("[]"), int(port))
        if self._port_problem:
            log.warning("metrics_not_served", what=self._port_problem)
        for capture in self._captures:
            self._loops.start(f"capture {capture.name}", capture.run)
        for opening in self._openings:
            self._loops.start(f"opening {opening.name}", opening.run)
        self._loops.start("admission", self._admission.run)
        self._loops.start("speech", self._speech.run)
        self._loops.start("pressure", self._pressure.run)
        self._loops.start("downloads", self._downloads.run)
        self._loops.start("triage", self._triage.run)
        self._loops.start("writer", self._writer.run)
        self._loops.start("scribe", self._write_down)
        self._loops.start("indexer", self._indexer.run)
        self._loops.start("publisher", self._publisher.run)
        self._loops.start("audits", self._audits.run)
        self._loops.start("anchoring", self._anchor)
        self._loops.start("forget", self._forget.run)
        self._loops.start("undecided", self._undecided.run)
        self._loops.start("store watch", self._watch.run)
        self._loops.start("decisions", self._decisions.run)
        self._loops.start("holds", self._hold_acts.run)
        if self._store_holds is not None:
            self._loops.start("store holds", self._store_holds.run)
        self._loops.start("commands", self._commands.run)
        self._loops.start("reconciliation", self._reconciliation.run)
        self._loops.start("health", self._health.run)
        idle = await asyncio.to_thread(idle_calibration, self._settings, self._classifier)
        if idle:
            log.warning("calibration_idle", what=idle)
        log.info("running", version=VERSION, connectors=len(self._connectors))

    async def stop(self) -> None:
        """Drain and stop: nothing new comes in, what is on its way is stored, then all ends.

        What does not make it within the time is in the journal and goes on at the next start.
        """
        inlets = [f"capture {capture.name}" for capture in self._captures]
        inlets += [f"opening {opening.name}" for opening in self._openings]
        inlets += ["admission", "speech", "reconciliation", "commands", "decisions", "holds"]
        await self._loops.stop(*inlets)
        for capture in self._captures:
            await capture.leave()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                for opening in self._openings:
                    await opening.finish()
                while await self._journal.pending() and not self._writer.health:
                    await self._clock.sleep(0.05)
                await self._loops.stop("scribe")
                if self._reconciliation.looked.is_set() and self._publisher.looked.is_set():
                    await self._scribe.round(flush=True)
        except (TimeoutError, JournalUnavailableError):
            log.warning("not_drained", hint="what is left is stored after the next start")
        await self._publish_last()
        await self._loops.stop()
        await self._indexer.aclose()
        await self._health.aclose()
        log.info("stopped")

    def console_trouble(self, sentence: str) -> None:
        """Why a console in this process is not served; empty: it is. Recording goes on."""
        if sentence and sentence != self._console_problem:
            log.warning("console_not_served", what=sentence)
        self._console_problem = sentence

    async def _publish_last(self) -> None:
        """The last checkpoint covers all that is stored, if it can be had in the time left."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._loops.stop("publisher")
                await self._publisher.finish()
        except TimeoutError:
            log.warning("not_drained", hint="what is left is published after the next start")

    async def _first_sign_in(self, connector: Connector) -> None:
        if await self._journal.cursor(connector.name) is not None:
            return
        try:
            await connector.start()
        except ConnectorRejectedError as error:
            raise ConfigError(str(error), hint=error.hint) from None
        except ConnectorUnavailableError as error:
            log.warning("not_receiving", connector=connector.name, what=str(error))

    async def _write_down(self) -> None:
        """Place documents, once it is known whether the store is ahead of the journal.

        That is asked of its objects and of its log: until then indices may still move.
        """
        await self._reconciliation.looked.wait()
        await self._publisher.looked.wait()
        await self._scribe.run()

    async def _anchor(self) -> None:
        """Have the log witnessed and dated, once the journal has all its leaves."""
        await self._publisher.looked.wait()
        await self._anchoring.run()

    def _make_way(self, measures: frozenset[Measure]) -> None:
        for connector in self._connectors.values():
            connector.pause_backfill(paused=Measure.LIVE_FIRST in measures)
        self._triage.hurried = Measure.NO_WAITING in measures
        self._downloads.paused = Measure.TEXTS_FIRST in measures

    async def _outrun(self) -> list[str]:
        """Groups whose messages may disappear before they are stored."""
        delay = self._writer.capture_delay
        if delay is None:
            return []
        return [
            f"{group.name or group.group_id}: its timer of {group.timer.seconds:g} s is shorter"
            f" than recording safely takes, {delay.total_seconds():.1f} s lately; messages may"
            " disappear before they are stored."
            for group in await self._journal.groups()
            if group.state is GroupState.ACTIVE
            and group.timer is not None
            and deadlines.outruns(group.timer, delay)
        ]

    async def _alarms(self) -> tuple[Alarm, ...]:
        found = [
            *((capture.name, "not receiving", capture.health) for capture in self._captures),
            *((opening.name, "not opening", opening.health) for opening in self._openings),
            *(
                (opening.name, "keys", what)
                for opening in self._openings
                for what in opening.decrypter.troubles
            ),
            ("messages", "not judged", self._triage.health),
            ("messages", "model missing", self._classifier.alarm),
            ("store", "not storing", self._writer.health),
            ("store", "not compared", self._reconciliation.health),
            *(("store", "retention", what) for what in self._watch.troubles),
            ("manifests", "not placing", self._scribe.health),
            ("catalog", "not listing", self._indexer.health),
            ("log", self._publisher.trouble, self._publisher.health),
            ("log", "not audited", self._audits.health),
            ("witnesses", "not signing", self._anchoring.witnessing),
            ("timestamps", "not given", self._anchoring.stamping),
            ("anchors", "not placed", self._anchoring.placing),
            ("groups", "not kept", self._admission.health),
            ("groups", "not told", self._speech.health),
            ("attachments", "waiting", self._pressure.health),
            ("reviews", "not decided", self._undecided.health),
            ("decisions", "not carried out", self._decisions.health),
            ("holds", "not taken up", self._hold_acts.health),
            ("store", "not holding", self._store_holds.health if self._store_holds else ""),
            ("commands", "not answered", self._commands.health),
            ("discards", "not destroyed", self._forget.health),
            ("metrics", "not served", self._port_problem or ""),
            ("console", "not served", self._console_problem),
            *(("loops", "started again", what) for what in self._loops.failures()),
        ]
        with suppress(JournalUnavailableError):  # the parts that need it say so
            found += [("groups", "timer too short", what) for what in await self._outrun()]
        if self._journal.damaged:
            what = f"{self._journal.damaged} entries of the journal do not open."
            found.append(("journal", "damaged", what))
        return tuple(
            Alarm(part=part, trouble=trouble, sentence=sentence)
            for part, trouble, sentence in found
            if sentence and sentence != STARTING
        )
