"""What groups ask: it is done, answered once and in measure, and never quotes anybody."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bridge.answers import ANSWERS
from bridge.commands import (
    MOST_TO_A_GROUP,
    MOST_TO_A_SENDER,
    PERIOD_SECONDS,
    WORTH_ANSWERING,
    Commands,
)
from bridge.decisions import Decisions
from bridge.keys import answer_key
from bridge.lifecycle import EntryState
from bridge.model import (
    Event,
    EventKind,
    GroupState,
    Outcome,
    Reason,
    Relation,
    RelationType,
    Sender,
)
from bridge.triage import Triage
from tests.fakes import samples
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, until

WORDS = ANSWERS["en"]
KEY = answer_key("matrix", samples.GROUP_ID, "$ask")
SECRET_WORDS = "the pumps are broken at Ash Lane"


def _describe(code: str) -> str:
    return {"DECISION": "A decision was made", "PERSON": "A person decided so"}.get(code, "")


def _commands(house: House, language: str = "en") -> Commands:
    return Commands(journal=house.journal, clock=house.clock, describe=_describe, language=language)


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, with a capture, a review and a discard."""
    await house.admit()
    house.says("$review", Outcome.REVIEW)
    house.says("$discard", Outcome.DISCARD)
    names = ("$capture", "$review", "$discard")
    await house.hear(*(samples.event(name, body=SECRET_WORDS) for name in names))
    await house.settle()
    return house


def _ask(
    word: str, *, about: str | None = None, name: str = "$ask", sender: Sender = samples.ADA
) -> Event:
    relation = Relation(type=RelationType.REPLY, upstream_id=about) if about else None
    return samples.event(name, body=f"!record {word}", relates_to=relation, sender=sender)


def _pin(about: str) -> Event:
    relation = Relation(type=RelationType.REACTION, upstream_id=about)
    return samples.event("$pin", kind=EventKind.REACTION, body="📌", relates_to=relation)


async def _heard(house: House, *events: Event) -> list[str]:
    """What the group is told after these events."""
    await house.hear(*events)
    await house.settle()
    await _commands(house).round()
    return [saying.text for saying in await house.journal.sayings(limit=99)]


async def _carried_out(house: House) -> None:
    decisions = Decisions(
        journal=house.journal, office=house.office, clock=house.clock, random_bytes=house.random
    )
    await decisions.round()
    await house.settle()


@pytest.mark.parametrize("name", ["$review", "$discard"])
async def test_keep_makes_a_record(house: House, name: str) -> None:
    """The message replied to is captured by a person, with an act and its leaf."""
    assert await _heard(house, _ask("keep", about=name)) == [WORDS.keep]
    await _carried_out(house)
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == name]
    assert entry.state is EntryState.STORED
    assert entry.verdict is not None
    assert entry.verdict.outcome is Outcome.CAPTURE
    assert (entry.verdict.reasons[0].code, entry.verdict.reasons[0].rule) == ("PERSON", "command")
    (leaf,) = await house.leaves("decision")
    assert (leaf["by"], leaf["c"]) == ("person", "capture")
    (act,) = [doc for doc in house.documents("acts") if doc["kind"] == "decision"]
    assert (act["by"], act["via"]) == (samples.ADA.id, "command")


async def test_a_pin_keeps_without_a_word(house: House) -> None:
    """A reaction with a pin does the same, and nobody is answered."""
    assert await _heard(house, _pin("$discard")) == []
    await _carried_out(house)
    assert (await house.states())["$discard"] is EntryState.STORED
    (act,) = [doc for doc in house.documents("acts") if doc["kind"] == "decision"]
    assert act["via"] == "reaction"


async def test_its_edits_are_kept_with_it(house: House) -> None:
    """Whoever keeps a message means what it says now, too."""
    relation = Relation(type=RelationType.EDIT, upstream_id="$discard")
    house.says("$edit", Outcome.DISCARD)
    edit = samples.event("$edit", kind=EventKind.EDIT, relates_to=relation)
    await _heard(house, edit, _ask("keep", about="$discard"))
    await _carried_out(house)
    states = await house.states()
    assert states["$discard"] is states["$edit"] is EntryState.STORED


