"""Discards that are kept after all: another message needs them, or shows what they meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog

from bridge import deadlines, keys
from bridge.apart import is_apart
from bridge.canonical import Leaf
from bridge.lifecycle import EntryState
from bridge.model import Outcome, Reason, Verdict
from bridge.protocols import Entry, Journal

log = structlog.get_logger(__name__)


async def keep_antecedents(
    journal: Journal,
    entry: Entry,
    verdict: Verdict,
    *,
    now: datetime,
    revise: Callable[[Entry, Verdict], None],
) -> None:
    """What a kept message leaned on is kept with it; ``revise`` is told of each new verdict.

    What is kept already, or gone, stays as it is: asked again, it finishes what it began.
    """
    if verdict.outcome is not Outcome.CAPTURE:
        return
    for upstream_id in verdict.context:
        found = await journal.find_open(entry.stream.id, upstream_id)
        if found is None or found.state is not EntryState.DISCARDED:
            continue
        kept = await keep_as_context(journal, found, because=entry.event.upstream_id, now=now)
        if kept is not None:
            revise(found, kept)


async def keep_as_context(
    journal: Journal, entry: Entry, *, because: str, now: datetime
) -> Verdict | None:
    """Promote a discarded entry; ``because`` is the upstream id of the message that needs it.

    Gives its new verdict; None if it is elsewhere by now. One transaction: a crash before leaves a
    discard, and whoever needs it asks again.
    """
    if entry.verdict is None:
        return None
    verdict = replace(
        entry.verdict,
        outcome=Outcome.CAPTURE,
        reasons=(Reason(code="CONTEXT", rule="antecedent"), *entry.verdict.reasons),
        context=(because,),
    )
    return verdict if await raise_discard(journal, entry, verdict, now=now) else None


async def raise_discard(journal: Journal, entry: Entry, verdict: Verdict, *, now: datetime) -> bool:
    """Promote a discarded entry to what ``verdict`` says, by policy. False: it stays as it is.

    It is elsewhere by now, or may hold what is restricted meanwhile, which must not be stored. One
    transaction, with the leaf of the decision and the way to the store.
    """
    if entry.record is None or entry.seen_leaf is None:
        return False
    if verdict.restricted or await is_apart(journal, entry):
        log.warning("raise_kept_apart", stream=entry.stream.id, n=entry.n)
        return False
    area = keys.RECORDS if verdict.outcome is Outcome.CAPTURE else keys.REVIEW
    return await journal.promote(
        entry.seq,
        verdict,
        key=f"{area}/{entry.record.key.partition('/')[2]}",
        safe_by=deadlines.promoted(now).safe_by,
        leaf=Leaf.decision(at=now, ref=entry.seen_leaf, verdict=verdict, by="policy"),
    )
