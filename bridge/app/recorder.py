"""One running recorder: its parts started in order, drained and stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from bridge.app.opened import Opened
from bridge.app.parts import (
    governing_of,
    publishing_of,
    reconciliation_of,
    recording_of,
    watching_of,
)
from bridge.app.policies import idle_calibration
from bridge.app.reading import VERSION
from bridge.capture import STARTING
from bridge.errors import (
    ConfigError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    JournalUnavailableError,
)
from bridge.health import Alarm
from bridge.protocols import Connector
from bridge.supervise import Loops

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 6.5
"""How long a stop waits for what is on its way; with what follows it stays under ten seconds."""

PUBLISH_SECONDS = 2.0
"""How long it waits after that for the checkpoint that covers what is stored."""


class Bridge:
    """All parts of one running recorder."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._loops = Loops(opened.clock)
        self._recording = recording_of(opened)
        self._publishing = publishing_of(opened)
        self._governing = governing_of(opened, self._recording)
        self._reconciliation = reconciliation_of(opened, self._recording, self._publishing)
        self._watching = watching_of(
            opened, self._recording, self._publishing, loops=self._loops, alarms=self._alarms
        )
        self._port_problem: str | None = None
        self._console_problem = ""

    async def start(self) -> None:
        """Sign in, then start every loop. A connector that does not answer starts degraded.

        Raises:
            ConfigError: the platform refuses the very first sign-in, or the store does not
                enforce the lock that it is to keep.
        """
        await self._watching.alerts.begin()
        try:
            await self._governing.decisions.take()  # what a person wants kept is not forgotten
            await self._governing.forget.round()
        except JournalUnavailableError as error:
            log.warning("not_forgetting", what=str(error), hint=error.hint)
        await self._publishing.watch.begin()
        for connector in self._opened.connectors.values():
            await self._first_sign_in(connector)
        await self._governing.admission.begin()
        # Before anything is captured: what comes must not be numbered in a stream that a lost
        # journal went on with.
        await self._reconciliation.begin()
        await self._publishing.publisher.begin()
        await self._serve()
        for part in (
            self._recording.loops(),
            self._publishing.loops(self._reconciliation.looked),
            self._governing.loops(),
            self._watching.loops(),
        ):
            for name, loop in part:
                self._loops.start(name, loop)
        self._loops.start("reconciliation", self._reconciliation.run)
        idle = await asyncio.to_thread(
            idle_calibration, self._opened.settings, self._opened.classifier
        )
        if idle:
            log.warning("calibration_idle", what=idle)
        log.info("running", version=VERSION, connectors=len(self._opened.connectors))

    async def stop(self) -> None:
        """Drain and stop: nothing new comes in, what is on its way is stored, then all ends.

        What does not make it within the time is in the journal and goes on at the next start.
        """
        await self._loops.stop(*self._recording.inlets, *self._governing.inlets, "reconciliation")
        for capture in self._recording.captures:
            await capture.leave()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._drain()
        except (TimeoutError, JournalUnavailableError):
            log.warning("not_drained", hint="what is left is stored after the next start")
        await self._publish_last()
        await self._loops.stop()
        await self._publishing.indexer.aclose()
        await self._watching.aclose()
        log.info("stopped")

    def console_trouble(self, sentence: str) -> None:
        """Why a console in this process is not served; empty: it is. Recording goes on."""
        if sentence and sentence != self._console_problem:
            log.warning("console_not_served", what=sentence)
        self._console_problem = sentence

    async def _serve(self) -> None:
        host, _, port = self._opened.settings.service.metrics.rpartition(":")
        self._port_problem = await self._watching.health.serve(host.strip("[]"), int(port))
        if self._port_problem:
            log.warning("metrics_not_served", what=self._port_problem)

    async def _drain(self) -> None:
        for opening in self._recording.openings:
            await opening.finish()
        while await self._opened.journal.pending() and not self._recording.writer.health:
            await self._opened.clock.sleep(0.05)
        await self._loops.stop("scribe")
        if self._reconciliation.looked.is_set() and self._publishing.publisher.looked.is_set():
            await self._publishing.scribe.round(flush=True)

    async def _publish_last(self) -> None:
        """The last checkpoint covers all that is stored, if it can be had in the time left."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._loops.stop("publisher")
                await self._publishing.publisher.round()
        except TimeoutError:
            log.warning("not_drained", hint="what is left is published after the next start")

    async def _first_sign_in(self, connector: Connector) -> None:
        if await self._opened.journal.cursor(connector.name) is not None:
            return
        try:
            await connector.start()
        except ConnectorRejectedError as error:
            raise ConfigError(str(error), hint=error.hint) from None
        except ConnectorUnavailableError as error:
            log.warning("not_receiving", connector=connector.name, what=str(error))

    async def _alarms(self) -> tuple[Alarm, ...]:
        found = [
            Alarm(part=part, trouble=trouble, sentence=sentence)
            for part, trouble, sentence in self._troubles()
            if sentence and sentence != STARTING
        ]
        return (*found, *await self._recording.outrun(), *self._watching.alerts.troubles)

    def _troubles(self) -> Iterator[tuple[str, str, str]]:
        yield from self._recording.troubles()
        yield "store", "not compared", self._reconciliation.health
        yield from self._publishing.troubles()
        yield from self._governing.troubles()
        yield "metrics", "not served", self._port_problem or ""
        yield "console", "not served", self._console_problem
        for what in self._loops.failures():
            yield "loops", "started again", what
