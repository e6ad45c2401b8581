"""What people decided, carried out: from the console's orders and from what groups asked.

A decision, the move of its entry and its act are one transaction. The act is placed by the scribe,
and its leaf is that of the decision.

What is restricted is released, or destroyed by Forget, on an order of the console alone, where one
role may give it: no group asks for it, and the first such decision holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from bridge import deadlines, keys
from bridge.apart import RELEASED
from bridge.canonical import act_bytes, rfc3339
from bridge.canonical.json import Json
from bridge.lifecycle import EntryState
from bridge.model import Outcome, Reason, SealedRecord, Verdict
from bridge.promotion import keep_antecedents
from bridge.protocols import (
    Clock,
    Entry,
    Journal,
    Label,
    Office,
    PersonDecision,
    Placement,
    PlacementKind,
    Via,
    WaitingDecision,
)
from bridge.rounds import Rounds

log = structlog.get_logger(__name__)

ROUND_SECONDS = 0.5
AT_ONCE = 100
CODE = "PERSON"
CONTEXT = "CONTEXT"
BY_PERSON = "person"
"""The rule of a code that a person gave."""

_NOT_STORED = frozenset({EntryState.DISCARDED, EntryState.RESTRICTED})


class Decisions(Rounds):
    """One loop over people's decisions. ``revise`` is told of each new verdict."""

    failing = "not_carrying_out"

    def __init__(
        self,
        *,
        journal: Journal,
        office: Office,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        revise: Callable[[Entry, Verdict], None] = lambda _entry, _verdict: None,
    ) -> None:
        super().__init__(clock=clock, seconds=ROUND_SECONDS)
        self._journal = journal
        self._office = office
        self._random = random_bytes
        self._revise = revise

    async def round(self) -> None:
        """Take in what was ordered, then carry out what can be.

        Crash in between: a decision that was taken in waits in the journal, where Forget sees it.
        """
        await self.take()
        while found := await self._journal.decisions(limit=AT_ONCE):
            moved = [await self._carry_out(waiting) for waiting in found]
            if not any(moved):
                return  # what cannot be done now is on its way somewhere, and comes again

    async def take(self) -> None:
        """Take decisions from the office. MUST be done before Forget runs for the first time."""
        orders = await self._office.decisions(await self._journal.orders_taken())
        if not orders:
            return
        for number in await self._journal.take_orders(orders):
            log.warning("decision_not_possible", number=number, reason="unknown")

    async def _carry_out(self, waiting: WaitingDecision) -> bool:
        """One decision. False: the entry is on its way, and it is to be tried again."""
        entry, decision = waiting.entry, waiting.decision
        if entry is not None and entry.state is EntryState.RESTRICTED:
            # Read again: another decision of this round may have come first, and that one holds.
            entry = await self._journal.entry(entry.seq)
        if entry is None:
            return await self._refuse(waiting, "gone")
        record, judged = entry.record, entry.verdict
        if record is None or judged is None or not _may_decide(entry, judged, decision):
            return await self._refuse(waiting, "restricted")
        verdict = _decided(judged, decision)
        act = self._act(entry, decision, judged)
        if not _needs_copy(entry, record, decision):
            done = await self._journal.decide(waiting.id, verdict, act=act)
        else:
            done = await self._journal.decide(
                waiting.id,
                verdict,
                act=act,
                key=f"{keys.RECORDS}/{record.key.partition('/')[2]}",
                safe_by=deadlines.promoted(self._clock.now()).safe_by,
            )
        if done:
            self._revise(entry, verdict)
            log.info("decided_by_person", stream=entry.stream.id, n=entry.n, via=decision.via.value)
            # Crash before: they stay as they were judged; a person can keep them too.
            await keep_antecedents(
                self._journal, entry, verdict, now=self._clock.now(), revise=self._revise
            )
        return done

    async def _refuse(self, waiting: WaitingDecision, reason: str) -> bool:
        await self._journal.refuse(waiting.id)
        log.warning("decision_not_possible", key=waiting.decision.key, reason=reason)
        return True

    def _act(self, entry: Entry, decision: PersonDecision, judged: Verdict) -> Placement:
        now, stream = self._clock.now(), entry.stream
        named = {"name": stream.group_name} if stream.group_name else {}
        details: dict[str, Json] = {
            "connector": stream.connector,
            "platform": stream.platform,
            "group": {"id": stream.group_id, **named},
            "stream": stream.id,
            "n": entry.n,
            "outcome": decision.outcome.value,
            "was": judged.outcome.value,
            "cl": f"{judged.policy}+{judged.model}",
            "via": decision.via.value,
            "why": decision.why,
            "label": None if decision.label is None else decision.label.value,
            "code": decision.code or None,
            "ordered_at": rfc3339(decision.at),
        }
        body = act_bytes(
            salt=self._random(32),
            kind=PlacementKind.DECISION.value,
            at=now,
            by=decision.by,
            details=details,
        )
        return Placement(
            kind=PlacementKind.DECISION,
            folder=keys.act_folder(now),
            body=body,
            connector=stream.connector,
            group_id=stream.group_id,
            at=now,
        )


def _may_decide(entry: Entry, judged: Verdict, decision: PersonDecision) -> bool:
    """Whether this decision can be carried out on an entry in its state."""
    codes = {reason.code for reason in judged.reasons}
    if entry.state is not EntryState.RESTRICTED:
        return RELEASED not in codes
    return decision.via is Via.CONSOLE and decision.label is None and CODE not in codes


def _decided(judged: Verdict, decision: PersonDecision) -> Verdict:
    """The verdict after a person's; why it was judged as it was still stands, and its score.

    What a person keeps as context, or under another reason code, has that code before all others.
    What is released is restricted no more, and says so: the marking stays among its reasons.
    """
    said: tuple[Reason, ...] = (Reason(code=CODE, rule=decision.via.value),)
    is_released = judged.restricted and decision.outcome is Outcome.CAPTURE
    if is_released:
        said = (*said, Reason(code=RELEASED, rule=decision.via.value))
    if decision.label is Label.CONTEXT:
        said = (Reason(code=CONTEXT, rule=BY_PERSON), *said)
    elif decision.label is Label.CLASS:
        said = (Reason(code=decision.code, rule=BY_PERSON), *said)
    others = tuple(
        reason for reason in judged.reasons if reason.code != CODE and reason.rule != BY_PERSON
    )
    return replace(
        judged,
        outcome=decision.outcome,
        reasons=(*said, *others),
        restricted=judged.restricted and not is_released,
    )


def _needs_copy(entry: Entry, record: SealedRecord, decision: PersonDecision) -> bool:
    """Whether the record has to be put under ``records/`` yet."""
    if decision.outcome is not Outcome.CAPTURE:
        return False
    return entry.state in _NOT_STORED or record.key.startswith(f"{keys.REVIEW}/")
