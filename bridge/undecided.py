"""What nobody decides becomes a capture, before its copy under ``review/`` may expire.

What a legal hold covers is copied at once, whatever was decided of it: none of it may expire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from bridge import deadlines, keys
from bridge.canonical import Leaf
from bridge.model import Outcome, Reason, Verdict
from bridge.promotion import keep_antecedents
from bridge.protocols import Clock, Entry, Journal
from bridge.protocols.holds import Holds
from bridge.rounds import Rounds
from bridge.scopes import Scopes

log = structlog.get_logger(__name__)

BEFORE = timedelta(days=7)
"""How long before the end of its retention a review is decided by policy."""

CODE = "UNDECIDED"
HOLD = "HOLD"
ROUND_SECONDS = 300.0
AT_ONCE = 200


class Undecided(Rounds):
    """Promotes stored reviews that nobody decided; the writer stores them under ``records/``.

    What is restricted is not stored and stays out. So does a ciphertext whose content has an entry
    of its own: that one is decided, and the ciphertext expires under ``review/``.
    """

    failing = "not_deciding"

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        holds: Holds,
        review: timedelta | None,
        limit: int = AT_ONCE,
        interval: float = ROUND_SECONDS,
        revise: Callable[[Entry, Verdict], None] = lambda _entry, _verdict: None,
    ) -> None:
        """``review``: how long a review is kept, whether or not the store enforces it.

        None: reviews are kept for ever, and none is decided here. ``revise`` is told of what is
        kept with a review, as it is then.
        """
        super().__init__(clock=clock, seconds=interval)
        self._journal = journal
        self._holds = holds
        self._age = None if review is None else max(review - BEFORE, timedelta(0))
        self._limit = limit
        self._revise = revise

    async def round(self) -> None:
        """Decide all that is due.

        Each decision is one transaction with its leaf and its way to the store. Crash before: the
        entry is still undecided. Crash after: it is sealed, and stored by the normal path.
        """
        await self._decide_due()
        await self.keep_held()

    async def _decide_due(self) -> None:
        if self._age is None:
            return
        before = self._clock.now() - self._age
        while found := await self._journal.undecided(received_before=before, limit=self._limit):
            moved = [await self._decide(entry, CODE, "review-over") for entry in found]
            if not any(moved):
                return  # somebody else has them in hand

    async def keep_held(self) -> None:
        """Copy what is held and stands under ``review/`` alone. MUST be done when a hold comes."""
        holds = await self._holds.standing()
        if not holds:
            return
        scopes, after = Scopes(holds), 0
        while found := await self._journal.under_review(after=after, limit=self._limit):
            after = found[-1].seq
            for entry in found:
                if scopes.cover(entry):
                    await self._decide(entry, HOLD, "legal-hold")

    async def _decide(self, entry: Entry, code: str, rule: str) -> bool:
        if entry.record is None or entry.seen_leaf is None or entry.verdict is None:
            raise RuntimeError("only sealed entries are decided")
        verdict = replace(
            entry.verdict,
            outcome=Outcome.CAPTURE,
            reasons=(Reason(code=code, rule=rule), *entry.verdict.reasons),
        )
        now = self._clock.now()
        # First, so that a crash in between leaves it undecided, and the next round does both.
        await keep_antecedents(self._journal, entry, verdict, now=now, revise=self._revise)
        moved = await self._journal.promote(
            entry.seq,
            verdict,
            key=f"{keys.RECORDS}/{entry.record.key.partition('/')[2]}",
            safe_by=deadlines.promoted(now).safe_by,
            leaf=Leaf.decision(at=now, ref=entry.seen_leaf, verdict=verdict, by="policy"),
        )
        if moved:
            log.info("decided_by_policy", stream=entry.stream.id, n=entry.n, code=code)
        return moved
