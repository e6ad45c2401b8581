"""What every office promises, on the fake and on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeAlias

import pytest

from bridge.model import Outcome, Particulars
from bridge.protocols import (
    DecisionOrder,
    GroupStep,
    KeyTransfer,
    Label,
    Office,
    Request,
    RequestKind,
    StepKind,
)
from storage.office import SqliteOffice
from tests.fakes.office import FakeOffice, Inbox

Opener: TypeAlias = Callable[[], Awaitable[Office]]

STEP = GroupStep(
    kind=StepKind.APPROVE,
    connector="matrix",
    group_id="!room:example.org",
    name="Flood cell",
    by="ada",
    at=datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC),
    why="ministerial group",
)
DECISION = DecisionOrder(
    stream="0123456789abcdef", n=7, outcome=Outcome.CAPTURE, by="ada", at=STEP.at, why="it says who"
)
REQUEST = Request(kind=RequestKind.RECONCILE, by="ada", at=STEP.at)
KEYS = KeyTransfer(
    connector="matrix\x00é",
    file=Path("/home/ada/'; --\udcff.txt"),
    passphrase_file=Path("/run/secrets/pass phrase"),
)


@pytest.fixture(params=["fake", "sqlite"])
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens handles on one inbox, and closes them all afterwards."""
    inbox = Inbox()
    async with AsyncExitStack() as stack:

        async def one() -> Office:
            office: Office
            if request.param == "fake":
                office = FakeOffice(inbox)
            else:
                office = await SqliteOffice.open(tmp_path / "var" / "office.db")
            stack.push_async_callback(office.aclose)
            return office

        yield one


async def test_a_new_inbox_is_empty(opener: Opener) -> None:
    """Nothing was ordered yet."""
    assert await (await opener()).steps(0) == ()


async def test_an_order_reads_back_with_its_number(opener: Opener) -> None:
    """A step comes back exactly as ordered, with the number that `order` gave."""
    office = await opener()
    number = await office.order(STEP)
    assert number > 0
    assert await office.steps(0) == (replace(STEP, number=number),)


@pytest.mark.parametrize("kind", StepKind)
async def test_every_kind_can_be_ordered(opener: Opener, kind: StepKind) -> None:
    """Each step a person may order is taken."""
    office = await opener()
    await office.order(replace(STEP, kind=kind, name=None))
    (step,) = await office.steps(0)
    assert (step.kind, step.name) == (kind, None)


async def test_what_is_said_of_a_group_reads_back(opener: Opener) -> None:
    """The particulars of a proposal or an approval, each apart, and whether all is kept."""
    whole = Particulars(owner="o", purpose="p \ud800", retention="r", dpia="d", device_type="t")
    office = await opener()
    for capture_all in (None, False, True):
        for said in (whole, Particulars(), Particulars(dpia="d")):
            number = await office.order(replace(STEP, particulars=said, capture_all=capture_all))
            (found,) = await office.steps(number - 1)
            assert (found.particulars, found.capture_all) == (said, capture_all)


async def test_a_number_in_the_step_is_ignored(opener: Opener) -> None:
    """The office gives the numbers, whatever the step says."""
    office = await opener()
    first = await office.order(replace(STEP, number=99))
    second = await office.order(replace(STEP, number=99))
    assert first < second < 99


async def test_steps_after_a_number(opener: Opener) -> None:
    """Only what is above the number comes, in the order it was given."""
    office = await opener()
    numbers = [await office.order(replace(STEP, why=str(i))) for i in range(5)]
    assert numbers == sorted(set(numbers))
    assert [step.why for step in await office.steps(numbers[1])] == ["2", "3", "4"]
    assert await office.steps(numbers[-1]) == ()


@pytest.mark.parametrize("kind", RequestKind)
async def test_every_kind_can_be_asked(opener: Opener, kind: RequestKind) -> None:
    """A request comes back exactly as asked, with the number that `ask` gave."""
    office = await opener()
    assert await office.requests(0) == ()
    keys = KEYS if kind.is_of_keys else None
    asked = replace(REQUEST, kind=kind, by="'\x00\U0001f6a8\ud800", number=99, keys=keys)
    number = await office.ask(asked)
    assert await office.requests(0) == (replace(asked, number=number),)


