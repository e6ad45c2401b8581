"""A discard is final once it was judged with what followed it, and that may raise it."""

from __future__ import annotations

import asyncio

import pytest

from bridge.hindsight import CODE, PAUSE_SECONDS, TRIES, TURN_SECONDS, Hindsight
from bridge.lifecycle import EntryState
from bridge.model import (
    CONTEXT_MESSAGES,
    Context,
    EventKind,
    Outcome,
    Relation,
    RelationType,
    Utterance,
    Verdict,
)
from bridge.protocols import Entry
from bridge.surroundings import Surroundings
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House


@pytest.fixture
async def house(house: House) -> House:
    """A question was discarded; an answer, which is kept, followed it."""
    await house.admit()
    house.says("$question", Outcome.DISCARD)
    await house.hear(samples.event("$question"))
    await house.settle()
    house.later(seconds=20)
    await house.hear(samples.event("$answer", sent_at=house.clock.now()))
    await house.settle()
    return house


def _says_later(house: House, outcome: Outcome, *context: str) -> None:
    verdict = house.classifier.verdict(outcome, context=context)
    house.classifier.in_hindsight["$question"] = verdict


def _hindsight(house: House) -> Hindsight:
    return Hindsight(
        journal=house.journal,
        clock=house.clock,
        surroundings=Surroundings(house.journal),
        window=house.context_window,
    )


async def _look(house: House) -> bool:
    """When the window has closed."""
    house.later(minutes=30)
    looked = await house.triage.look_back()
    await house.settle()
    return looked


@pytest.mark.parametrize(
    ("outcome", "area"), [(Outcome.CAPTURE, "records"), (Outcome.REVIEW, "review")]
)
async def test_what_followed_raises_a_discard(house: House, outcome: Outcome, area: str) -> None:
    """It is stored by policy, with a leaf that says so and a reason before the others."""
    _says_later(house, outcome)
    assert await _look(house)
    assert (await house.states())["$question"] is EntryState.STORED
    (kept,) = [e for e in await house.entries() if e.event.upstream_id == "$question"]
    assert kept.verdict is not None
    assert (kept.verdict.outcome, kept.verdict.reasons[0].code) == (outcome, CODE)
    (leaf,) = await house.leaves("decision")
    assert (leaf["by"], leaf["c"]) == ("policy", outcome.value)
    assert any('"$question"' in held.decode() for held in house.objects(area).values())
    assert await house.leaves("late") == []


async def test_nothing_is_judged_again_before_its_window_has_closed(house: House) -> None:
    """Until then more may follow."""
    _says_later(house, Outcome.CAPTURE)
    house.later(minutes=29)
    assert not await house.triage.look_back()
    house.later(minutes=1)
    assert await house.triage.look_back()


async def test_a_discard_is_judged_once_more_and_then_is_final(house: House) -> None:
    """With what came before and after it, and never a third time."""
    assert await _look(house)
    utterance, context = house.classifier.asked[-1]
    assert (utterance.upstream_id, utterance.outcome) == ("$question", None)
    assert [each.upstream_id for each in context.after] == ["$answer"]
    assert (await house.states())["$question"] is EntryState.DISCARDED
    asked = len(house.classifier.asked)
    house.later(seconds=PAUSE_SECONDS)
    assert not await house.triage.look_back()
    assert len(house.classifier.asked) == asked
    assert await house.leaves("decision") == []


async def test_what_it_leans_on_then_is_kept_with_it(house: House) -> None:
    """As with any capture."""
    house.says("$trifle", Outcome.DISCARD)
    relation = Relation(type=RelationType.REPLY, upstream_id="$trifle")
    await house.hear(samples.event("$trifle"))
    house.says("$reply", Outcome.DISCARD)
    await house.hear(samples.event("$reply", relates_to=relation))
    await house.settle()
    await house.hear(samples.event("$last", sent_at=house.clock.now()))
    await house.settle()
    verdict = house.classifier.verdict(Outcome.CAPTURE, context=("$trifle",))
    house.classifier.in_hindsight["$reply"] = verdict
    await _look(house)
    states = await house.states()
    assert (states["$reply"], states["$trifle"]) == (EntryState.STORED, EntryState.STORED)


async def test_a_classifier_that_fails_leaves_it_to_a_person(house: House) -> None:
    """Nothing is thrown away because it could not be judged."""
    house.classifier.in_hindsight["$question"] = ValueError("broken")
    await _look(house)
    (kept,) = [e for e in await house.entries() if e.event.upstream_id == "$question"]
    assert kept.verdict is not None
    assert kept.verdict.outcome is Outcome.REVIEW


