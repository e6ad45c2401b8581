"""What every journal promises of people's decisions and of what groups ask."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome, Reason, Verdict
from bridge.protocols import (
    DecisionFacts,
    DecisionOrder,
    Entry,
    Label,
    PersonDecision,
    Placement,
    PlacementKind,
    Saying,
    Via,
)
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    GROUP_ID,
    NOW,
    event,
    placement,
    proof,
    record_key,
    verdict,
)

REVIEW = verdict(Outcome.REVIEW, score=0.4, policy="ours@1", model="m-1")
RESTRICTED = verdict(Outcome.REVIEW, restricted=True)
GONE = verdict(Outcome.DISCARD, restricted=True)
ACT = placement(PlacementKind.DECISION, body=b'{"kind":"decision"}')
SAYING = Saying(
    connector=CONNECTOR, group_id=GROUP_ID, text="kept", key="answer", until=NOW + timedelta(days=1)
)


def _decision(
    entry: Entry, outcome: Outcome = Outcome.CAPTURE, *, key: str = "asked-1", by: str = "@ada"
) -> PersonDecision:
    return PersonDecision(
        key=key, seq=entry.seq, outcome=outcome, via=Via.COMMAND, by=by, at=NOW, why="asked"
    )


def _order(entry: Entry, number: int, outcome: Outcome = Outcome.CAPTURE) -> DecisionOrder:
    return DecisionOrder(
        number=number,
        stream=entry.stream.id,
        n=entry.n,
        outcome=outcome,
        by="ada",
        at=NOW,
        why="why \ud800",
    )


async def _reviewed(subject: Subject, name: str = "$1") -> Entry:
    entry = await subject.sealed(REVIEW, of=event(name))
    await subject.journal.store([proof(entry)])
    return await subject.entry(entry.seq)


async def _waiting(subject: Subject, *orders: DecisionOrder) -> list[int]:
    """Orders taken; the ids of what waits."""
    await subject.journal.take_orders(orders)
    return [waiting.id for waiting in await subject.journal.decisions(limit=99)]


async def _copied(subject: Subject, id_: int, entry: Entry, decided: Verdict) -> bool:
    key = record_key(entry)
    return await subject.journal.decide(id_, decided, act=ACT, key=key, safe_by=LATER)


async def test_an_order_waits_as_it_was_given(subject: Subject) -> None:
    """Who, what, why and when come back, with the entry; the number taken is remembered."""
    entry = await _reviewed(subject)
    assert await subject.journal.orders_taken() == 0
    assert await subject.journal.take_orders([_order(entry, 3)]) == ()
    for _ in range(2):
        (waiting,) = await subject.journal.decisions(limit=9)
        assert waiting.entry == entry
        assert waiting.decision == PersonDecision(
            key="office-3",
            seq=entry.seq,
            outcome=Outcome.CAPTURE,
            via=Via.CONSOLE,
            by="ada",
            at=NOW,
            why="why \ud800",
        )
        assert await subject.journal.orders_taken() == 3
        await subject.restart()


async def test_an_order_is_taken_once(subject: Subject) -> None:
    """What was taken is not taken again; numbers that name no entry are told."""
    entry = await _reviewed(subject)
    unknown = DecisionOrder(
        number=2,
        stream="f" * 16,
        n=0,
        outcome=Outcome.DISCARD,
        by="ada",
        at=NOW,
        why="",
    )
    orders = [_order(entry, 1), unknown]
    assert await subject.journal.take_orders(orders) == (2,)
    assert await subject.journal.take_orders(orders) == ()
    assert len(await subject.journal.decisions(limit=9)) == 1


async def test_what_is_on_its_way_is_left_out(subject: Subject) -> None:
    """A decision comes up once its entry has arrived, and costs the others nothing."""
    sealed = await subject.sealed(REVIEW, of=event("$sealed"))
    judged = await subject.judged(of=event("$judged"))
    discarded = await subject.sealed(DISCARD, of=event("$discarded"))
    orders = [_order(each, i) for i, each in enumerate((sealed, judged, discarded), start=1)]
    await subject.journal.take_orders(orders)
    (waiting,) = await subject.journal.decisions(limit=9)
    assert waiting.decision.seq == discarded.seq
    await subject.journal.store([proof(sealed)])
    assert [w.decision.seq for w in await subject.journal.decisions(limit=9)] == [
        sealed.seq,
        discarded.seq,
    ]


@pytest.mark.parametrize("discarded", [True, False])
async def test_a_capture_is_sealed_again(subject: Subject, *, discarded: bool) -> None:
    """Entry and act move together; no leaf is written before the act has its place."""
    if discarded:
        before = await subject.sealed(DISCARD)
    else:
        before = await _reviewed(subject)
    (id_,) = await _waiting(subject, _order(before, 1))
    kinds = [leaf.k for leaf in subject.leaves()]
    assert await _copied(subject, id_, before, verdict())
    (after,) = await subject.claimed(EntryState.SEALED)
    assert before.record is not None
    assert after.record is not None
    assert (after.record.body, after.verdict) == (before.record.body, verdict())
    assert after.record.key == record_key(before)
    assert (after.safe_by, after.expires_at) == (LATER, None)
    assert [leaf.k for leaf in subject.leaves()] == kinds
    (act,) = [p for p in await subject.journal.placements(limit=9) if p.kind == "decision"]
    assert act.body == ACT.body
    assert await subject.journal.decisions(limit=9) == ()


async def test_a_discard_stays_where_it_is(subject: Subject) -> None:
    """The outcome changes, a manifest row is due, nobody is asked again, and nothing is put."""
    entry = await _reviewed(subject)
    await subject.journal.queue(
        placement(PlacementKind.MANIFEST, folder="m"), rows=[(entry.seq, Outcome.REVIEW)]
    )
    (id_,) = await _waiting(subject, _order(entry, 1, Outcome.DISCARD))
    assert await subject.journal.decide(id_, DISCARD, act=ACT)
    after = await subject.entry(entry.seq)
    assert (after.state, after.verdict, after.record) == (EntryState.STORED, DISCARD, entry.record)
    assert len(await subject.journal.manifest_places()) == 1
    assert await subject.journal.undecided(received_before=LATER, limit=9) == ()
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.discarded, tally.review, tally.stored) == (1, 0, 1)


async def test_a_decision_is_carried_out_once(subject: Subject) -> None:
    """The second time nothing is written."""
    entry = await _reviewed(subject)
    (id_,) = await _waiting(subject, _order(entry, 1, Outcome.DISCARD))
    assert await subject.journal.decide(id_, DISCARD, act=ACT)
    assert not await subject.journal.decide(id_, DISCARD, act=ACT)
    assert not await _copied(subject, id_, entry, verdict())
    acts = [p for p in await subject.journal.placements(limit=9) if p.kind == "decision"]
    assert len(acts) == 1


async def test_an_entry_that_is_elsewhere_is_not_decided(subject: Subject) -> None:
    """A copy of what stands under ``records/`` is refused; so is anything that is on its way."""
    stored = await subject.stored(of=event("$stored"))
    (id_,) = await _waiting(subject, _order(stored, 1))
    assert not await _copied(subject, id_, stored, verdict())
    discarded = await subject.sealed(DISCARD, of=event("$discarded"))
    _, other = await _waiting(subject, _order(discarded, 2))
    assert await subject.promote(discarded)
    assert not await _copied(subject, other, discarded, verdict())
    assert not await subject.journal.decide(other, verdict(), act=ACT)
    assert await subject.journal.decide(id_, verdict(), act=ACT)


async def test_a_refused_decision_waits_no_longer(subject: Subject) -> None:
    """It is given up, and changes nothing."""
    entry = await subject.sealed(verdict(Outcome.REVIEW, restricted=True))
    (id_,) = await _waiting(subject, _order(entry, 1))
    await subject.journal.refuse(id_)
    assert await subject.journal.decisions(limit=9) == ()
    assert not await subject.journal.decide(id_, verdict(), act=ACT)
    assert await subject.journal.reviewed() == ()


async def _restricted(subject: Subject, name: str = "$1") -> Entry:
    return await subject.sealed(RESTRICTED, of=event(name))


async def test_a_restricted_entry_is_released(subject: Subject) -> None:
    """It is sealed again as it was, to be stored under another key."""
    before = await _restricted(subject)
    (id_,) = await _waiting(subject, _order(before, 1))
    assert await _copied(subject, id_, before, verdict())
    (after,) = await subject.claimed(EntryState.SEALED)
    assert before.record is not None
    assert after.record is not None
    assert (after.record.body, after.record.key) == (before.record.body, record_key(before))
    await subject.journal.store([proof(after)])
    assert (await subject.entry(before.seq)).state is EntryState.STORED


async def _condemned(subject: Subject, number: int, name: str) -> Entry:
    """A restricted entry that a person had destroyed; its manifest row is not written yet."""
    entry = await _restricted(subject, name)
    (id_,) = await _waiting(subject, _order(entry, number, Outcome.DISCARD))
    assert await subject.journal.decide(id_, GONE, act=ACT)
    return entry


async def _told(subject: Subject, entry: Entry) -> None:
    """Its manifest row says so."""
    part = placement(PlacementKind.MANIFEST, folder="m")
    await subject.journal.queue(part, rows=[(entry.seq, Outcome.DISCARD)])


async def test_what_a_person_had_destroyed_is_named_page_by_page(subject: Subject) -> None:
    """Once its manifest row says so; neither what nobody decided, nor any discard."""
    entries = [await _condemned(subject, i, f"${i}") for i in range(1, 5)]
    await _restricted(subject, "$waits")
    await subject.sealed(DISCARD, of=event("$discard"))
    await subject.sealed(GONE, of=event("$nobody-said"))
    assert await subject.journal.to_destroy(limit=9) == ()
    for entry in entries[:3]:
        await _told(subject, entry)
    wanted = [entry.seq for entry in entries[:3]]
    assert await subject.journal.to_destroy(limit=9) == tuple(wanted)
    assert await subject.journal.to_destroy(limit=2) == tuple(wanted[:2])
    assert await subject.journal.to_destroy(after=wanted[1], limit=2) == (wanted[2],)
    await subject.journal.take_orders([_order(entries[0], 9)])
    assert await subject.journal.to_destroy(limit=9) == tuple(wanted[1:])


async def test_it_is_destroyed_where_it_is_named(subject: Subject) -> None:
    """At any age; no number destroys a restricted entry that nobody had destroyed."""
    journal, early = subject.journal, NOW - timedelta(days=9999)
    gone, untold = await _condemned(subject, 1, "$1"), await _condemned(subject, 2, "$2")
    waits = await _restricted(subject, "$3")
    await _told(subject, gone)
    await journal.forget(discarded_before=LATER, limit=9)
    assert await journal.entry(gone.seq) is not None
    named = [gone.seq, untold.seq, waits.seq]
    await journal.forget(discarded_before=early, limit=9, only=named)
    assert [await journal.entry(seq) is None for seq in named] == [True, False, False]
    assert await journal.to_destroy(limit=9) == ()
    (tally,) = (await journal.tally(now=NOW)).groups
    assert (tally.discarded, tally.review) == (2, 1)
    act, *_ = [p for p in await journal.placements(limit=9) if p.kind == "decision"]
    assert (await journal.decided(act.id)) is not None


async def test_the_leaf_is_that_of_the_decision(subject: Subject) -> None:
    """Its facts are those of the judgement; a document of another kind has none."""
    entry = await _reviewed(subject)
    (id_,) = await _waiting(subject, _order(entry, 1, Outcome.DISCARD))
    decided = verdict(Outcome.DISCARD, score=0.4, policy="ours@1", model="m-1")
    assert await subject.journal.decide(id_, decided, act=ACT)
    act = await _act(subject)
    facts = await subject.journal.decided(act.id)
    assert entry.seen_leaf is not None
    assert facts == DecisionFacts(
        ref=entry.seen_leaf, outcome=Outcome.DISCARD, classifier="ours@1+m-1"
    )
    assert await subject.journal.decided(act.id + 100) is None
    numbered = await subject.journal.number(act)
    leaf = Leaf.ruling(
        at=NOW,
        ref=facts.ref,
        outcome=facts.outcome,
        classifier=facts.classifier,
        key=f"v1/sample/{act.folder}/1.json",
        digest=Digest.of(act.body),
    )
    await subject.journal.place(numbered, leaf=leaf)
    await subject.journal.place(numbered, leaf=leaf)
    (written,) = subject.leaves("decision")
    assert (written.ref, written.c) == (entry.seen_leaf, "discard")


async def _act(subject: Subject) -> Placement:
    (act,) = [p for p in await subject.journal.placements(limit=9) if p.kind == "decision"]
    return act


async def test_what_waits_is_not_forgotten(subject: Subject) -> None:
    """A discard that a person decided about stays until that is carried out or refused."""
    entry = await subject.sealed(DISCARD)
    (id_,) = await _waiting(subject, _order(entry, 1))
    await subject.journal.forget(discarded_before=LATER, limit=9)
    assert await subject.journal.entry(entry.seq) == entry
    await subject.journal.refuse(id_)
    await subject.journal.forget(discarded_before=LATER, limit=9)
    assert await subject.journal.entry(entry.seq) is None


async def test_a_decision_on_what_is_gone_has_no_entry(subject: Subject) -> None:
    """It comes up all the same, to be given up."""
    entry = await subject.sealed(DISCARD)
    await subject.journal.forget(discarded_before=LATER, limit=9)
    await subject.journal.take_orders([_order(entry, 1)])
    (waiting,) = await subject.journal.decisions(limit=9)
    assert waiting.entry is None


async def test_a_command_waits_until_it_is_answered(subject: Subject) -> None:
    """Noted once, oldest first, through a restart; answered with what it decides and says."""
    first, second = await _reviewed(subject, "$1"), await _reviewed(subject, "$2")
    await subject.journal.note_commands([second.seq])
    await subject.journal.note_commands([first.seq, second.seq])
    await subject.restart()
    assert await subject.journal.commands(limit=9) == (first, second)
    assert await subject.journal.commands(limit=1) == (first,)
    decision = _decision(second, by="@ada \ud800")
    for _ in range(2):
        await subject.journal.answered(first.seq, decisions=[decision], sayings=[SAYING])
    await subject.journal.note_commands([first.seq])
    assert await subject.journal.commands(limit=9) == (second,)
    (waiting,) = await subject.journal.decisions(limit=9)
    assert (waiting.decision, waiting.entry) == (decision, second)
    (said,) = await subject.journal.sayings(limit=9)
    assert (said.text, said.key) == (SAYING.text, SAYING.key)


async def test_the_same_decision_is_one(subject: Subject) -> None:
    """Handed in again under its key, it changes nothing."""
    first, second = await _reviewed(subject, "$1"), await _reviewed(subject, "$2")
    await subject.journal.note_commands([first.seq, second.seq])
    await subject.journal.answered(first.seq, decisions=[_decision(first)])
    await subject.journal.answered(second.seq, decisions=[_decision(first, Outcome.DISCARD)])
    (waiting,) = await subject.journal.decisions(limit=9)
    assert waiting.decision.outcome is Outcome.CAPTURE


async def test_what_was_reviewed_is_told_without_content(subject: Subject) -> None:
    """The last decision on each entry, with score, policy and model of its judgement."""
    first, second = await _reviewed(subject, "$1"), await _reviewed(subject, "$2")
    drawn = verdict(
        Outcome.DISCARD, score=0.1, reasons=[Reason(code="AUDIT", rule="sample")], policy="p@1"
    )
    ids = await _waiting(subject, _order(first, 1, Outcome.DISCARD), _order(second, 2))
    assert await subject.journal.decide(ids[0], drawn, act=ACT)
    ids += await _waiting(subject, replace(_order(first, 3), label=Label.CONTEXT))
    assert await _copied(subject, ids[-1], first, verdict(score=0.1, policy="p@1"))
    (found,) = await subject.journal.reviewed()
    assert found.label is Label.CONTEXT
    assert (found.seq, found.outcome, found.via) == (first.seq, Outcome.CAPTURE, Via.CONSOLE)
    assert (found.score, found.policy, found.model, found.audited) == (0.1, "p@1", "none", False)
    assert (found.connector, found.group_id) == (CONNECTOR, GROUP_ID)


async def test_judgements_are_told_without_content(subject: Subject) -> None:
    """Page by page, destroyed ones too, with the outcome as it is now."""
    gone = await subject.sealed(DISCARD, of=event("$gone"))
    kept = await _reviewed(subject, "$kept")
    await subject.received(event("$new"))
    await subject.journal.forget(discarded_before=LATER, limit=9)
    found = await subject.journal.judgements(after=0, limit=9)
    assert [(each.seq, each.outcome, each.score) for each in found] == [
        (gone.seq, Outcome.DISCARD, 0.1),
        (kept.seq, Outcome.REVIEW, 0.4),
    ]
    assert {(each.connector, each.group_id) for each in found} == {(CONNECTOR, GROUP_ID)}
    assert await subject.journal.judgements(after=gone.seq, limit=9) == found[1:]
    assert await subject.journal.judgements(after=0, limit=1) == found[:1]


async def test_the_seed_is_drawn_once(subject: Subject) -> None:
    """The same for all who ask, at once and after a restart."""
    seeds = await asyncio.gather(*(subject.journal.audit_seed() for _ in range(3)))
    await subject.restart()
    assert {*seeds, await subject.journal.audit_seed()} == {seeds[0]}
    assert len(seeds[0]) == 32
