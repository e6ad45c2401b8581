"""A discard that a captured message needs to be understood is kept with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bridge import deadlines, keys
from bridge.canonical import Leaf
from bridge.model import Outcome, Reason, Verdict
from bridge.protocols import Entry, Journal


async def keep_as_context(
    journal: Journal, entry: Entry, *, because: str, now: datetime
) -> Verdict | None:
    """Promote a discarded entry; ``because`` is the upstream id of the message that needs it.

    Gives its new verdict; None if it is elsewhere by now. One transaction: a crash before leaves a
    discard, and whoever needs it asks again.
    """
    if entry.record is None or entry.seen_leaf is None or entry.verdict is None:
        return None
    verdict = replace(
        entry.verdict,
        outcome=Outcome.CAPTURE,
        reasons=(Reason(code="CONTEXT", rule="antecedent"), *entry.verdict.reasons),
        context=(because,),
    )
    moved = await journal.promote(
        entry.seq,
        verdict,
        key=f"{keys.RECORDS}/{entry.record.key.partition('/')[2]}",
        safe_by=deadlines.promoted(now).safe_by,
        leaf=Leaf.decision(at=now, ref=entry.seen_leaf, verdict=verdict, by="policy"),
    )
    return verdict if moved else None
