"""Steps 1 to 3: receive a batch, journal it, and only then let the platform forget it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    ConnectorUnavailableError,
    EnvelopeError,
    JournalUnavailableError,
)
from bridge.interruption import PATIENCE_SECONDS, Hearing, Silence, interrupted, is_recorded
from bridge.model import Group
from bridge.protocols import Clock, Connector, Journal
from bridge.rounds import Turns

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
LONGEST_JOURNAL_PAUSE = 5.0
STARTING = "starting"
INTERRUPTION_SECONDS = 60.0
START_SECONDS = 120.0
"""How long a sign-in may take before it was given up."""


class Capture:
    """One connector's loop. ``health`` says in words what is wrong with it, or nothing.

    A silence of ``interruption_seconds``, or as long as a group's timer if that is less, is a gap
    of the groups that were recorded, and they are told of it once it is over.
    """

    def __init__(
        self,
        *,
        connector: Connector,
        journal: Journal,
        clock: Clock,
        interruption_seconds: float = INTERRUPTION_SECONDS,
        language: str = "en",
    ) -> None:
        self._connector = connector
        self._journal = journal
        self._clock = clock
        self._seconds = interruption_seconds
        self._language = language
        self._hearing = Hearing(clock)
        self._recalled = False
        self._pause = FIRST_PAUSE
        self.health = STARTING
        self.turns = Turns(clock)
        self.on_batch: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        """The connector's name."""
        return self._connector.name

    @property
    def received(self) -> float | None:
        """When, on the monotonic clock, the last receive that succeeded was asked for."""
        return self._hearing.received

    async def run(self) -> None:
        """Receive until cancelled. Nothing the platform or the disk does ends this loop."""
        started = False
        while True:
            try:
                if not self._recalled:
                    self._hearing.recall(await self._journal.last_heard(self.name))
                    self._recalled = True
                if not started:
                    self.turns.next_within(START_SECONDS)
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
            except JournalUnavailableError as error:
                # Ours to mend: once it writes again nothing may wait for long.
                self._pause = min(self._pause, LONGEST_JOURNAL_PAUSE)
                await self._wait(str(error), hint=error.hint)
            except ConnectorError as error:
                await self._wait(str(error), hint=error.hint)
            except Exception:
                self._hearing.failed()  # the time until this loop is started again is a silence
                raise

    async def leave(self) -> None:
        """At the process's end, after this loop's: nothing was missed until now.

        A restart of a few seconds is then no silence. Left out, or in vain, the next process takes
        the silence for longer than it was.
        """
        at = self._hearing.until_now()
        if at is not None:
            with suppress(JournalUnavailableError):
                await self._journal.heard(self.name, at=at)

    async def _take_one(self) -> None:
        cursor = await self._journal.cursor(self._connector.name)
        while True:
            # (1) Receive. Asking with this cursor acknowledges what came before it, which is
            # durable. Crash here: nothing was taken; the platform still has it.
            self._hearing.asked()
            self.turns.next_within(PATIENCE_SECONDS)
            batch = await self._connector.receive(cursor)
            silence = self._hearing.silence() if batch.answered else None
            # Before the batch is applied: who joins by it was not recorded during the silence.
            groups = await self._recorded() if silence else ()
            # (2) Journal: events and cursor in one transaction. Crash before its commit: the
            # same delivery comes again. Crash after it: the journal has it, and the platform
            # is asked from the new cursor.
            appended = await self._journal.append(batch)
            # (3) Acknowledge: only the next call of receive carries the new cursor.
            cursor = batch.cursor if batch.cursor is not None else cursor
            if not batch.answered:
                continue  # nobody was heard: what is wrong, and the silence, last
            self._pause = FIRST_PAUSE
            self.health = ""
            self.on_batch()
            if appended.new or batch.losses:
                log.info("journalled", connector=self.name, new=appended.new)
            await self._remember(silence, groups)

    async def _recorded(self) -> Sequence[Group]:
        return [g for g in await self._journal.groups() if is_recorded(g, self.name)]

    async def _remember(self, silence: Silence | None, groups: Sequence[Group]) -> None:
        """The platform was heard: write it down now and then, and the silence that it ended.

        Crash before: the silence is found again, from the moment in the journal, and is longer.
        """
        if silence is not None:
            losses, sayings = interrupted(
                silence, groups, seconds=self._seconds, language=self._language
            )
            await self._journal.heard(self.name, at=silence.until, losses=losses, sayings=sayings)
            if losses:
                seconds = round(silence.seconds)
                log.warning("interrupted", connector=self.name, seconds=seconds, groups=len(losses))
        elif self._hearing.is_unwritten:
            await self._journal.heard(self.name, at=self._clock.now())
        else:
            self._hearing.heard()
            return
        self._hearing.written()
        self._hearing.heard()

    async def _keep(self, error: EnvelopeError) -> None:
        """A response nobody can split is kept once, and the cursor stays."""
        self._hearing.failed()
        try:
            if await self._journal.keep_body(self.name, error.body, at=self._clock.now()):
                log.error("response_kept_unsplit", connector=self.name, size=len(error.body))
        except JournalUnavailableError as unavailable:
            await self._wait(str(unavailable), hint=unavailable.hint)
            return
        self.health = str(error)

    async def _wait(self, what: str, *, hint: str, seconds: float | None = None) -> None:
        self._hearing.failed()
        if self.health != what:
            log.warning("not_receiving", connector=self.name, what=what, hint=hint)
        self.health = what
        pause = self._pause if seconds is None else max(seconds, FIRST_PAUSE)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        pause = min(pause, timedelta(hours=1).total_seconds())
        self.turns.next_within(pause)
        await self._clock.sleep(pause)