async def test_what_is_context_of_the_command_is_decided_too(house: House) -> None:
    """A captured command leans on its target; that it is kept stands on the record as asked."""
    house.says("$ask", Outcome.CAPTURE, "$discard")
    assert await _heard(house, _ask("keep", about="$discard")) == [WORDS.keep]
    await _carried_out(house)
    assert [leaf["by"] for leaf in await house.leaves("decision")] == ["policy", "person"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (_ask("keep"), WORDS.reply_to_one.format(word="keep")),
        (_ask("why"), WORDS.reply_to_one.format(word="why")),
        (_ask("keep", about="$unknown"), WORDS.not_held),
        (_ask("why", about="$unknown"), WORDS.not_held),
        (_ask("keep", about="$capture"), WORDS.kept_already),
        (_ask("help"), WORDS.help),
        (_ask("discard", about="$capture"), WORDS.help),
    ],
)
async def test_what_decides_nothing(house: House, event: Event, said: str) -> None:
    """There is an answer, and no decision; no command discards."""
    assert await _heard(house, event) == [said]
    await _carried_out(house)
    assert await house.leaves("decision") == []


async def test_what_is_restricted_is_held_apart(house: House) -> None:
    """A group cannot release it, nor learn why it is held."""
    verdict = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.verdicts["$secret"] = verdict
    asks = (_ask("keep", about="$secret"), _ask("why", about="$secret", name="$ask2"))
    told = await _heard(house, samples.event("$secret"), *asks)
    assert told == [WORDS.held_apart] * 2
    await _carried_out(house)
    assert (await house.states())["$secret"] is EntryState.RESTRICTED


async def test_why_gives_codes_and_never_quotes(house: House) -> None:
    """Outcome, codes, what the policy says of them, and its version; not a word of a message."""
    reason = Reason(code="DECISION", rule="approval", start=0, end=9, text=SECRET_WORDS[:9])
    house.classifier.verdicts["$quoted"] = samples.verdict(
        Outcome.CAPTURE, reasons=[reason, reason], policy="ours@3"
    )
    asked = _ask("why", about="$quoted")
    (text,) = await _heard(house, samples.event("$quoted", body=SECRET_WORDS), asked)
    assert text == (
        "That message is kept as a record. Why:\n- DECISION: A decision was made\n"
        "Decided under the policy ours@3."
    )


async def test_why_of_a_discard_and_of_a_person(house: House) -> None:
    """A code without a description stands alone; a person's decision is told as one."""
    reason = Reason(code="LOGISTICS", rule="meeting-time")
    house.classifier.verdicts["$trivial"] = samples.verdict(Outcome.DISCARD, reasons=[reason])
    told = await _heard(house, samples.event("$trivial"), _ask("why", about="$trivial"))
    assert told[-1].startswith(WORDS.outcomes[Outcome.DISCARD])
    assert "- LOGISTICS\n" in told[-1]
    await _heard(house, _ask("keep", about="$trivial", name="$2"))
    await _carried_out(house)
    told = await _heard(house, _ask("why", about="$trivial", name="$3"))
    assert "- PERSON: A person decided so\n- LOGISTICS" in told[-1]


async def test_status_counts(house: House) -> None:
    """State, notice, and the numbers that the operator sees."""
    (text,) = await _heard(house, _ask("status"))
    assert text.startswith("Recording: active. Notice: posted. Seen here: 4 messages and events,")
    assert "of which 2 are kept, 1 are kept until they are reviewed, 1 are not kept" in text


async def test_a_group_is_answered_in_the_language_of_its_notice(house: House) -> None:
    """States and counts are told in it as well; the commands are the same words."""
    await house.hear(_ask("status"), _ask("help", name="$2"))
    await house.settle()
    await _commands(house, "cy").round()
    status, text = [saying.text for saying in await house.journal.sayings(limit=99)]
    assert status.startswith("Cofnodi: yn digwydd. Hysbysiad: wedi'i bostio.")
    assert "yn cael eu cadw: 3;" in status
    assert text == ANSWERS["cy"].help


async def test_a_command_is_a_message_like_any_other(house: House) -> None:
    """It is journalled, judged and sealed."""
    await _heard(house, _ask("help"))
    (entry,) = [e for e in await house.entries() if e.event.upstream_id == "$ask"]
    assert entry.state is EntryState.STORED