@pytest.mark.parametrize("kind", RequestKind)
def test_only_requests_for_keys_name_some(kind: RequestKind) -> None:
    """Another mixture is our own mistake, and so is a path that means another file elsewhere."""
    with pytest.raises(ValueError, match="has no such details"):
        replace(REQUEST, kind=kind, keys=None if kind.is_of_keys else KEYS)
    with pytest.raises(ValueError, match="absolute"):
        replace(KEYS, file=Path("keys.txt"))
    with pytest.raises(ValueError, match="absolute"):
        replace(KEYS, passphrase_file=Path("../secret"))


@pytest.mark.parametrize("outcome", [Outcome.CAPTURE, Outcome.DISCARD])
async def test_a_decision_reads_back_with_its_number(opener: Opener, outcome: Outcome) -> None:
    """A decision comes back exactly as made, with the number that `decide` gave."""
    office = await opener()
    assert await office.decisions(0) == ()
    made = replace(DECISION, outcome=outcome, by="'\x00\U0001f6a8\ud800", why="--", number=99)
    number = await office.decide(made)
    assert await office.decisions(0) == (replace(made, number=number),)
    assert await office.steps(0) == ()
    assert await office.requests(0) == ()


async def test_decisions_after_a_number(opener: Opener) -> None:
    """They have numbers of their own that only grow; another handle sees them, in order."""
    people, bridge = await opener(), await opener()
    numbers = [await people.decide(replace(DECISION, n=n)) for n in range(4)]
    assert numbers == sorted(set(numbers))
    await people.aclose()
    assert [each.n for each in await bridge.decisions(numbers[1])] == [2, 3]
    assert await bridge.decisions(numbers[-1]) == ()


def test_nobody_decides_to_review() -> None:
    """A review is a question to people, not an answer of theirs; a mark leaves it to others."""
    with pytest.raises(ValueError, match="to capture or to discard"):
        replace(DECISION, outcome=Outcome.REVIEW)
    with pytest.raises(ValueError, match="to capture or to discard"):
        replace(DECISION, label=Label.PERSONAL)
    with pytest.raises(ValueError, match="only what is kept"):
        replace(DECISION, outcome=Outcome.DISCARD, label=Label.CONTEXT)
    with pytest.raises(ValueError, match="with the label class"):
        replace(DECISION, code="DECISION")
    with pytest.raises(ValueError, match="with the label class"):
        replace(DECISION, label=Label.CLASS)


@pytest.mark.parametrize("label", Label)
async def test_a_label_reads_back(opener: Opener, label: Label) -> None:
    """Each, with the code of a class and the lot of a sample."""
    office = await opener()
    outcome = Outcome.REVIEW if label.is_mark else Outcome.CAPTURE
    code = "ADVICE" if label is Label.CLASS else ""
    made = replace(DECISION, label=label, outcome=outcome, code=code, lot="gid/DOUBT")
    number = await office.decide(made)
    assert await office.decisions(0) == (replace(made, number=number),)
    assert await office.marks(limit=9) == ((replace(made, number=number),) if label.is_mark else ())


async def test_a_decision_after_another_is_refused(opener: Opener) -> None:
    """Whoever decides says what the last decision was; of several at once one is taken."""
    office = await opener()
    handles = [office, await opener()]
    first = await office.decide_after(DECISION, last=0)
    assert first is not None
    assert await office.decide_after(DECISION, last=0) is None
    assert await office.decide_after(DECISION, last=first + 7) is None
    assert await office.decide_after(replace(DECISION, n=8), last=0) is not None
    found = await asyncio.gather(
        *(each.decide_after(DECISION, last=first) for each in handles for _ in range(3))
    )
    assert len([each for each in found if each is not None]) == 1
    assert len(await office.decisions(0)) == 3


async def test_the_last_decision_on_each_event(opener: Opener) -> None:
    """Earlier ones do not count; an event without any is left out."""
    office = await opener()
    await office.decide(DECISION)
    mark = replace(DECISION, outcome=Outcome.REVIEW, label=Label.ESCALATED, n=8)
    marked = await office.decide(mark)
    last = await office.decide(replace(DECISION, why="again"))
    other = await office.decide(replace(DECISION, stream="f" * 16))
    events = [(DECISION.stream, 7), (DECISION.stream, 9), ("f" * 16, 7), (DECISION.stream, 7)]
    assert [each.number for each in await office.last_decisions(events)] == [last, other]
    assert [each.n for each in await office.marks(limit=9)] == [8]
    assert await office.marks(after=marked, limit=9) == ()
    assert await office.newest_decision() == other
    lifted = await office.decide(replace(DECISION, n=8))
    assert await office.marks(limit=9) == ()
    assert await office.newest_decision() == lifted
    assert await office.last_decisions([]) == ()