async def test_a_hurried_recorder_does_not_look_back(house: House) -> None:
    """What is new comes first."""
    _says_later(house, Outcome.CAPTURE)
    house.triage.hurried = True
    assert not await _look(house)
    house.triage.hurried = False
    assert await _look(house)


@pytest.mark.parametrize(
    "point", ["before promote", "after promote", "before finalise", "after finalise"]
)
async def test_a_crash_raises_it_once(house: House, point: str) -> None:
    """Wherever it dies, the next process ends with one decision."""
    _says_later(house, Outcome.CAPTURE)
    house.later(minutes=30)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.triage.look_back()
    await house.restart()
    await _look(house)
    assert (await house.states())["$question"] is EntryState.STORED
    assert len(await house.leaves("decision")) == 1


async def test_what_may_hold_restricted_words_stays_a_discard(house: House) -> None:
    """A reply that was discarded before its target was known to be restricted is not stored."""
    house.says("$reply", Outcome.DISCARD)
    relation = Relation(type=RelationType.REPLY, upstream_id="$secret")
    await house.hear(samples.event("$reply", body="> words\nok", relates_to=relation))
    await house.settle()
    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.verdicts["$secret"] = secret
    await house.hear(samples.event("$secret", body="SECRET words"))
    await house.settle()
    house.classifier.in_hindsight["$reply"] = house.classifier.verdict(Outcome.CAPTURE)
    await _look(house)
    house.says("$later", Outcome.CAPTURE, "$reply")
    await house.hear(samples.event("$later", sent_at=house.clock.now()))
    await house.settle()
    states = await house.states()
    assert states["$secret"] is EntryState.RESTRICTED
    assert states["$reply"] is EntryState.DISCARDED
    assert states["$later"] is EntryState.STORED
    assert not any(b"words" in held for held in house.objects("records").values())


async def test_a_marking_that_is_seen_late_is_told_and_stores_nothing(house: House) -> None:
    """As after a change of the policy: whoever is in charge of spills hears of it."""
    told: list[str] = []

    async def on_restricted(entry: Entry) -> None:
        told.append(entry.event.upstream_id)

    house.triage.on_restricted = on_restricted
    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.in_hindsight["$question"] = secret
    await _look(house)
    assert told == ["$question"]
    assert (await house.states())["$question"] is EntryState.DISCARDED


async def test_what_there_is_no_time_for_is_tried_again_and_then_left(house: House) -> None:
    """A slow classifier makes no review of what nobody waits for, and holds up nothing behind."""
    house.says("$other", Outcome.DISCARD)
    await house.hear(samples.event("$other", sent_at=house.clock.now()))
    await house.settle()
    house.later(minutes=31)
    asked: list[str] = []

    async def judge(entry: Entry, _: Utterance, __: Context) -> Verdict | None:
        asked.append(entry.event.upstream_id)
        return None if entry.event.upstream_id == "$question" else house.classifier.verdict()

    hindsight, looked = _hindsight(house), []
    for _ in range(TRIES + 1):
        looked.append(await hindsight.look(judge))
        house.later(seconds=PAUSE_SECONDS)
    assert asked == [*["$question"] * TRIES, "$other"]
    assert looked == [False, False, True, False]
    await house.settle()
    states = await house.states()
    assert (states["$question"], states["$other"]) == (EntryState.DISCARDED, EntryState.STORED)


async def test_a_look_ends_with_its_turn(house: House) -> None:
    """What came meanwhile goes first; then it goes on at once, without a pause."""
    house.classifier.default = house.classifier.verdict(Outcome.DISCARD)
    await house.hear(*(samples.event(f"${n}") for n in range(4)))
    await house.settle()
    house.later(minutes=31)
    asked: list[str] = []

    async def judge(entry: Entry, _: Utterance, __: Context) -> Verdict | None:
        asked.append(entry.event.upstream_id)
        house.later(seconds=TURN_SECONDS)
        return house.classifier.default

    hindsight = _hindsight(house)
    for count in range(1, 6):
        assert await hindsight.look(judge)
        assert len(asked) == count
    assert not await hindsight.look(judge)


async def test_reactions_leave_room_for_the_answer(house: House) -> None:
    """However many there are before it."""
    reactions = [
        samples.event(
            f"$r{n}",
            kind=EventKind.REACTION,
            relates_to=Relation(type=RelationType.REACTION, upstream_id="$question"),
        )
        for n in range(CONTEXT_MESSAGES + 1)
    ]
    house.says("$late", Outcome.DISCARD)
    await house.hear(samples.event("$late"), *reactions, samples.event("$reply"))
    await house.settle()
    await _look(house)
    contexts = {u.upstream_id: c for u, c in house.classifier.asked}
    assert "$reply" in [each.upstream_id for each in contexts["$late"].after]
