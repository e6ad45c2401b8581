"""Step 6 as a loop: store what is sealed, what disappears soon first, then by ``safe_by``."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from bridge.delays import Delays
from bridge.errors import (
    JournalError,
    MunimentError,
    ObjectConflictError,
    ObjectStoreUnavailableError,
)
from bridge.lifecycle import EntryState
from bridge.model import CaptureMethod
from bridge.protocols import Clock, Entry, Journal
from bridge.seal import Keeper

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
FIRST_PAUSE = timedelta(seconds=1)
SHORTEST_PAUSE = timedelta(seconds=0.25)
LONGEST_PAUSE = timedelta(seconds=60)
HURRY_PAUSE = 5.0
SILENT = ObjectStoreUnavailableError.__name__
PRESSING = timedelta(hours=1)
"""After an outage everything is past ``safe_by``: what disappears within this time goes first."""


class Writer:
    """A number of workers, each taking the most urgent sealed entry that is free."""

    def __init__(self, *, journal: Journal, keeper: Keeper, clock: Clock, workers: int) -> None:
        self._journal = journal
        self._keeper = keeper
        self._clock = clock
        self._workers = workers
        self._store_delays = Delays(clock)
        self._capture_delays = Delays(clock)
        self._silent = False
        self._next_hurry = 0.0
        self.health = ""
        self.in_hand = 0

    @property
    def proven_delay(self) -> timedelta:
        """What a store took lately, at the slow end; hopeless entries are told by it."""
        return self._store_delays.slow_end or timedelta(0)

    @property
    def capture_delay(self) -> timedelta | None:
        """What it lately took from receipt to storage, at the slow end; None if nobody knows.

        Of live messages without attachments: for those there was nothing to wait for.
        """
        return self._capture_delays.slow_end

    async def run(self) -> None:
        """Store until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"writer {number}")

    async def _work(self) -> None:
        while True:
            try:
                stored = await self.step()
            except JournalError as error:
                self.health = str(error)
                await self._clock.sleep(FIRST_PAUSE.total_seconds())
                continue
            if not stored:
                await self._journal.work(EntryState.SEALED, seconds=IDLE_SECONDS)

    async def step(self) -> bool:
        """Store one entry. False: none was free."""
        now = self._clock.now()
        claimed = await self._journal.claim(
            EntryState.SEALED,
            now=now,
            limit=1,
            feasible=now + self.proven_delay,
            pressing=now + PRESSING,
        )
        for entry in claimed:
            self.in_hand += 1
            try:
                await self._store(entry)
            finally:
                self.in_hand -= 1
                self._journal.release([entry.seq])
        return bool(claimed)

    async def _store(self, entry: Entry) -> None:
        began = self._clock.monotonic()
        try:
            proof = await self._keeper.keep(entry)
        except ObjectConflictError as error:
            log.warning("object_conflict", stream=entry.stream.id, n=entry.n, what=str(error))
            await self._put_off(entry, error)
            return
        except Exception as error:
            # Broad on purpose: what nobody expected of one entry must not stop the others.
            await self._put_off(entry, error)
            return
        self._store_delays.note(self._clock.monotonic() - began)
        await self._keeper.settle(entry, proof)
        if entry.event.method is CaptureMethod.LIVE and not entry.event.attachments:
            delay = (self._clock.now() - entry.event.observed_at).total_seconds()
            self._capture_delays.note(max(delay, 0.0))
        self.health = ""
        log.info("stored", stream=entry.stream.id, n=entry.n, late_ms=proof.late_ms or 0)
        await self._hurry_back()

    async def _hurry_back(self) -> None:
        """The store answers again: nobody waits out the pauses that its silence gave.

        Not at each answer of a store that fails now and then: pauses are there for it, too.
        """
        now = self._clock.monotonic()
        if self._silent and now >= self._next_hurry:
            self._silent, self._next_hurry = False, now + HURRY_PAUSE
            await self._journal.retry(EntryState.SEALED, error=SILENT)

    async def _put_off(self, entry: Entry, error: Exception) -> None:
        """Nothing is dropped: it stays sealed and is tried again, later each time."""
        name = type(error).__name__
        known = isinstance(error, MunimentError)
        what = str(error) if known else f"A record cannot be stored ({name}); it is tried again."
        if self.health != what:
            log.warning("not_storing", what=what, error=name)
        self.health = what
        self._silent = self._silent or name == SILENT
        pause = min(FIRST_PAUSE * 2 ** min(entry.attempts, 10), LONGEST_PAUSE)
        now = self._clock.now()
        if entry.expires_at is not None and now < entry.expires_at:
            # A store that comes back before the message disappears must be found back in time.
            pause = min(pause, max((entry.expires_at - now) / 8, SHORTEST_PAUSE))
        await self._journal.fail(entry.seq, error=name, next_try=now + pause)
