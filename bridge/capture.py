"""Steps 1 to 3: receive a batch, journal it, and only then let the platform forget it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
    JournalUnavailableError,
)
from bridge.protocols import Clock, Connector, Journal

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
STARTING = "starting"


class Capture:
    """One connector's loop. ``health`` says in words what is wrong with it, or nothing."""

    def __init__(self, *, connector: Connector, journal: Journal, clock: Clock) -> None:
        self._connector = connector
        self._journal = journal
        self._clock = clock
        self._pause = FIRST_PAUSE
        self.health = STARTING
        self.on_batch: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        """The connector's name."""
        return self._connector.name

    async def run(self) -> None:
        """Receive until cancelled. Nothing the platform or the disk does ends this loop."""
        started = False
        while True:
            try:
                if not started:
                    await self._connector.start()
                    started = True
                await self._take_one()
            except EnvelopeError as error:
                await self._keep(error)
            except ConnectorRejectedError as error:
                started = False
                await self._wait(str(error), hint=error.hint)
            except ConnectorUnavailableError as error:
                await self._wait(str(error), hint=error.hint, seconds=error.retry_after)
            except (ConnectorError, JournalUnavailableError) as error:
                await self._wait(str(error), hint=error.hint)
            else:
                self._pause = FIRST_PAUSE
                self.health = ""

    async def _take_one(self) -> None:
        cursor = await self._journal.cursor(self._connector.name)
        while True:
            # (1) Receive. Asking with this cursor acknowledges what came before it, which is
            # durable. Crash here: nothing was taken; the platform still has it.
            batch = await self._connector.receive(cursor)
            # (2) Journal: events and cursor in one transaction. Crash before its commit: the
            # same delivery comes again. Crash after it: the journal has it, and the platform
            # is asked from the new cursor.
            appended = await self._journal.append(batch)
            # (3) Acknowledge: only the next call of receive carries the new cursor.
            cursor = batch.cursor if batch.cursor is not None else cursor
            self._pause = FIRST_PAUSE
            self.health = ""
            self.on_batch()
            if appended.new or batch.losses:
                log.info("journalled", connector=self.name, new=appended.new)

    async def _keep(self, error: EnvelopeError) -> None:
        """A response nobody can split is kept once, and the cursor stays."""
        try:
            if await self._journal.keep_body(self.name, error.body, at=self._clock.now()):
                log.error("response_kept_unsplit", connector=self.name, size=len(error.body))
        except JournalUnavailableError as unavailable:
            await self._wait(str(unavailable), hint=unavailable.hint)
            return
        self.health = str(error)

    async def _wait(self, what: str, *, hint: str, seconds: float | None = None) -> None:
        if self.health != what:
            log.warning("not_receiving", connector=self.name, what=what, hint=hint)
        self.health = what
        pause = self._pause if seconds is None else max(seconds, FIRST_PAUSE)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        await self._clock.sleep(min(pause, timedelta(hours=1).total_seconds()))
