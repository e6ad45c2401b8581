"""What people ask a running recorder for, in order; before that, the look at the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from bridge.canonical import rfc3339
from bridge.errors import MunimentError
from bridge.protocols import Clock, Journal, Office, Request
from bridge.reconcile.fixity import FILE as FIXITY_FILE
from bridge.reconcile.fixity import keep_fixity
from bridge.reconcile.lineage import SeenStream
from bridge.reconcile.progress import Advance, Answer, Outcome, Progress, write_progress
from bridge.reconcile.reconciler import Reconciler
from bridge.reconcile.report import Report
from bridge.reconcile.unclaimed import FILE as UNCLAIMED_FILE
from bridge.reconcile.unclaimed import read_unclaimed, write_unclaimed

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0
SHOWN_SECONDS = 0.5
START_SECONDS = 10.0
"""How long recording waits to learn whether the store is ahead of the journal."""

AGAIN_SECONDS = 10.0
SAID_SECONDS = 300.0
"""How long an alarm stands that a journal was lost or restored; its gap stands for good."""

REMEMBERED = 4
"""Of how many requests the end can still be read once another has begun."""

Answering: TypeAlias = Callable[[Request, Advance], Awaitable[Answer]]
"""Does what is no comparison, and says what became of it."""

AHEAD = (
    "The store held more than this journal knew: it was lost, or restored from a back-up. "
    "{} streams were replaced by new ones."
)


async def unable(_request: Request, _advance: Advance) -> Answer:
    """The answer of a recorder that only compares."""
    return Answer(
        done=False,
        sentence="This recorder only compares.",
        hint="Ask the `muniment run` of this folder.",
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
        answering: Answering = unable,
    ) -> None:
        """``file`` is where progress is written; ``start_seconds`` the most a start waits.

        Beside it stand what the last process left waiting for a group, and how the last
        comparison with the store came out. ``answering`` does what is no comparison.
        """
        self._reconciler = reconciler
        self._journal = journal
        self._office = office
        self._file = file
        self._unclaimed_file = file.with_name(UNCLAIMED_FILE)
        self._fixity_file = file.with_name(FIXITY_FILE)
        self._unclaimed: tuple[SeenStream, ...] = ()
        self._clock = clock
        self._start_seconds = start_seconds
        self._answering = answering
        self._ended: deque[Progress] = deque(maxlen=REMEMBERED)
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
        self._unclaimed = await asyncio.to_thread(read_unclaimed, self._unclaimed_file)
        self._reconciler.succession.unclaimed = self._unclaimed
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
            await self._remember()
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
        # Before any document is placed: after that the next look does not go back as far.
        await self._remember()
        self.looked.set()
        self.health = AHEAD.format(replaced) if replaced else ""
        self._said_until = self._clock.monotonic() + SAID_SECONDS

    async def _remember(self) -> None:
        """Write down what waits for a group, if that changed.

        Crash before: the look is repeated, or the journal is asked for the same streams again,
        which changes nothing.
        """
        unclaimed = self._reconciler.succession.unclaimed
        if unclaimed == self._unclaimed:
            return
        self._unclaimed = unclaimed
        try:
            await asyncio.to_thread(write_unclaimed, self._unclaimed_file, unclaimed)
        except OSError as error:
            log.warning("unclaimed_not_written", what=error.strerror)

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
            outcome = await self._outcome(request, advance)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        await self._remember()
        if isinstance(outcome, Report):
            await self._keep_fixity(outcome)
        last = self._progress(request, advance, outcome)
        await self._write(last)
        self._ended.append(last)
        await self._journal.take_request(request.number)

    async def _keep_fixity(self, report: Report) -> None:
        """Before the request is taken: a crash in between repeats the comparison."""
        try:
            await asyncio.to_thread(keep_fixity, self._fixity_file, report)
        except OSError as error:
            log.warning("fixity_not_written", what=error.strerror)

    async def _outcome(self, request: Request, advance: Advance) -> Outcome:
        try:
            if request.kind.is_comparison:
                return await self._reconciler.compare(request.kind, advance)
            return await self._answering(request, advance)
        except Exception as error:
            # Broad on purpose: a request that fails on what nobody expected must not come back
            # for ever. Its name alone is told: the text may hold content.
            what = type(error).__name__
            log.error("request_failed", kind=request.kind.value, error=what)  # noqa: TRY400
            if request.kind.is_comparison:
                return self._failed(request, what)
            return Answer(done=False, sentence=f"It failed ({what}).", hint="Please report it.")

    def _failed(self, request: Request, what: str) -> Report:
        now = rfc3339(self._clock.now())
        return Report(
            subject=request.kind.value,
            began_at=now,
            ended_at=now,
            fits=False,
            complete=False,
            trouble=f"The comparison failed ({what}); please report it.",
            checked={},
            findings=[],
            groups=[],
        )

    async def _show(self, request: Request, advance: Advance) -> None:
        while True:
            await self._write(self._progress(request, advance))
            await self._clock.sleep(SHOWN_SECONDS)

    def _progress(
        self, request: Request, advance: Advance, outcome: Outcome | None = None
    ) -> Progress:
        return Progress(
            number=request.number,
            at=self._clock.now().isoformat(),
            phase=advance.phase,
            done=advance.done,
            total=advance.total,
            resting=advance.resting,
            finished=outcome is not None,
            report=outcome if isinstance(outcome, Report) else None,
            answer=outcome if isinstance(outcome, Answer) else None,
        )

    async def _write(self, progress: Progress) -> None:
        whole = msgspec.structs.replace(progress, earlier=tuple(self._ended))
        writing = asyncio.create_task(asyncio.to_thread(write_progress, self._file, whole))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})  # no thread may write after the last word
            raise
        except OSError as error:
            log.warning("progress_not_written", what=error.strerror)
