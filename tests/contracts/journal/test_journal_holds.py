"""What every journal promises of legal holds: their acts, and what they may have to keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.model import Outcome
from bridge.protocols import DecisionOrder, Entry, Label, Placement, PlacementKind
from bridge.protocols.hold_acts import StoreKnows
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import NOW, event, placement, proof, sealing, verdict

REVIEW = verdict(Outcome.REVIEW, score=0.4)


def _act(kind: PlacementKind) -> Placement:
    return placement(kind, connector="", group_id="", body=b'{"kind":"' + kind.value.encode())


@pytest.mark.parametrize("kind", [PlacementKind.HOLD, PlacementKind.RELEASE])
async def test_an_act_is_taken_once(subject: Subject, kind: PlacementKind) -> None:
    """It waits for its place, whatever notices are due; its number is remembered."""
    journal = subject.journal
    assert await journal.acts_taken(kind) == 0
    before = {each.id for each in await journal.placements(limit=99)}
    await journal.take_act(_act(kind), number=3)
    await journal.take_act(_act(kind), number=3)
    await journal.take_act(_act(kind), number=2)
    waiting = [each for each in await journal.placements(limit=99) if each.id not in before]
    assert [each.kind for each in waiting] == [kind]
    other = {PlacementKind.HOLD: PlacementKind.RELEASE, PlacementKind.RELEASE: PlacementKind.HOLD}
    assert (await journal.acts_taken(kind), await journal.acts_taken(other[kind])) == (3, 0)
    await subject.restart()
    assert await subject.journal.acts_taken(kind) == 3


async def test_what_the_store_knows_is_remembered(subject: Subject) -> None:
    """The last that was found, of each hold."""
    known = StoreKnows(held=3, unheld=1, at=NOW)
    assert await subject.journal.store_knows(1) is None
    await subject.journal.store_told(1, StoreKnows(held=0, unheld=0, at=NOW))
    await subject.journal.store_told(1, known)
    await subject.restart()
    assert await subject.journal.store_knows(1) == known
    assert await subject.journal.store_knows(2) is None


async def test_forgettable_is_what_would_be_forgotten(subject: Subject) -> None:
    """Old discards, page by page, the oldest first; what a decision waits on is left out."""
    journal = subject.journal
    entries = [await subject.sealed(DISCARD, of=event(f"${i}")) for i in range(5)]
    await subject.sealed(of=event("$kept"))
    order = DecisionOrder(
        number=1,
        stream=entries[2].stream.id,
        n=entries[2].n,
        outcome=Outcome.CAPTURE,
        by="ada",
        at=NOW,
        why="",
    )
    await journal.take_orders([order])
    wanted = [entry.seq for entry in entries if entry.n != entries[2].n]
    assert await journal.forgettable(discarded_before=LATER, limit=99) == tuple(wanted)
    found: list[int] = []
    while page := await journal.forgettable(
        discarded_before=LATER, after=found[-1] if found else 0, limit=2
    ):
        found += page
    assert found == wanted
    early = NOW - timedelta(days=1)
    assert await journal.forgettable(discarded_before=early, limit=99) == ()


async def test_only_what_is_named_is_forgotten(subject: Subject) -> None:
    """And of that only what may be: no number destroys what is kept."""
    journal = subject.journal
    first = await subject.sealed(DISCARD, of=event("$1"))
    second = await subject.sealed(DISCARD, of=event("$2"))
    kept = await subject.sealed(of=event("$3"))
    await journal.forget(discarded_before=LATER, limit=9, only=[])
    await journal.forget(discarded_before=NOW - timedelta(days=1), limit=9, only=[first.seq])
    assert await journal.entry(first.seq) is not None
    await journal.forget(discarded_before=LATER, limit=9, only=[first.seq, kept.seq, 999])
    assert await journal.entry(first.seq) is None
    assert await journal.entry(second.seq) is not None
    assert await journal.entry(kept.seq) is not None


async def test_an_order_that_marks_decides_nothing(subject: Subject) -> None:
    """That it was taken is remembered; labels of others come with their decision."""
    entry = await subject.sealed(DISCARD)
    mark = DecisionOrder(
        number=1,
        stream=entry.stream.id,
        n=entry.n,
        outcome=Outcome.REVIEW,
        label=Label.PARTY,
        by="ada",
        at=NOW,
        why="",
    )
    kept = DecisionOrder(
        number=2,
        stream=entry.stream.id,
        n=entry.n,
        outcome=Outcome.CAPTURE,
        label=Label.CLASS,
        code="ADVICE",
        by="ada",
        at=NOW,
        why="",
    )
    assert await subject.journal.take_orders([mark]) == ()
    assert await subject.journal.orders_taken() == 1
    assert await subject.journal.decisions(limit=9) == ()
    await subject.journal.take_orders([mark, kept])
    (waiting,) = await subject.journal.decisions(limit=9)
    assert (waiting.decision.label, waiting.decision.code) == (Label.CLASS, "ADVICE")


async def test_what_stands_under_review_alone(subject: Subject) -> None:
    """Until it is promoted, whatever was decided of it; nothing that is not stored yet."""
    journal = subject.journal
    entries = [await _under_review(subject, f"${i}") for i in range(3)]
    await journal.store([proof(entry) for entry in entries[:2]])
    kept = await subject.sealed(of=event("$kept"))
    await journal.store([proof(kept)])
    found = await journal.under_review(after=0, limit=9)
    assert [entry.seq for entry in found] == [entry.seq for entry in entries[:2]]
    (second,) = await journal.under_review(after=entries[0].seq, limit=9)
    assert second.seq == entries[1].seq
    await subject.promote(entries[0])
    assert [e.seq for e in await journal.under_review(after=0, limit=1)] == [entries[1].seq]


async def _under_review(subject: Subject, name: str) -> Entry:
    """A sealed review whose key is under ``review/``."""
    judged = await subject.judged(REVIEW, of=event(name))
    made = sealing(judged)
    key = f"review/{made.record.key.partition('/')[2]}"
    await subject.journal.seal([replace(made, record=replace(made.record, key=key))])
    return await subject.entry(judged.seq)


async def test_stored_entries_come_in_order(subject: Subject) -> None:
    """All that is stored, by pages."""
    entries = [await subject.sealed(of=event(f"${i}")) for i in range(3)]
    await subject.journal.store([proof(entry) for entry in entries])
    await subject.sealed(of=event("$waits"))
    (first, second) = await subject.journal.stored(after=0, limit=2)
    assert (first.seq, second.seq) == (entries[0].seq, entries[1].seq)
    assert [e.seq for e in await subject.journal.stored(after=second.seq, limit=9)] == [
        entries[2].seq
    ]
