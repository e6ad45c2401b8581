"""People's decisions: the move, the act, its leaf, and what nobody can decide."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from bridge.decisions import Decisions
from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome
from bridge.protocols import DecisionOrder, Entry, Label
from bridge.undecided import Undecided
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, until


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded: a capture, a review and a discard have come to rest."""
    await house.admit()
    house.says("$review", Outcome.REVIEW)
    house.says("$discard", Outcome.DISCARD)
    await house.hear(*(samples.event(name) for name in ("$capture", "$review", "$discard")))
    await house.settle()
    return house


def _decisions(house: House) -> Decisions:
    return Decisions(
        journal=house.journal,
        office=house.office,
        clock=house.clock,
        random_bytes=house.random,
        revise=house.triage.revise,
    )


async def _entry(house: House, name: str) -> Entry:
    (found,) = [e for e in await house.entries() if e.event.upstream_id == name]
    return found


async def _decide(house: House, name: str, outcome: Outcome) -> Entry:
    """A person decides in the console, and all that follows is done."""
    await _order(house, name, outcome)
    await _decisions(house).round()
    await house.settle()
    return await _entry(house, name)


async def _order(house: House, name: str, outcome: Outcome) -> None:
    entry = await _entry(house, name)
    order = DecisionOrder(
        stream=entry.stream.id,
        n=entry.n,
        outcome=outcome,
        by="ada",
        at=house.clock.now(),
        why="it says who pays",
    )
    await house.office.decide(order)


@pytest.mark.parametrize("name", ["$review", "$discard"])
async def test_a_capture_is_stored_as_a_record(house: House, name: str) -> None:
    """The same bytes stand under ``records/``, with a stored leaf; the score stays."""
    before = await _entry(house, name)
    after = await _decide(house, name, Outcome.CAPTURE)
    assert after.state is EntryState.STORED
    assert before.record is not None
    assert after.record is not None
    assert before.verdict is not None
    assert after.verdict is not None
    assert after.record.key == before.record.key.replace("review/", "records/")
    assert house.store.objects[after.record.key].data == before.record.body
    assert (after.verdict.outcome, after.verdict.score) == (Outcome.CAPTURE, before.verdict.score)
    codes = [(reason.code, reason.rule) for reason in after.verdict.reasons]
    assert codes == [("PERSON", "console"), ("DECISION", "sample")]


async def test_a_discard_of_a_review_moves_nothing(house: House) -> None:
    """Only the act and its leaf say so; the copy under ``review/`` may then expire."""
    objects = set(house.objects("records")) | set(house.objects("review"))
    entry = await _decide(house, "$review", Outcome.DISCARD)
    assert entry.state is EntryState.STORED
    assert set(house.objects("records")) | set(house.objects("review")) == objects
    (leaf,) = await house.leaves("decision")
    assert (leaf["c"], leaf["by"], leaf["ref"]) == ("discard", "person", entry.seen_leaf)
    house.later(days=1000)
    review = timedelta(days=30)
    await Undecided(
        journal=house.journal, clock=house.clock, holds=house.holds, review=review
    ).round()
    assert len(await house.leaves("decision")) == 1


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("$capture", Outcome.CAPTURE),
        ("$capture", Outcome.DISCARD),
        ("$discard", Outcome.DISCARD),
        ("$review", Outcome.DISCARD),
        ("$review", Outcome.CAPTURE),
    ],
)
async def test_every_decision_has_one_act_and_one_leaf(
    house: House, name: str, outcome: Outcome
) -> None:
    """The act says what, who, why and of which message; the leaf names it, and nothing else."""
    judged = await _entry(house, name)
    entry = await _decide(house, name, outcome)
    acts = {key: body for key, body in house.objects("acts").items() if b'"decision"' in body}
    ((key, body),) = acts.items()
    act = json.loads(body)
    assert judged.verdict is not None
    assert (act["kind"], act["by"], act["why"]) == ("decision", "ada", "it says who pays")
    assert (act["stream"], act["n"]) == (entry.stream.id, entry.n)
    assert (act["outcome"], act["was"]) == (outcome.value, judged.verdict.outcome.value)
    assert (act["via"], act["cl"]) == ("console", "scripted@1+script-1")
    (leaf,) = await house.leaves("decision")
    assert leaf == {
        "k": "decision",
        "v": 1,
        "t": leaf["t"],
        "ref": entry.seen_leaf,
        "c": outcome.value,
        "cl": "scripted@1+script-1",
        "by": "person",
        "p": Digest.of(f"v1/demo/{key}".encode()).hex,
        "o": Digest.of(body).hex,
    }


async def test_a_discard_can_be_taken_back(house: House) -> None:
    """A review that was discarded, then captured, gets its copy after all; the last one holds."""
    await _decide(house, "$review", Outcome.DISCARD)
    entry = await _decide(house, "$review", Outcome.CAPTURE)
    assert entry.record is not None
    assert entry.record.key.startswith("records/")
    assert [leaf["c"] for leaf in await house.leaves("decision")] == ["discard", "capture"]
    (reviewed,) = await house.journal.reviewed()
    assert (reviewed.outcome, reviewed.score) == (Outcome.CAPTURE, 0.9)
    rows = [row for part in house.documents("manifests") for row in _rows(part)]
    assert [row["outcome"] for row in rows if row["n"] == entry.n] == [
        "review",
        "discard",
        "capture",
    ]


def _rows(part: dict[str, object]) -> list[dict[str, object]]:
    rows = part["rows"]
    assert isinstance(rows, list)
    return rows


