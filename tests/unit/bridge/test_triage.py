"""Deciding, and sealing what was decided, with the context that decisions need."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import CONTEXT_MESSAGES, EventKind, Outcome, Reason, Relation, RelationType
from bridge.protocols import Entry, Sealing
from bridge.seal import Sealer
from bridge.triage import AT_ONCE, HURRIED_SECONDS, TURN_SECONDS
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, stopped, until

PLAN = samples.attachment("plan.pdf", size=8)


def _reply(to: str) -> Relation:
    return Relation(type=RelationType.REPLY, upstream_id=to)


@pytest.fixture
async def house(house: House) -> AsyncIterator[House]:
    """One group is being recorded; a classifier that a test holds is let go at the end."""
    await house.admit()
    yield house
    if house.classifier.gate is not None:
        house.classifier.gate.set()


@pytest.mark.parametrize(
    ("outcome", "restricted", "state", "area"),
    [
        (Outcome.CAPTURE, False, EntryState.SEALED, "records/"),
        (Outcome.REVIEW, False, EntryState.SEALED, "review/"),
        (Outcome.DISCARD, False, EntryState.DISCARDED, "records/"),
        (Outcome.REVIEW, True, EntryState.RESTRICTED, "review/"),
    ],
)
async def test_every_outcome_is_sealed(
    house: House, outcome: Outcome, *, restricted: bool, state: EntryState, area: str
) -> None:
    """Whatever is decided, bytes, digest and seen leaf are fixed in the journal."""
    verdict = house.classifier.verdict(outcome, restricted=restricted)
    house.classifier.verdicts["$1"] = verdict
    await house.hear(samples.event("$1"))
    assert await house.triage.step()
    (entry,) = await house.entries()
    assert (entry.state, entry.verdict) == (state, verdict)
    assert entry.record is not None
    assert entry.record.key.startswith(area)
    (leaf,) = await house.leaves("seen")
    assert (leaf["d"], leaf["c"]) == (entry.record.digest.hex, outcome.value)
    assert leaf.get("x") == ("restricted" if restricted else None)
    assert not await house.triage.step()


async def test_a_classifier_that_raises_means_review(house: House) -> None:
    """A failure is a doubt, kept for a person, and costs the next message nothing."""
    house.classifier.verdicts["$1"] = ValueError("the text of the message")
    await house.hear(samples.event("$1"), samples.event("$2"))
    await house.triage.step()
    first, second = await house.entries()
    assert first.verdict is not None
    assert second.verdict is not None
    assert first.verdict.outcome is Outcome.REVIEW
    assert first.verdict.reasons == (Reason(code="DOUBT", rule="classifier-failed"),)
    assert (first.verdict.policy, first.verdict.model) == ("scripted@1", "script-1")
    assert second.verdict.outcome is Outcome.CAPTURE


async def test_a_classifier_that_is_slow_or_busy_means_review(house: House) -> None:
    """Past the budget a message is in doubt; those after it do not wait for the thread."""
    house.triage._budget = 0.0  # the budget is over at the next turn of the event loop
    house.classifier.gate = threading.Event()
    await house.hear(samples.event("$1"), samples.event("$2"))
    await house.triage.step()
    rules = [e.verdict.reasons[0].rule for e in await house.entries() if e.verdict]
    assert rules == ["classifier-slow", "classifier-busy"]
    assert {e.state for e in await house.entries()} == {EntryState.SEALED}
    house.classifier.gate.set()
    busy = house.triage._busy
    assert busy is not None
    await busy
    house.triage._budget = 30.0
    await house.hear(samples.event("$3"))
    await house.triage.step()
    assert (await house.entries())[-1].verdict == house.classifier.default


async def test_a_message_that_must_be_safe_soon_does_not_wait_for_the_classifier(
    house: House,
) -> None:
    """A quarter of the time left is the classifier's, and never more than its budget."""
    await house.hear(samples.event("$1", timer=4.0), samples.event("$2"))
    short, long = await house.entries()
    assert house.triage._seconds_for(short) == pytest.approx(0.5)
    assert house.triage._seconds_for(long) == pytest.approx(15.0)
    house.triage.hurried = True
    assert house.triage._seconds_for(long) == HURRIED_SECONDS


async def test_what_a_slow_classifier_does_not_reach_is_claimed_again(house: House) -> None:
    """A turn ends after a while: what is judged is sealed before the rest is looked at."""
    house.classifier.on_ask = lambda: house.clock.advance(TURN_SECONDS)
    await house.hear(samples.event("$1"), samples.event("$2"))
    await house.triage.step()
    assert sorted((await house.states()).values()) == [EntryState.RECEIVED, EntryState.SEALED]
    await house.triage.step()
    assert set((await house.states()).values()) == {EntryState.SEALED}


