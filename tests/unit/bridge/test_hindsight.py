"""A discard is final once it was judged with what followed it, and that may raise it."""

from __future__ import annotations

import asyncio

import pytest

from bridge.hindsight import CODE, PAUSE_SECONDS
from bridge.lifecycle import EntryState
from bridge.model import Outcome, Relation, RelationType
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