async def test_a_sample_is_of_one_person_and_lot(opener: Opener) -> None:
    """And not older than asked for."""
    office = await opener()
    lot = replace(DECISION, lot="gid/DOUBT")
    for made in (lot, replace(lot, by="bo"), replace(lot, lot="other"), DECISION):
        await office.decide(made)
    await office.decide(replace(lot, at=STEP.at + timedelta(days=1), n=9))
    found = await office.sample("gid/DOUBT", by="ada", since=STEP.at)
    assert [each.n for each in found] == [7, 9]
    found = await office.sample("gid/DOUBT", by="ada", since=STEP.at + timedelta(hours=1))
    assert [each.n for each in found] == [9]
    assert await office.sample("", by="ada", since=STEP.at) == ()


async def test_requests_after_a_number(opener: Opener) -> None:
    """Requests have numbers of their own that only grow; another handle sees them, in order."""
    people, bridge = await opener(), await opener()
    await people.order(STEP)
    numbers = [await people.ask(replace(REQUEST, by=str(i))) for i in range(4)]
    assert numbers == sorted(set(numbers))
    await people.aclose()
    assert [each.by for each in await bridge.requests(numbers[1])] == ["2", "3"]
    assert await bridge.requests(numbers[-1]) == ()
    assert len(await bridge.steps(0)) == 1


async def test_another_handle_sees_what_was_ordered(opener: Opener) -> None:
    """An order is there for every other handle once it is given, and after its own is closed."""
    people, bridge = await opener(), await opener()
    number = await people.order(STEP)
    await people.aclose()
    assert await bridge.steps(0) == (replace(STEP, number=number),)


async def test_two_handles_order_at_once(opener: Opener) -> None:
    """Orders given at the same time all get numbers of their own."""
    handles = await asyncio.gather(*(opener() for _ in range(4)))
    numbers = await asyncio.gather(
        *(office.order(replace(STEP, why=f"{i}")) for i in range(5) for office in handles)
    )
    assert len(set(numbers)) == 20
    assert [step.number for step in await handles[0].steps(0)] == sorted(numbers)


async def test_hostile_text_survives(opener: Opener) -> None:
    """Names with quotes, NUL, emoji and lone surrogates come back as they were."""
    office = await opener()
    name = "'; DROP TABLE group_step; --\x00\U0001f6a8\ud800"
    await office.order(replace(STEP, name=name, why=name, group_id=name))
    (step,) = await office.steps(0)
    assert (step.name, step.why, step.group_id) == (name, name, name)


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))])
async def test_a_time_that_is_not_utc_is_refused(opener: Opener, zone: timezone | None) -> None:
    """A naive or local time is our own mistake, and nothing is ordered."""
    office = await opener()
    with pytest.raises(ValueError, match="must be an aware UTC time"):
        await office.order(replace(STEP, at=STEP.at.replace(tzinfo=zone)))
    assert await office.steps(0) == ()
    with pytest.raises(ValueError, match="must be an aware UTC time"):
        await office.ask(replace(REQUEST, at=STEP.at.replace(tzinfo=zone)))
    assert await office.requests(0) == ()


async def test_closing_twice_is_safe(opener: Opener) -> None:
    """A handle can be closed again, and takes no orders afterwards."""
    office = await opener()
    await office.aclose()
    await office.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await office.order(STEP)
    with pytest.raises(RuntimeError, match="closed"):
        await office.steps(0)
    with pytest.raises(RuntimeError, match="closed"):
        await office.ask(REQUEST)
    with pytest.raises(RuntimeError, match="closed"):
        await office.requests(0)


async def test_a_cancelled_order_happened_or_did_not(opener: Opener) -> None:
    """An order whose caller is cancelled is there wholly or not at all, and the next one works."""
    office = await opener()
    task = asyncio.create_task(office.order(STEP))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    number = await office.order(replace(STEP, why="next"))
    steps = await office.steps(0)
    assert steps[-1] == replace(STEP, why="next", number=number)
    assert all(replace(step, number=0) == STEP for step in steps[:-1])