async def test_the_lag_is_how_long_the_oldest_message_waited(house: House) -> None:
    """It is measured when messages are taken up, and is none when there are none."""
    await house.hear(samples.event("$1"))
    house.clock.advance(7.0)
    await house.triage.step()
    assert house.triage.lag == pytest.approx(7.0)
    await house.triage.step()
    assert house.triage.lag == 0.0


async def test_a_loop_that_failed_classifies_again_when_it_is_restarted(house: House) -> None:
    """Supervision starts the same triage again, and it decides as before."""
    for name in ("$1", "$2"):
        await house.hear(samples.event(name))
        running = house.start(house.triage.run)
        await until(lambda: bool(house.classifier.asked))
        house.classifier.asked.clear()
        await stopped(running)
    await house.triage.step()
    verdicts = [entry.verdict for entry in await house.entries()]
    assert verdicts == [house.classifier.default] * 2


async def test_a_journal_that_cannot_write_leaves_entries_to_be_taken_again(house: House) -> None:
    """Leases go back when a commit is refused, and the next round does the work."""
    await house.hear(samples.event("$1"))
    await house.journal._writer.execute("PRAGMA query_only = ON")
    await house.triage.step()
    assert house.clock.slept == [2.0]
    assert set((await house.states()).values()) == {EntryState.RECEIVED}
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await house.triage.step()
    assert set((await house.states()).values()) == {EntryState.SEALED}
    assert len(await house.leaves("seen")) == 1


async def test_context_is_the_same_after_a_restart(house: House) -> None:
    """What came before is read back from the journal with its outcomes, oldest first."""
    house.says("$1", Outcome.DISCARD)
    await house.hear(*(samples.event(f"${i}") for i in range(3)))
    await house.triage.step()
    _, warm = house.classifier.asked[-1]
    await house.restart()
    await house.hear(samples.event("$3"))
    await house.triage.step()
    utterance, cold = house.classifier.asked[-1]
    assert utterance.upstream_id == "$3"
    assert [u.upstream_id for u in cold.before] == ["$0", "$1", "$2"]
    assert cold.before[:2] == warm.before
    assert [u.outcome for u in cold.before] == [Outcome.CAPTURE, Outcome.DISCARD, Outcome.CAPTURE]


@pytest.mark.parametrize("restarted", [True, False])
async def test_reactions_take_no_room_in_the_context(house: House, *, restarted: bool) -> None:
    """A question is still at hand after more reactions than the context holds."""
    to = Relation(type=RelationType.REACTION, upstream_id="$0")
    many = [
        samples.event(f"$r{i}", kind=EventKind.REACTION, relates_to=to)
        for i in range(CONTEXT_MESSAGES + 1)
    ]
    await house.hear(samples.event("$0"), *many)
    await house.triage.step()
    if restarted:
        await house.restart()
    await house.hear(samples.event("$answer"))
    await house.triage.step()
    utterance, context = house.classifier.asked[-1]
    assert utterance.upstream_id == "$answer"
    assert [u.upstream_id for u in context.before] == ["$0"]


async def test_context_is_of_the_same_group_and_bounded(house: House) -> None:
    """Other groups never stand in the context, and no more than the window."""
    await house.admit(samples.group("!other:example.org"))
    mine = [samples.event(f"${i}") for i in range(CONTEXT_MESSAGES + 3)]
    other = [samples.event(f"$o{i}", group_id="!other:example.org") for i in range(3)]
    await house.hear(*other, *mine)
    await house.triage.step()
    contexts = {u.upstream_id: c for u, c in house.classifier.asked}
    last = contexts[mine[-1].upstream_id]
    assert [u.upstream_id for u in last.before] == [e.upstream_id for e in mine[2:-1]]
    assert [u.upstream_id for u in contexts["$o2"].before] == ["$o0", "$o1"]


async def test_later_messages_are_no_context(house: House) -> None:
    """A message that says it was sent later does not come before this one."""
    ahead = samples.event("$ahead", sent_at=samples.NOW + timedelta(hours=1))
    await house.hear(ahead, samples.event("$1"))
    await house.triage.step()
    assert house.classifier.asked[1][1].before == ()


async def test_what_is_answered_is_found_however_far_back(house: House) -> None:
    """A reply's target is looked up in the journal when it is out of the window."""
    far = [samples.event(f"${i}") for i in range(CONTEXT_MESSAGES + 2)]
    await house.hear(*far)
    await house.triage.step()
    await house.hear(
        samples.event("$late", relates_to=_reply("$0")),
        samples.event("$lost", relates_to=_reply("$never")),
    )
    await house.triage.step()
    contexts = {u.upstream_id: c for u, c in house.classifier.asked}
    target = contexts["$late"].target
    assert target is not None
    assert (target.upstream_id, target.outcome) == ("$0", Outcome.CAPTURE)
    assert contexts["$lost"].target is None


