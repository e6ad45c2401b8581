"""Steps 4 and 5 as a loop: decide what each message is, then seal its record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bridge.asked import asked
from bridge.errors import JournalUnavailableError
from bridge.hindsight import Hindsight
from bridge.lifecycle import EntryState
from bridge.lots import Lots
from bridge.model import Context, EventKind, Outcome, Reason, Utterance, Verdict
from bridge.patience import Patience, waits_for_key, waits_since, was_awaited
from bridge.promotion import keep_as_context
from bridge.protocols import Classifier, Clock, Entry, Journal
from bridge.rounds import Turns
from bridge.seal import Sealer
from bridge.surroundings import Surroundings, utterance_of

log = structlog.get_logger(__name__)

AT_ONCE = 64
TURN_SECONDS = 0.25
"""Judging goes on for so long before what is judged is sealed: the urgent must not wait."""

HURRIED_SECONDS = 0.05
"""The least that a classifier is given, however little time is left."""

STEP_SECONDS = 60.0
"""How long one round of judging and sealing may take."""

IDLE_SECONDS = 0.25
_NOTHING = timedelta(0)
_BUSY, _SLOW = "classifier-busy", "classifier-slow"
_NO_TIME = frozenset({_BUSY, _SLOW})
PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=10)


class Triage:
    """Judges received entries and seals judged ones. The classifier runs in one worker thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        classifier: Classifier,
        sealer: Sealer,
        clock: Clock,
        capture_all: bool,
        window: timedelta,
        budget: float = 2.0,
        audit_percent: float = 0.0,
    ) -> None:
        """``window``: how long after a message another may still bear on it.

        ``budget``: seconds a message may take to classify before it becomes ``review``.

        That is less where the message must be safe sooner, or while ``hurried`` is set.
        ``audit_percent`` of the discards go to review, drawn by lot. ``on_restricted`` is told of a
        marking of SECRET or above before the journal is: what it keeps, a crash does not lose.
        ``on_lower_marking`` is told of a lower one, whose message is kept.
        """
        self._journal = journal
        self._classifier = classifier
        self._sealer = sealer
        self._clock = clock
        self._capture_all = capture_all
        self._budget = budget
        self._audit_percent = audit_percent
        self._lots: Lots | None = None
        self._thread = _worker()
        self._busy: asyncio.Future[Verdict] | None = None
        self._surroundings = Surroundings(journal)
        self._hindsight = Hindsight(
            journal=journal, clock=clock, surroundings=self._surroundings, window=window
        )
        self._patience = Patience(journal, clock)
        self._paused = ""
        self._put_off_for: dict[int, str] = {}
        self.on_restricted: Callable[[Entry], Awaitable[None]] = _nobody
        self.on_lower_marking: Callable[[Entry], Awaitable[None]] = _nobody
        self.hurried = False
        self.lag = 0.0
        self.turns = Turns(clock)

    @property
    def health(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        if self._put_off_for:
            names = ", ".join(sorted(set(self._put_off_for.values())))
            count = len(self._put_off_for)
            return f"{count} messages cannot be judged or sealed ({names}); they are tried again."
        return self._paused

    async def run(self) -> None:
        """Judge and seal until cancelled."""
        try:
            while True:
                self.turns.next_within(STEP_SECONDS)
                try:
                    worked = await self.step() or await self.look_back()
                except JournalUnavailableError as error:
                    # Left to supervision, the pauses would grow beyond what a timer leaves.
                    await self._pause(error)
                    continue
                if not worked:
                    await self._journal.work(EntryState.RECEIVED, seconds=IDLE_SECONDS)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
            # Supervision may start this loop again, and a thread that was shut down takes no work.
            self._thread, self._busy = _worker(), None

    async def step(self) -> bool:
        """One round: judge what came, seal what is ready. False: there was nothing to do."""
        now = self._clock.now()
        received = await self._journal.claim(EntryState.RECEIVED, now=now, limit=AT_ONCE)
        self._paused = ""
        waits = (max(now - waits_since(entry), _NOTHING) for entry in received)
        self.lag = max(waits, default=_NOTHING).total_seconds()
        if received:
            await self._guarded(received, self._judge)
        judged = await self._journal.claim(EntryState.JUDGED, now=now, limit=AT_ONCE)
        if judged:
            await self._guarded(judged, self._seal)
        return bool(received or judged)

    async def look_back(self) -> bool:
        """Judge some discards once more: new messages come first, and nobody waits for these."""
        return not self.hurried and await self._hindsight.look(self._judge_again)

    async def _judge_again(
        self, entry: Entry, utterance: Utterance, context: Context
    ) -> Verdict | None:
        """Nothing presses: where there is no time, it is not taken for a doubt.

        A marking is told before the discard is final: a crash in between tells it again.
        """
        verdict = await self._classify(utterance, context, seconds=self._budget)
        if any(reason.rule in _NO_TIME for reason in verdict.reasons):
            return None
        if verdict.restricted:
            await self._tell_of_markings(entry, verdict)
        return verdict

    async def _guarded(
        self, entries: Sequence[Entry], act: Callable[[Sequence[Entry]], Awaitable[None]]
    ) -> None:
        """Leases go back whatever happens; one entry that fails costs its neighbours nothing."""
        try:
            await act(entries)
            self._paused = ""
            for entry in entries:
                self._put_off_for.pop(entry.seq, None)
        except JournalUnavailableError as error:
            await self._pause(error)
        except Exception as error:
            # Broad on purpose: what nobody expected of one message must not stop the others.
            if len(entries) == 1:
                await self._put_off(entries[0], error)
                return
            for entry in entries:
                await self._guarded([entry], act)
        finally:
            self._journal.release([entry.seq for entry in entries])

    async def _pause(self, error: JournalUnavailableError) -> None:
        if self._paused != str(error):
            log.warning("triage_paused", what=str(error), hint=error.hint)
        self._paused = str(error)
        await self._clock.sleep(PAUSE.total_seconds())

    async def _put_off(self, entry: Entry, error: Exception) -> None:
        name = type(error).__name__
        self._put_off_for[entry.seq] = name
        log.error("entry_put_off", stream=entry.stream.id, n=entry.n, error=name)
        pause = min(PAUSE * 2 ** min(entry.attempts, 10), LONGEST_PAUSE)
        next_try = self._clock.now() + pause
        await self._journal.fail(entry.seq, error=name, next_try=next_try)

    async def _judge(self, entries: Sequence[Entry], *, patient: bool = True) -> None:
        """(4) Classify in the order of each stream. Crash here: classified again, the same.

        What a slow classifier does not get to in its turn is claimed again, the urgent first. What
        refers to an encrypted message waits for its key, for as long as it is ``patient``.
        """
        verdicts: dict[int, Verdict] = {}
        waiting: list[Entry] = []
        until = self._clock.monotonic() + TURN_SECONDS
        for entry in _in_turn(entries):
            context = await self._context(entry)
            if patient and self._patience.lasts_for(entry) and waits_for_key(context.target):
                waiting.append(entry)
                continue
            verdict = await self._verdict(entry, context)
            self._surroundings.remember(entry, verdict)
            verdicts[entry.seq] = verdict
            await self._tell_of_markings(entry, verdict)
            if self._clock.monotonic() >= until:
                break
        kinds = {entry.seq: entry.event.kind for entry in entries}
        await self._note_commands(entries, verdicts)
        await self._journal.judge(list(verdicts.items()), kinds=kinds)
        await self._patience.put_off(waiting)
        if any(was_awaited(entry) and entry.seq in verdicts for entry in entries):
            await self._patience.end()

    async def _tell_of_markings(self, entry: Entry, verdict: Verdict) -> None:
        if verdict.restricted:
            await self.on_restricted(entry)
            log.error("restricted_marking", stream=entry.stream.id, n=entry.n)
        elif verdict.markings and verdict.outcome is Outcome.CAPTURE:
            await self.on_lower_marking(entry)
            log.info("lower_marking", stream=entry.stream.id, n=entry.n)

    async def _note_commands(
        self, entries: Sequence[Entry], verdicts: Mapping[int, Verdict]
    ) -> None:
        """Crash after: they are judged again, and noted already."""
        noted = [e.seq for e in entries if e.seq in verdicts and asked(e.event) is not None]
        if noted:
            await self._journal.note_commands(noted)

    def revise(self, entry: Entry, verdict: Verdict) -> None:
        """A person decided about ``entry``: what follows is read with that."""
        self._surroundings.revise(entry, verdict)

    async def _verdict(self, entry: Entry, context: Context) -> Verdict:
        utterance = utterance_of(entry)
        verdict = await self._classify(utterance, context, seconds=self._seconds_for(entry))
        return await self._audited(entry, await self._kept_apart(entry, verdict))

    async def _audited(self, entry: Entry, verdict: Verdict) -> Verdict:
        """A discard that is drawn goes before a person. Crash after: it is drawn again."""
        if verdict.outcome is not Outcome.DISCARD or not self._audit_percent:
            return verdict
        if self._lots is None:
            seed = await self._journal.audit_seed()
            self._lots = Lots(seed=seed, percent=self._audit_percent)
        return self._lots.audited(verdict, entry.stream.id, entry.n)

    async def _seal(self, entries: Sequence[Entry]) -> None:
        """(5) Fix the bytes. Crash here: sealed again with a new salt; none was stored yet.

        What a captured message leaned on is kept before that message is sealed: a crash between
        leaves the message judged, and its antecedents are looked for again. While one of those is
        encrypted, the message waits for its key.
        """
        leaning = [entry for entry in entries if _leans(entry)]
        await self._fix([entry for entry in entries if not _leans(entry)])
        waiting = [entry for entry in leaning if not await self._promote_context(entry)]
        await self._patience.put_off(waiting)
        await self._fix([entry for entry in leaning if entry not in waiting])

    async def _fix(self, entries: Sequence[Entry]) -> None:
        if entries:
            await self._journal.seal([await self._sealer.sealing(entry) for entry in entries])

    def _seconds_for(self, entry: Entry) -> float:
        """A quarter of the time that is left is the classifier's; the rest is for the store."""
        left = (entry.safe_by - self._clock.now()).total_seconds()
        share = 0.0 if self.hurried else left / 4
        return min(max(share, HURRIED_SECONDS), self._budget)

    async def _classify(self, utterance: Utterance, context: Context, *, seconds: float) -> Verdict:
        """The verdict, or ``review`` where the classifier fails or takes too long."""
        if self._busy is not None and not self._busy.done():
            return self._doubt(_BUSY)
        loop = asyncio.get_running_loop()
        self._busy = loop.run_in_executor(
            self._thread, self._classifier.classify, utterance, context
        )
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._busy)
        except TimeoutError:
            return self._doubt(_SLOW)
        except Exception as error:
            # A classifier must not raise; if one does, the message is kept and the type named.
            log.warning("classifier_failed", error=type(error).__name__)
            return self._doubt("classifier-failed")

    def _doubt(self, rule: str) -> Verdict:
        return Verdict(
            outcome=Outcome.REVIEW,
            score=0.5,
            reasons=(Reason(code="DOUBT", rule=rule),),
            policy=self._classifier.policy,
            model=self._classifier.model,
        )

    async def _kept_apart(self, entry: Entry, verdict: Verdict) -> Verdict:
        """What holds a restricted message, or a part of it, is restricted with it."""
        if await self._surroundings.is_apart(entry):
            return replace(verdict, outcome=Outcome.REVIEW, restricted=True)
        return verdict

    async def _context(self, entry: Entry) -> Context:
        return Context(
            before=await self._surroundings.before(entry),
            target=await self._surroundings.target(entry),
            capture_all=self._capture_all or entry.stream.capture_all,
            group=(entry.stream.connector, entry.stream.group_id),
        )

    async def _promote_context(self, entry: Entry) -> bool:
        """What a captured message leaned on is kept with it, though it seemed trivial before.

        False: some of it is still encrypted, and there is time to wait for its key.
        """
        patient = self._patience.lasts_for(entry)
        undecided = False
        for upstream_id in entry.verdict.context if entry.verdict else ():
            found = await self._journal.find_open(entry.stream.id, upstream_id)
            if found is not None:
                found = await self._settled(found, patient=patient)
            if found is None:
                continue
            if found.state is EntryState.DISCARDED:
                await self._promote(found, because=entry)
            undecided = undecided or found.state is EntryState.RECEIVED
        return not (undecided and patient)

    async def _settled(self, found: Entry, *, patient: bool) -> Entry | None:
        """An antecedent that is judged, and sealed if it was to be discarded.

        It may still be in a backlog, or wait for its media: what comes later is an entry of its
        own. Each medium that comes between a sealing and its commit asks for another sealing.
        One that is encrypted is not judged here: nobody leased it, and its key may come meanwhile.
        """
        seq = found.seq
        if found.state is EntryState.RECEIVED and found.event.kind is not EventKind.ENCRYPTED:
            await self._judge([found], patient=patient)
        for _ in range(len(found.event.attachments) + 1):
            now = await self._journal.entry(seq)
            if now is None or now.state is not EntryState.JUDGED or not _is_discard(now):
                return now
            await self._fix([now])
        return await self._journal.entry(seq)

    async def _promote(self, entry: Entry, *, because: Entry) -> None:
        now, needed_by = self._clock.now(), because.event.upstream_id
        verdict = await keep_as_context(self._journal, entry, because=needed_by, now=now)
        if verdict is not None:
            self._surroundings.revise(entry, verdict)


async def _nobody(_: Entry) -> None:
    """Whom nobody is told."""


def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="classifier")


def _in_turn(entries: Sequence[Entry]) -> list[Entry]:
    """Each stream in its order, and first the stream whose most urgent message is due first."""
    due: dict[str, datetime] = {}
    for entry in entries:
        due[entry.stream.id] = min(due.get(entry.stream.id, entry.safe_by), entry.safe_by)
    return sorted(entries, key=lambda entry: (due[entry.stream.id], entry.stream.id, entry.n))


def _is_discard(entry: Entry) -> bool:
    return entry.verdict is not None and entry.verdict.outcome is Outcome.DISCARD


def _leans(entry: Entry) -> bool:
    """A captured message that is understood only with others."""
    verdict = entry.verdict
    return verdict is not None and verdict.outcome is Outcome.CAPTURE and bool(verdict.context)
