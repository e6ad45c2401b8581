"""Discards judged once more, when what followed them is known.

A message is judged with what came before it, so that it is stored in time. What makes it matter
may come after: the answer, the approval, the order that rests on it. A discard is therefore judged
again when its context window has closed, and only then is final. That may only raise it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from bridge.errors import JournalUnavailableError
from bridge.model import CONTEXT_MESSAGES, Context, EventKind, Outcome, Reason, Utterance, Verdict
from bridge.promotion import keep_antecedents, raise_discard
from bridge.protocols import Clock, Entry, Journal
from bridge.surroundings import Surroundings, utterance_of

log = structlog.get_logger(__name__)

AT_ONCE = 16
PAUSE_SECONDS = 10.0
"""How long nobody looks after nothing was found."""

CODE = "HINDSIGHT"
RULE = "window-closed"

TURN_SECONDS = 0.25
"""Judging goes on for so long before it is looked whether anything new came."""

TRIES = 3
"""What the classifier has no time for so often stays what it is: others wait behind it."""

Judging = Callable[[Entry, Utterance, Context], Awaitable[Verdict | None]]
"""Gives the verdict; None: there is no time for it now."""


class Hindsight:
    """The second judgement of discards. Not for several tasks at once."""

    def __init__(
        self, *, journal: Journal, clock: Clock, surroundings: Surroundings, window: timedelta
    ) -> None:
        """``window``: how long after a message another may still bear on it."""
        self._journal = journal
        self._clock = clock
        self._surroundings = surroundings
        self._window = window
        self._next = clock.monotonic()
        self._tried: tuple[int, int] = (0, 0)

    async def look(self, judge: Judging) -> bool:
        """Judge a few discards whose window has closed. False: there was nothing to do.

        Each raise is one transaction with its leaf. Crash before they are marked as final: they
        are judged again, and what was raised is no discard any more. After a turn there may be
        more, and what came meanwhile goes first.
        """
        began = self._clock.monotonic()
        if began < self._next:
            return False
        closed = self._clock.now() - self._window
        found = await self._journal.open_discards(received_before=closed, limit=AT_ONCE)
        final: list[int] = []
        for entry in found:
            if not await self._guarded(entry, judge) and not self._is_given_up(entry):
                break
            final.append(entry.seq)
            if self._clock.monotonic() - began >= TURN_SECONDS:
                break
        await self._journal.finalise(final)
        if not final or (len(final) == len(found) and len(found) < AT_ONCE):
            self._next = self._clock.monotonic() + PAUSE_SECONDS
        return bool(final)

    def _is_given_up(self, entry: Entry) -> bool:
        """Whether the classifier had no time for it once too often."""
        seq, tries = self._tried
        self._tried = (entry.seq, tries + 1 if seq == entry.seq else 1)
        given_up = self._tried[1] >= TRIES
        if given_up:
            log.warning("not_judged_again", stream=entry.stream.id, n=entry.n, error="slow")
        return given_up

    async def _guarded(self, entry: Entry, judge: Judging) -> bool:
        """One discard. False: it is to be tried again."""
        try:
            return await self._judge(entry, judge)
        except JournalUnavailableError:
            raise
        except Exception as error:
            # Broad on purpose: what nobody expected of one message must not stop the others. It
            # stays what it was judged to be with what came before it.
            name = type(error).__name__
            log.warning("not_judged_again", stream=entry.stream.id, n=entry.n, error=name)
            return True

    async def _judge(self, entry: Entry, judge: Judging) -> bool:
        utterance = replace(utterance_of(entry), outcome=None, score=0.0, codes=())
        verdict = await judge(entry, utterance, await self._context(entry, utterance))
        if verdict is None:
            return False
        if verdict.outcome is Outcome.DISCARD or verdict.restricted:
            return True
        verdict = replace(verdict, reasons=(Reason(code=CODE, rule=RULE), *verdict.reasons))
        now, revise = self._clock.now(), self._surroundings.revise
        # First, so that a crash in between leaves a discard, which is judged again.
        await keep_antecedents(self._journal, entry, verdict, now=now, revise=revise)
        if await raise_discard(self._journal, entry, verdict, now=now):
            revise(entry, verdict)
            log.info("raised_in_hindsight", stream=entry.stream.id, n=entry.n)
        return True

    async def _context(self, entry: Entry, utterance: Utterance) -> Context:
        """What was said before and after it, each oldest first, by the senders' times."""
        stream = entry.stream.id
        earlier = await self._journal.recent(
            stream, before=entry.n, limit=CONTEXT_MESSAGES, without=EventKind.REACTION
        )
        later = await self._journal.following(
            stream, after=entry.n, limit=CONTEXT_MESSAGES, without=EventKind.REACTION
        )
        own = (utterance.sent_at, entry.n)
        placed = {}
        for each in (*earlier, *later):
            said = utterance_of(each)
            placed[said.sent_at, each.n] = said
        others = sorted(placed.items())
        return Context(
            before=tuple(said for at, said in others if at < own),
            after=tuple(said for at, said in others if at > own),
            target=await self._surroundings.target(entry),
            group=(entry.stream.connector, entry.stream.group_id),
        )