async def test_capture_all_reaches_the_classifier(house: House) -> None:
    """A group set to keep everything says so with each message."""
    await house.admit(samples.group("!all:example.org", capture_all=True))
    await house.hear(samples.event("$1"), samples.event("$2", group_id="!all:example.org"))
    await house.triage.step()
    assert {u.upstream_id: c.capture_all for u, c in house.classifier.asked} == {
        "$1": False,
        "$2": True,
    }


async def _promoted(house: House) -> None:
    """The question is on its way to the store because its answer was captured."""
    question, answer = await house.entries()
    assert question.state is EntryState.SEALED
    assert question.verdict is not None
    assert question.verdict.outcome is Outcome.CAPTURE
    assert question.verdict.reasons[0] == Reason(code="CONTEXT", rule="antecedent")
    assert question.verdict.context == ("$answer",)
    assert answer.state is EntryState.SEALED
    (decision,) = await house.leaves("decision")
    assert (decision["ref"], decision["c"], decision["by"]) == (
        question.seen_leaf,
        "capture",
        "policy",
    )
    assert [leaf["c"] for leaf in await house.leaves("seen") if leaf["n"] == 0] == ["discard"]


async def test_what_a_captured_message_leaned_on_is_kept(house: House) -> None:
    """A discarded question is promoted with a decision leaf, a minute's time, and no expiry."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.CAPTURE, "$question")
    await house.hear(samples.event("$question", timer=20))
    await house.triage.step()
    (before,) = await house.entries()
    assert before.state is EntryState.DISCARDED
    now = house.later(minutes=10)
    await house.hear(samples.event("$answer", observed_at=now, sent_at=now))
    await house.triage.step()
    await _promoted(house)
    question = (await house.entries())[0]
    assert question.safe_by == now + timedelta(seconds=60)
    assert question.expires_at is None
    assert question.record == before.record


async def test_both_in_one_delivery(house: House) -> None:
    """A question and its answer that come together are kept together."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.CAPTURE, "$question")
    await house.hear(samples.event("$question"), samples.event("$answer"))
    await house.triage.step()
    await _promoted(house)


async def test_an_antecedent_that_waits_for_its_media_is_kept_too(house: House) -> None:
    """A trivial picture that an answer leans on is sealed at once, and its file comes after."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.CAPTURE, "$question")
    await house.hear(samples.event("$question", attachments=[PLAN]), samples.event("$answer"))
    await house.triage.step()
    await _promoted(house)
    house.says("$question", Outcome.CAPTURE)  # its file, that is
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF-1.7",))
    await house.settle()
    utterance, context = house.classifier.asked[-1]
    assert utterance.kind is EventKind.MEDIA
    assert context.target is not None
    assert context.target.outcome is Outcome.CAPTURE
    assert await house.states() == {
        "$question": EntryState.STORED,
        "$answer": EntryState.STORED,
        "$question/media-0": EntryState.STORED,
    }


async def test_an_antecedent_in_a_backlog_is_kept_too(house: House) -> None:
    """An answer that is more urgent than a whole backlog still finds its question in it."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.CAPTURE, "$question")
    filler = [samples.event(f"${i}", timer=20) for i in range(AT_ONCE - 1)]
    await house.hear(samples.event("$question"), *filler, samples.event("$answer", timer=20))
    await house.triage.step()
    states = await house.states()
    assert states["$question"] is EntryState.SEALED
    assert states["$answer"] is EntryState.SEALED
    assert len(await house.leaves("decision")) == 1
    assert [u.upstream_id for u, _ in house.classifier.asked].count("$question") == 1