async def test_a_group_is_answered_in_measure(house: House) -> None:
    """So many answers to a sender, so many to a group; the time over, it is answered again."""
    commands = _commands(house)

    async def ask(i: int, who: int) -> int:
        sender = Sender(id=f"@{who}:example.org")
        await house.hear(_ask("help", name=f"$ask{i}", sender=sender))
        await house.settle()
        await commands.round()
        return len(await house.journal.sayings(limit=99))

    for i in range(MOST_TO_A_SENDER + 2):
        told = await ask(i, 0)
    assert told == MOST_TO_A_SENDER
    for i in range(100, 100 + MOST_TO_A_GROUP):
        told = await ask(i, i)
    assert told == MOST_TO_A_GROUP
    house.later(seconds=PERIOD_SECONDS)
    assert await ask(999, 0) == MOST_TO_A_GROUP + 1


async def test_nonsense_is_helped_once(house: House) -> None:
    """A group that types unknown words is not filled with help."""
    asks = [_ask("delete", name=f"$ask{i}") for i in range(3)]
    assert await _heard(house, *asks) == [WORDS.help]


async def test_what_is_limited_is_done_all_the_same(house: House) -> None:
    """Only the answer is left out; the message is kept."""
    asks = [_ask("help", name=f"$ask{i}") for i in range(MOST_TO_A_SENDER)]
    told = await _heard(house, *asks, _ask("keep", about="$discard", name="$keep"))
    assert WORDS.keep not in told
    await _carried_out(house)
    assert (await house.states())["$discard"] is EntryState.STORED


async def test_where_nobody_is_told_nothing_is_said(house: House) -> None:
    """A group that cannot be read, or that we have left, gets no answer."""
    await house.hear(_ask("keep", about="$discard"))
    await house.settle()
    await house.move(GroupState.NOT_RECORDING)
    await _commands(house).round()
    assert await house.journal.sayings(limit=9) == ()
    assert len(await house.journal.decisions(limit=9)) == 1


async def test_an_old_question_is_not_answered(house: House) -> None:
    """After an outage of ours a group is not told what nobody waits for any more."""
    await _heard(house, _ask("help"))
    house.later(seconds=WORTH_ANSWERING.total_seconds() + 1)
    await house.speech.round()
    assert house.connector.announcements == []


@pytest.mark.parametrize(
    "point", ["before note", "after note", "after judge", "before answer", "after answer"]
)
async def test_a_crash_answers_once(house: House, point: str) -> None:
    """Wherever it dies, the group is told once, and one decision is made."""
    await house.hear(_ask("keep", about="$discard"))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await _answer(house)
    await house.restart()
    await _answer(house)
    assert {(text, key) for _, text, key in house.connector.announcements} == {(WORDS.keep, KEY)}
    await _carried_out(house)
    assert len(await house.leaves("decision")) == 1


async def _answer(house: House) -> None:
    await house.settle()
    await _commands(house).round()
    await house.speech.round()


async def test_the_answer_has_a_key_of_its_command(house: House) -> None:
    """The platform sees the same key at every try, and another for another command."""
    await _heard(house, _ask("help"), _ask("status", name="$2"))
    await house.speech.round()
    await house.speech.round()
    keys = {key for _, _, key in house.connector.announcements}
    assert len(keys) == len(house.connector.announcements) == 2
    assert KEY in keys
    assert all(key.startswith("muniment-answer-") for key in keys)


async def test_lots_are_drawn_from_discards(house: House) -> None:
    """With all drawn, a discard goes to review, and what follows is read as if it had not."""
    triage = Triage(
        journal=house.journal,
        classifier=house.classifier,
        sealer=house.sealer,
        clock=house.clock,
        capture_all=False,
        window=timedelta(minutes=30),
        audit_percent=100.0,
    )
    house.says("$drawn", Outcome.DISCARD)
    await house.hear(samples.event("$drawn"), samples.event("$next"))
    await triage.step()
    (drawn,) = [e for e in await house.entries() if e.event.upstream_id == "$drawn"]
    assert drawn.verdict is not None
    assert (drawn.verdict.outcome, drawn.verdict.reasons[0].code) == (Outcome.REVIEW, "AUDIT")
    _, context = house.classifier.asked[-1]
    assert [each.outcome for each in context.before[-1:]] == [Outcome.DISCARD]
    assert context.group == ("matrix", samples.GROUP_ID)
    triage._thread.shutdown()


async def test_the_loop_goes_on_when_the_journal_fails(house: House) -> None:
    """A round that fails is told in health, and made again."""
    await house.hear(_ask("help"))
    await house.settle()
    await house.journal._writer.execute("PRAGMA query_only = ON")
    commands = _commands(house)
    house.start(commands.run)
    await until(lambda: bool(commands.health))
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: not commands.health)
    assert len(await house.journal.sayings(limit=9)) == 1
