"""Step 6 as a loop: store what is sealed, what disappears soon first, then by ``safe_by``."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from datetime import timedelta

import structlog

from bridge.deadlines import is_promoted
from bridge.delays import Delays, Distribution
from bridge.errors import (
    JournalError,
    MunimentError,
    ObjectConflictError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
)
from bridge.lifecycle import EntryState
from bridge.model import CaptureMethod, EventKind
from bridge.protocols import Clock, Entry, Journal, StoredProof
from bridge.rounds import Turns
from bridge.seal import Keeper

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
FIRST_PAUSE = timedelta(seconds=1)
SHORTEST_PAUSE = timedelta(seconds=0.25)
LONGEST_PAUSE = timedelta(seconds=60)
HURRY_PAUSE = 5.0
SCOUT_SECONDS = 1.0
"""While the store is away one put begins in this time, whatever the number of workers."""

TRIES = 64
TOO_MANY_LATE = 4
"""Of the last ``TRIES`` puts of what could be in time; from here on time is too short for a try."""

SILENT = ObjectStoreUnavailableError.__name__
AWAY = (ObjectStoreUnavailableError, ObjectStoreRejectedError)
"""While nothing is stored, either means that the store is away: it is silent, or takes nothing."""

DELAYS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
MARGINS = (0.0, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0, 604800.0)
"""Bounds in seconds of what is counted for metrics."""

PUT_SECONDS = 1800.0
"""How long all workers together may be busy with puts: of the largest media on a slow line."""

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
        self._proven = timedelta(0)
        self._came_late: deque[bool] = deque(maxlen=TRIES)
        self._answers = asyncio.Event()
        self._answers.set()
        self._answered = self._next_scout = clock.monotonic()
        self.turns = Turns(clock)
        self.capture_delays = Distribution(DELAYS)
        self.margins = Distribution(MARGINS)
        self.refusals = 0
        self.health = ""
        self.in_hand = 0

    @property
    def proven_delay(self) -> timedelta:
        """What a store took lately; hopeless entries are told by it.

        In the middle, so that what has an even chance is tried. Where such tries come too late
        they only take the time that others had left: then it is the slow end. Through an outage
        it is what it was before.
        """
        delays, late = self._store_delays, sum(self._came_late)
        delay = delays.middle if late < TOO_MANY_LATE else delays.slow_end
        if delay is not None:
            self._proven = delay
        return self._proven

    @property
    def capture_delay(self) -> timedelta | None:
        """What it lately took from receipt to storage, at the slow end; None if nobody knows.

        Of live messages for which there was nothing to wait for: no attachment, no other message,
        no key, nothing that made them matter later. What was encrypted when it came counts from
        when it was opened.
        """
        return self._capture_delays.slow_end

    async def run(self) -> None:
        """Store until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"writer {number}")

    async def _work(self) -> None:
        while True:
            self.turns.next_within(PUT_SECONDS)
            await self._turn()
            try:
                stored = await self.step()
            except JournalError as error:
                self.health = str(error)
                await self._clock.sleep(FIRST_PAUSE.total_seconds())
                continue
            if not stored:
                await self._journal.work(EntryState.SEALED, seconds=IDLE_SECONDS)

    async def _turn(self) -> None:
        """Wait, while the store is away, for this worker's turn to try, or until it is back.

        A put in vain may hang for long. Workers that do not hang take the most urgent entries
        the moment the store is back; if all hung, they would hold these very entries.
        """
        if self._answers.is_set():
            return
        now = self._clock.monotonic()
        self._next_scout = max(self._next_scout, now) + SCOUT_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(self._next_scout - now):
                await self._answers.wait()

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
        began, in_time = self._clock.monotonic(), self._in_time(entry)
        try:
            proof = await self._keeper.keep(entry)
        except ObjectConflictError as error:
            log.warning("object_conflict", stream=entry.stream.id, n=entry.n, what=str(error))
            await self._put_off(entry, error)
            return
        except Exception as error:
            # Broad on purpose: what nobody expected of one entry must not stop the others.
            if isinstance(error, AWAY):
                self.refusals += 1
                if self._answered <= began:
                    self._away()
            await self._put_off(entry, error)
            return
        self._answered = self._clock.monotonic()
        self._answers.set()
        self._store_delays.note(self._answered - began)
        if in_time:
            self._came_late.append(proof.late_ms is not None)
        await self._keeper.settle(entry, proof)
        self._measure(entry, proof)
        self.health = ""
        log.info("stored", stream=entry.stream.id, n=entry.n, late_ms=proof.late_ms or 0)
        await self._hurry_back()

    def _measure(self, entry: Entry, proof: StoredProof) -> None:
        """Of messages that can tell something: not of the second copy of a review."""
        if entry.expires_at is not None:
            self.margins.note((entry.expires_at - proof.at).total_seconds())
        if entry.stored_at is None and _waited_for_nothing(entry):
            came_at = entry.opened_at or entry.event.observed_at
            seconds = max((self._clock.now() - came_at).total_seconds(), 0.0)
            self._capture_delays.note(seconds)
            self.capture_delays.note(seconds)

    def _in_time(self, entry: Entry) -> bool:
        return entry.expires_at is not None and self._clock.now() <= entry.expires_at

    def _away(self) -> None:
        """A put failed, and since it began none was stored."""
        if self._answers.is_set():
            self._answers.clear()
            self._next_scout = self._clock.monotonic()

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


def _waited_for_nothing(entry: Entry) -> bool:
    """Not for its files, a key, the key of what it refers to, or what made it matter."""
    event = entry.event
    return (
        event.method is CaptureMethod.LIVE
        and not event.attachments
        and event.kind is not EventKind.ENCRYPTED
        and event.relates_to is None
        and not is_promoted(safe_by=entry.safe_by, received_at=event.observed_at)
    )