@pytest.mark.parametrize(
    "point",
    ["before judge", "after judge", "before seal", "after seal", "before promote", "after promote"],
)
async def test_a_crash_never_loses_an_antecedent(house: House, point: str) -> None:
    """Wherever a process dies between deciding and keeping, the next one keeps both."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.CAPTURE, "$question")
    await house.hear(samples.event("$question"), samples.event("$answer"))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.triage.step()
    await house.restart()
    await house.triage.step()
    await _promoted(house)


async def test_only_captures_promote(house: House) -> None:
    """A message in review or discarded takes nothing with it, nor does an unknown antecedent."""
    house.says("$1", Outcome.DISCARD)
    house.says("$2", Outcome.REVIEW, "$1")
    house.says("$3", Outcome.DISCARD, "$1")
    house.says("$4", Outcome.CAPTURE, "$never", "$2")
    await house.hear(*(samples.event(f"${i}") for i in range(1, 5)))
    await house.triage.step()
    assert (await house.states())["$1"] is EntryState.DISCARDED
    assert await house.leaves("decision") == []


@pytest.mark.parametrize("revision", [None, "rescued", "u7"])
async def test_late_media_of_a_restricted_message_are_restricted(
    house: House, revision: str | None
) -> None:
    """A file that comes after a SECRET message was sealed is kept from the store with it."""
    house.says("$1", Outcome.CAPTURE)
    if revision is not None:
        await house.hear(samples.event("$1"))
        await house.triage.step()
    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.verdicts["$1"] = secret
    *_, entry = await house.hear(samples.event("$1", revision=revision, attachments=[PLAN]))
    await house.triage.step()
    house.later(seconds=40)
    await house.triage.step()
    found = await house.journal.entry(entry.seq)
    assert found is not None
    assert found.state is EntryState.RESTRICTED
    house.classifier.verdicts["$1"] = house.classifier.verdict(Outcome.CAPTURE)
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF-1.7",))
    await house.settle()
    file = (await house.entries())[-1]
    assert file.event.kind is EventKind.MEDIA
    assert file.state is EntryState.RESTRICTED
    assert not [key for key in house.store.objects if "/media/" in key]


async def test_an_utterance_is_what_the_classifier_reads(house: House) -> None:
    """Absent sender, time and body are read as empty; a late file counts as an attachment."""
    bare = samples.event("$1", sender=None, sent_at=None, body=None, kind=EventKind.SERVICE)
    await house.hear(bare, samples.event("$2", kind=EventKind.MEDIA, relates_to=_reply("$1")))
    await house.triage.step()
    (first, _), (second, _) = house.classifier.asked
    assert (first.sender_id, first.body, first.sent_at) == ("", "", samples.NOW)
    assert (first.attachments, second.attachments) == (0, 1)


class UnluckySealer(Sealer):
    """A sealer that meets one message nobody expected."""

    async def sealing(self, entry: Entry) -> Sealing:
        """The seal, but not of the message with id ``$1``."""
        if entry.event.upstream_id == "$1":
            raise ValueError("unexpected")
        return await super().sealing(entry)


async def test_one_entry_that_cannot_be_sealed_costs_its_neighbours_nothing(house: House) -> None:
    """What fails unexpectedly is put off with an alarm; the others of its claim are sealed."""
    await house.hear(samples.event("$1"), samples.event("$2"))
    house.sealer.__class__ = UnluckySealer  # the house wires its own; only this one is unlucky
    while await house.triage.step():
        pass
    first, second = [await house.journal.entry(seq) for seq in (1, 2)]
    assert first is not None
    assert second is not None
    assert (first.state, second.state) == (EntryState.JUDGED, EntryState.SEALED)
    assert first.attempts == 1
    assert "ValueError" in house.triage.health


async def test_a_lower_marking_is_told_and_holds_nothing_back(house: House) -> None:
    """Whoever is to remind the group is told of each that is kept, and it is kept all the same."""
    told: list[str] = []

    async def on_lower_marking(entry: Entry) -> None:
        told.append(entry.event.upstream_id)

    marked = replace(house.classifier.verdict(), markings=("OFFICIAL-SENSITIVE",))
    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    secret = replace(secret, markings=("SECRET",))
    trivial = replace(house.classifier.verdict(Outcome.DISCARD), markings=("OFFICIAL-SENSITIVE",))
    house.classifier.verdicts |= {"$1": marked, "$2": secret, "$3": trivial}
    await house.hear(*(samples.event(f"${n}") for n in range(1, 5)))
    house.triage.on_lower_marking = on_lower_marking
    await house.settle()
    assert told == ["$1"]
    assert (await house.states())["$1"] is EntryState.STORED


@pytest.mark.parametrize("point", ["before judge", "after judge"])
async def test_a_restricted_message_is_told_before_it_is_judged(house: House, point: str) -> None:
    """Whoever is told knows of it whatever a crash leaves: before its commit it is told again."""
    told: list[str] = []

    async def on_restricted(entry: Entry) -> None:
        told.append(f"{entry.event.upstream_id} {entry.state}")

    secret = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.classifier.verdicts["$1"] = secret
    await house.hear(samples.event("$1"), samples.event("$2"))
    house.triage.on_restricted = on_restricted
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.triage.step()
    await house.restart()
    house.triage.on_restricted = on_restricted
    await house.settle()
    assert told == ["$1 received"] * (2 if point == "before judge" else 1)
    assert (await house.states())["$1"] is EntryState.RESTRICTED
