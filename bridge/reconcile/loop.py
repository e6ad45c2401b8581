"""The reconciler inside a running recorder: the look before recording, and what people ask for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from bridge.canonical import rfc3339
from bridge.errors import MunimentError
from bridge.protocols import Clock, Journal, Office, Request
from bridge.reconcile.progress import Advance, Progress, write_progress
from bridge.reconcile.reconciler import Reconciler
from bridge.reconcile.report import Report

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0
SHOWN_SECONDS = 0.5
START_SECONDS = 10.0
"""How long recording waits to learn whether the store is ahead of the journal."""

AGAIN_SECONDS = 10.0
SAID_SECONDS = 300.0
"""How long an alarm stands that a journal was lost or restored; its gap stands for good."""

AHEAD = (
    "The store held more than this journal knew: it was lost, or restored from a back-up. "
    "{} streams were replaced by new ones."
)


class Reconciliation:
    """One loop. ``health`` says in words what an operator should know, or nothing.

    ``looked`` is set once it is known whether the store is ahead. Until then no document MUST be
    placed: by the last one that both have, the look knows since when to look.
    """

    def __init__(
        self,
        *,
        reconciler: Reconciler,
        journal: Journal,
        office: Office,
        file: Path,
        clock: Clock,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """``file`` is where progress is written; ``start_seconds`` the most a start waits."""
        self._reconciler = reconciler
        self._journal = journal
        self._office = office
        self._file = file
        self._clock = clock
        self._start_seconds = start_seconds
        self.looked = asyncio.Event()
        self._next_look = 0.0
        self._said_until = 0.0
        self.health = ""

    async def begin(self) -> None:
        """Look at the store before recording begins, for a limited time.

        In a restored journal a new event must not get a number that the lost one gave. Where the
        store does not answer in time, recording begins all the same: what is not taken may be
        gone, and the look is made as soon as the store is back.
        """
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._look()
        except TimeoutError:
            self._not_looked("The store takes too long to be compared with the journal.")

    async def run(self) -> None:
        """Take requests until cancelled."""
        while True:
            await self.round()
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Look at the store if that is still to be done, then do what was asked for, in order."""
        now = self._clock.monotonic()
        if not self.looked.is_set() and now >= self._next_look:
            await self._look()
        elif self.looked.is_set() and self.health and now >= self._said_until:
            self.health = ""
        try:
            await self._reconciler.succession.retry()
            after = await self._journal.requests_taken()
            for request in await self._office.requests(after):
                await self._serve(request)
        except MunimentError as error:
            log.warning("request_not_taken", what=str(error), hint=error.hint)

    async def _look(self) -> None:
        try:
            replaced = await self._reconciler.glance()
        except MunimentError as error:
            self._not_looked(str(error))
            return
        except Exception as error:
            # Broad on purpose: what nobody expected in a bucket must not keep us from recording.
            self._not_looked(f"Something in it is not understood ({type(error).__name__}).")
            return
        self.looked.set()
        self.health = AHEAD.format(replaced) if replaced else ""
        self._said_until = self._clock.monotonic() + SAID_SECONDS

    def _not_looked(self, what: str) -> None:
        sentence = f"It is not known whether the store is ahead of the journal: {what}"
        if self.health != sentence:
            log.warning("store_not_compared", what=what)
        self.health = sentence
        self._next_look = self._clock.monotonic() + AGAIN_SECONDS

    async def _serve(self, request: Request) -> None:
        """Do one request. Crash before it is taken: it is done again, which changes nothing."""
        advance = Advance()
        showing = asyncio.create_task(self._show(request, advance))
        try:
            report = await self._report(request, advance)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        await self._write(request, advance, report)
        await self._journal.take_request(request.number)

    async def _report(self, request: Request, advance: Advance) -> Report:
        try:
            return await self._reconciler.compare(request.kind, advance)
        except Exception as error:
            # Broad on purpose: a request that fails on what nobody expected must not come back
            # for ever. Its name alone is told: the text may hold content.
            log.error("reconciliation_failed", error=type(error).__name__)  # noqa: TRY400
            now = rfc3339(self._clock.now())
            return Report(
                subject=request.kind.value,
                began_at=now,
                ended_at=now,
                fits=False,
                complete=False,
                trouble=f"The comparison failed ({type(error).__name__}); please report it.",
                checked={},
                findings=[],
                groups=[],
            )

    async def _show(self, request: Request, advance: Advance) -> None:
        while True:
            await self._write(request, advance, None)
            await self._clock.sleep(SHOWN_SECONDS)

    async def _write(self, request: Request, advance: Advance, report: Report | None) -> None:
        progress = Progress(
            number=request.number,
            at=self._clock.now().isoformat(),
            phase=advance.phase,
            done=advance.done,
            total=advance.total,
            finished=report is not None,
            report=report,
        )
        writing = asyncio.create_task(asyncio.to_thread(write_progress, self._file, progress))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})  # no thread may write after the last word
            raise
        except OSError as error:
            log.warning("progress_not_written", what=error.strerror)