async def test_a_decision_waits_until_its_message_is_stored(house: House) -> None:
    """What is on its way is decided once it has arrived; others do not wait for it."""
    house.says("$late", Outcome.REVIEW)
    await house.hear(samples.event("$late"))
    await house.triage.step()
    await _order(house, "$late", Outcome.DISCARD)
    await _order(house, "$discard", Outcome.CAPTURE)
    decisions = _decisions(house)
    await decisions.round()
    assert (await house.states())["$discard"] is EntryState.SEALED
    assert (await house.states())["$late"] is EntryState.SEALED
    await house.settle()
    assert len(await house.leaves("decision")) == 1
    await decisions.round()
    await house.settle()
    assert len(await house.leaves("decision")) == 2


async def test_what_is_to_be_kept_is_not_forgotten(house: House) -> None:
    """A decision that was taken in stands before Forget, however old the discard is."""
    await _order(house, "$discard", Outcome.CAPTURE)
    house.later(days=1000)
    decisions = _decisions(house)
    await decisions.take()
    await house.forget.round()
    assert (await house.states())["$discard"] is EntryState.DISCARDED
    await decisions.round()
    assert (await house.states())["$discard"] is EntryState.SEALED


async def test_what_is_gone_cannot_be_decided(house: House) -> None:
    """Too late: the order is given up, and nothing is logged."""
    entry = await _entry(house, "$discard")
    house.later(days=1000)
    await house.forget.round()
    for n in (entry.n, 999):
        order = DecisionOrder(
            stream=entry.stream.id,
            n=n,
            outcome=Outcome.CAPTURE,
            by="ada",
            at=house.clock.now(),
            why="",
        )
        await house.office.decide(order)
    await _decisions(house).round()
    await house.settle()
    assert await house.leaves("decision") == []
    assert await house.journal.decisions(limit=9) == ()


async def test_what_a_kept_message_leaned_on_is_kept(house: House) -> None:
    """The question goes on the record with the answer that a person kept."""
    house.says("$answer", Outcome.REVIEW, "$discard", "$nobody-knows")
    await house.hear(samples.event("$answer"))
    await house.settle()
    await _decide(house, "$answer", Outcome.CAPTURE)
    question = await _entry(house, "$discard")
    assert question.state is EntryState.STORED
    assert question.verdict is not None
    assert question.verdict.reasons[0].code == "CONTEXT"
    assert [leaf["by"] for leaf in await house.leaves("decision")] == ["policy", "person"]


@pytest.mark.parametrize(
    "point",
    [
        "before take orders",
        "after take orders",
        "before decide",
        "after decide",
        "before store",
        "after place",
    ],
)
async def test_a_crash_leaves_one_decision(house: House, point: str) -> None:
    """Wherever it dies, the next process ends with one act, one leaf and one copy."""
    await _order(house, "$discard", Outcome.CAPTURE)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await _decide_and_settle(house)
    await house.restart()
    await _decide_and_settle(house)
    assert (await house.states())["$discard"] is EntryState.STORED
    assert len(await house.leaves("decision")) == 1
    assert len(await house.leaves("stored")) == 3
    assert len([b for b in house.objects("acts").values() if b'"decision"' in b]) == 1


async def _decide_and_settle(house: House) -> None:
    await _decisions(house).round()
    await house.settle()


async def test_the_loop_goes_on_when_the_journal_fails(house: House) -> None:
    """A round that fails is told in health, and made again."""
    await _order(house, "$discard", Outcome.CAPTURE)
    await house.journal._writer.execute("PRAGMA query_only = ON")
    decisions = _decisions(house)
    house.start(decisions.run)
    await until(lambda: bool(decisions.health))
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: not decisions.health)
    assert (await house.states())["$discard"] is EntryState.SEALED


@pytest.mark.parametrize(
    ("label", "code", "first"),
    [(Label.CONTEXT, "", "CONTEXT"), (Label.CLASS, "ADVICE", "ADVICE")],
)
async def test_what_a_person_says_of_it_stands_first(
    house: House, label: Label, code: str, first: str
) -> None:
    """The code, then that a person said so, then why it was judged; the act has label and code."""
    entry = await _entry(house, "$review")
    await house.office.decide(
        DecisionOrder(
            stream=entry.stream.id,
            n=entry.n,
            outcome=Outcome.CAPTURE,
            label=label,
            code=code,
            by="ada",
            at=house.clock.now(),
            why="it is needed",
        )
    )
    await _decisions(house).round()
    await house.settle()
    verdict = (await _entry(house, "$review")).verdict
    assert verdict is not None
    codes = [(reason.code, reason.rule) for reason in verdict.reasons]
    assert codes == [(first, "person"), ("PERSON", "console"), ("DECISION", "sample")]
    (act,) = [act for act in house.documents("acts") if act["kind"] == "decision"]
    assert act["label"] == label.value
    assert act.get("code", "") == code


async def test_a_mark_is_taken_and_decides_nothing(house: House) -> None:
    """The message stays under review, and no act says otherwise."""
    entry = await _entry(house, "$review")
    await house.office.decide(
        DecisionOrder(
            stream=entry.stream.id,
            n=entry.n,
            outcome=Outcome.REVIEW,
            label=Label.PERSONAL,
            by="ada",
            at=house.clock.now(),
            why="a birthday",
        )
    )
    await _decisions(house).round()
    assert await house.journal.orders_taken() == 1
    assert (await _entry(house, "$review")).verdict == entry.verdict
    assert await house.leaves("decision") == []
