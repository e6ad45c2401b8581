"""What every journal promises of the moves of an entry: by the table, once, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bridge.lifecycle import TRANSITIONS, EntryState, InvalidTransitionError, Trigger
from bridge.model import EventKind, Outcome, Reason, Verdict
from bridge.protocols import Entry, StoredProof
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import NOW, attachment, event, proof, sealing, verdict

RESTRICTED = verdict(Outcome.REVIEW, restricted=True, markings=["SECRET"])


async def test_judging_keeps_the_verdict(subject: Subject) -> None:
    """A judged entry has its verdict, whole, and still no record."""
    decision = verdict(
        Outcome.REVIEW,
        reasons=[
            Reason(code="DOUBT", rule="r\ud800", start=1, end=2, text="x"),
            Reason(code="B", rule="b"),
        ],
        context=["$0"],
        markings=["OFFICIAL"],
    )
    entry = await subject.judged(decision)
    await subject.restart()
    assert await subject.entry(entry.seq) == entry
    assert (entry.state, entry.verdict, entry.record) == (EntryState.JUDGED, decision, None)
    assert subject.leaves() == []


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        (verdict(), EntryState.SEALED),
        (verdict(Outcome.REVIEW), EntryState.SEALED),
        (DISCARD, EntryState.DISCARDED),
        (RESTRICTED, EntryState.RESTRICTED),
    ],
)
async def test_sealing_fixes_the_bytes(
    subject: Subject, decision: Verdict, state: EntryState
) -> None:
    """A sealed entry has its exact bytes, digest and key, discards too, and its seen leaf."""
    entry = await subject.judged(decision)
    made = sealing(entry, body=b'{"salt":"\x00"}')
    await subject.journal.seal([made])
    await subject.restart()
    entry = await subject.entry(entry.seq)
    assert (entry.state, entry.record, entry.seen_leaf) == (state, made.record, 0)
    (leaf,) = subject.leaves("seen")
    assert (leaf.n, leaf.s, leaf.c) == (entry.n, entry.stream.id, decision.outcome.value)


async def test_seen_leaves_are_told_apart(subject: Subject) -> None:
    """Each entry knows the index of its own leaf, between leaves of all kinds."""
    for i in range(3):
        await subject.sealed(of=event(f"${i}", missing="expired" if i else None))
    leaves = subject.leaves()
    seen = [await subject.entry(seq) for seq in await subject.seqs(EntryState.SEALED)]
    assert all(
        (leaves[entry.seen_leaf or 0].k, leaves[entry.seen_leaf or 0].n) == ("seen", entry.n)
        for entry in seen
    )
    assert [leaf.k for leaf in leaves] == ["seen", "gap", "seen", "gap", "seen"]


async def test_storing_writes_the_receipt(subject: Subject) -> None:
    """A stored entry knows when, and has one leaf that refers to its seen leaf."""
    entry = await subject.stored()
    assert (entry.state, entry.stored_at) == (EntryState.STORED, NOW)
    (leaf,) = subject.leaves("stored")
    assert leaf.ref == entry.seen_leaf
    assert subject.leaves("late") == []


async def test_a_late_one_says_so(subject: Subject) -> None:
    """An entry stored after its timer has a `late` leaf too, and counts as late."""
    entry = await subject.sealed()
    await subject.journal.store([proof(entry, late_ms=1500)])
    assert [(leaf.k, leaf.ms, leaf.ref) for leaf in subject.leaves("stored", "late")] == [
        ("stored", None, entry.seen_leaf),
        ("late", 1500, entry.seen_leaf),
    ]
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.stored, tally.late) == (1, 1)


async def test_promotion_puts_a_discard_on_its_way(subject: Subject) -> None:
    """A promoted discard is sealed with the same bytes under a new key, and never late."""
    before = await subject.sealed(DISCARD, of=event(timer=10.0))
    assert await subject.promote(before)
    (after,) = await subject.claimed(EntryState.SEALED)
    assert before.record is not None
    assert after.record is not None
    assert (after.record.body, after.record.digest) == (before.record.body, before.record.digest)
    assert (after.verdict, after.safe_by, after.expires_at) == (verdict(), LATER, None)
    assert after.seen_leaf == before.seen_leaf
    assert [leaf.k for leaf in subject.leaves()] == ["seen", "decision"]


async def test_promotion_wakes_the_writer(subject: Subject) -> None:
    """Who waits for sealed entries is woken by a promotion."""
    entry = await subject.sealed(DISCARD)
    await subject.claimed(EntryState.SEALED)
    task = asyncio.create_task(subject.journal.work(EntryState.SEALED, seconds=600))
    await asyncio.sleep(0)
    await subject.promote(entry)
    await task


async def test_the_key_may_change_and_the_bytes_never(subject: Subject) -> None:
    """Promotion names the key; what was fixed at the seal stays."""
    entry = await subject.sealed(DISCARD)
    await subject.promote(entry)
    (sealed,) = await subject.claimed(EntryState.SEALED)
    await subject.journal.store([proof(sealed)])
    stored = await subject.entry(entry.seq)
    assert stored.record == sealed.record


async def _at(subject: Subject, state: EntryState) -> int:
    """An entry in ``state``; gives its ``seq``."""
    if state is EntryState.RECEIVED:
        (entry,) = await subject.received()
    elif state is EntryState.JUDGED:
        entry = await subject.judged()
    elif state is EntryState.SEALED:
        entry = await subject.sealed()
    elif state is EntryState.STORED:
        entry = await subject.stored()
    elif state is EntryState.RESTRICTED:
        entry = await subject.sealed(RESTRICTED)
    else:
        entry = await subject.sealed(DISCARD)
    if state is EntryState.DESTROYED:
        await subject.journal.forget(discarded_before=LATER, limit=9)
    return entry.seq


async def _judge(subject: Subject, entry: Entry) -> None:
    await subject.journal.judge([(entry.seq, verdict(score=0.123))])


async def _seal(subject: Subject, entry: Entry) -> None:
    decided = replace(entry, verdict=verdict())
    await subject.journal.seal([sealing(decided, body=b"other", key="records/other")])


async def _store(subject: Subject, entry: Entry) -> None:
    record = sealing(replace(entry, verdict=verdict())).record
    sealed = replace(entry, record=record, seen_leaf=0)
    await subject.journal.store([proof(sealed, late_ms=5)])


async def _promote(subject: Subject, entry: Entry) -> None:
    assert not await subject.promote(entry)


MOVES: dict[Trigger, Callable[[Subject, Entry], Awaitable[None]]] = {
    Trigger.JUDGE: _judge,
    Trigger.KEEP: _seal,
    Trigger.STORE: _store,
    Trigger.PROMOTE: _promote,
}


@pytest.mark.parametrize(
    ("state", "trigger"),
    [
        (state, trigger)
        for state in EntryState
        for trigger in MOVES
        if (state, trigger) not in TRANSITIONS
    ],
)
async def test_an_illegal_move_changes_nothing(
    subject: Subject, state: EntryState, trigger: Trigger
) -> None:
    """A move that finds the entry elsewhere leaves the entry, the log and the counts alone."""
    seq = await _at(subject, state)
    before = await subject.journal.entry(seq)
    leaves, tally = subject.leaves(), await subject.journal.tally(now=NOW)
    stand_in = before
    if stand_in is None:  # destroyed: its number is all that a caller could still hold
        (stand_in,) = await subject.received(event("$stand-in"))
        stand_in = replace(stand_in, seq=seq)
        tally = await subject.journal.tally(now=NOW)
    await MOVES[trigger](subject, stand_in)
    assert await subject.journal.entry(seq) == before
    assert subject.leaves() == leaves
    assert await subject.journal.tally(now=NOW) == tally


@pytest.mark.parametrize("trigger", MOVES)
async def test_a_move_of_nothing_changes_nothing(subject: Subject, trigger: Trigger) -> None:
    """A number that no entry has is passed over."""
    (entry,) = await subject.received()
    await MOVES[trigger](subject, replace(entry, seq=999))
    assert await subject.entry(entry.seq) == entry
    assert subject.leaves() == []


async def test_one_stale_move_does_not_stop_its_neighbours(subject: Subject) -> None:
    """Of several moves in one call, those that fit happen."""
    old = await subject.stored(of=event("$old"))
    new = await subject.judged(of=event("$new"))
    await subject.journal.seal([sealing(old), sealing(new)])
    sealed = await subject.entry(new.seq)
    await subject.journal.store([proof(old), proof(sealed)])
    assert (await subject.entry(new.seq)).state is EntryState.STORED
    assert len(subject.leaves("seen")) == len(subject.leaves("stored")) == 2


@pytest.mark.parametrize("trigger", [Trigger.STORE, Trigger.PROMOTE, Trigger.JUDGE])
async def test_a_seal_with_another_arrow_is_our_own_mistake(
    subject: Subject, trigger: Trigger
) -> None:
    """A seal takes one of its own arrows; any other is refused and changes nothing."""
    entry = await subject.judged()
    with pytest.raises(InvalidTransitionError):
        await subject.journal.seal([replace(sealing(entry), trigger=trigger)])
    assert (await subject.entry(entry.seq)).state is EntryState.JUDGED
    assert subject.leaves() == []


async def test_a_seal_that_names_less_than_there_is_changes_nothing(subject: Subject) -> None:
    """If an attachment came in after the record was made, the seal is made again."""
    entry, order = await subject.with_order()
    await subject.downloaded(order)
    await subject.journal.seal([sealing(entry, media=0)])
    assert await subject.entry(entry.seq) == entry
    assert subject.leaves() == []
    await subject.journal.seal([sealing(entry, media=1)])
    assert (await subject.entry(entry.seq)).state is EntryState.SEALED


async def test_a_seal_that_names_more_than_there_is_changes_nothing(subject: Subject) -> None:
    """A record never names an attachment that did not come."""
    entry = await subject.judged(of=event(attachments=[attachment()]))
    await subject.journal.seal([sealing(entry, media=1)])
    assert (await subject.entry(entry.seq)).state is EntryState.JUDGED


async def test_two_stores_of_one_entry(subject: Subject) -> None:
    """Receipts that come twice, even at once, give one leaf."""
    entry = await subject.sealed()
    one: StoredProof = proof(entry)
    await asyncio.gather(*(subject.journal.store([one]) for _ in range(4)))
    assert len(subject.leaves("stored")) == 1


async def test_two_promotions_of_one_entry(subject: Subject) -> None:
    """Only one of several promotions happens."""
    entry = await subject.sealed(DISCARD)
    answers = await asyncio.gather(*(subject.promote(entry) for _ in range(4)))
    assert sorted(answers) == [False, False, False, True]
    assert len(subject.leaves("decision")) == 1


async def test_a_cancelled_move_still_happens(subject: Subject) -> None:
    """A seal whose caller is cancelled once it began is there, once."""
    entry = await subject.judged()
    task = asyncio.create_task(subject.journal.seal([sealing(entry)]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await subject.journal.seal([sealing(entry)])
    assert (await subject.entry(entry.seq)).state is EntryState.SEALED
    assert len(subject.leaves("seen")) == 1


async def test_recent_gives_the_last_ones(subject: Subject) -> None:
    """The last entries before a number come oldest first, of their own stream only."""
    await subject.admit("!other")
    first, *_ = await subject.received(*(event(f"${i}") for i in range(6)))
    await subject.received(event("$x", group_id="!other"))
    recent = subject.journal.recent
    assert [e.n for e in await recent(first.stream.id, before=5, limit=3)] == [2, 3, 4]
    assert [e.n for e in await recent(first.stream.id, before=2, limit=9)] == [0, 1]
    assert await recent(first.stream.id, before=0, limit=9) == ()
    assert await recent(first.stream.id, before=9, limit=0) == ()
    assert await recent("0" * 16, before=9, limit=9) == ()


async def test_recent_passes_over_a_kind(subject: Subject) -> None:
    """As many of the others are given as were asked for."""
    kinds = [EventKind.MESSAGE, EventKind.EDIT, EventKind.REACTION, EventKind.REACTION]
    entry, *_ = await subject.received(*(event(f"${i}", kind=k) for i, k in enumerate(kinds)))
    recent, stream = subject.journal.recent, entry.stream.id
    found = await recent(stream, before=9, limit=2, without=EventKind.REACTION)
    assert [e.n for e in found] == [0, 1]


async def test_the_roster_before_a_number(subject: Subject) -> None:
    """The latest roster or membership event at or below a number is found, else none."""
    entries = await subject.received(
        event("$0"),
        event("$1", kind=EventKind.ROSTER),
        event("$2"),
        event("$3", kind=EventKind.MEMBERSHIP),
        event("$4"),
    )
    stream = entries[0].stream.id
    found = [await subject.journal.roster_before(stream, n) for n in range(5)]
    assert found == [None, 1, 1, 3, 3]
    assert await subject.journal.roster_before("0" * 16, 9) is None


async def test_an_unknown_entry(subject: Subject) -> None:
    """A number that no entry has reads as none, without media."""
    assert await subject.journal.entry(1) is None
    assert await subject.journal.media(1) == ()


async def test_following_gives_the_next_ones(subject: Subject) -> None:
    """The first entries after a number come oldest first, of their own stream only."""
    await subject.admit("!other")
    first, *_ = await subject.received(*(event(f"${i}") for i in range(6)))
    await subject.received(event("$x", group_id="!other"))
    following = subject.journal.following
    assert [e.n for e in await following(first.stream.id, after=1, limit=3)] == [2, 3, 4]
    assert [e.n for e in await following(first.stream.id, after=3, limit=9)] == [4, 5]
    assert await following(first.stream.id, after=5, limit=9) == ()
    assert await following(first.stream.id, after=0, limit=0) == ()
    assert await following("0" * 16, after=0, limit=9) == ()
    await subject.received(event("$r", kind=EventKind.REACTION), event("$6"))
    after = await following(first.stream.id, after=4, limit=2, without=EventKind.REACTION)
    assert [e.n for e in after] == [5, 7]


async def test_a_discard_is_open_until_it_is_final(subject: Subject) -> None:
    """Discards alone, so old that their window has closed, and each until it was judged again."""
    first = await subject.sealed(DISCARD, of=event("$1"))
    second = await subject.sealed(DISCARD, of=event("$2"))
    await subject.sealed(of=event("$kept"))
    await subject.judged(DISCARD, of=event("$judged"))
    journal = subject.journal
    found = await journal.open_discards(received_before=LATER, limit=9)
    assert [entry.seq for entry in found] == [first.seq, second.seq]
    assert len(await journal.open_discards(received_before=LATER, limit=1)) == 1
    assert await journal.open_discards(received_before=first.event.observed_at, limit=9) == ()
    await journal.finalise([first.seq])
    await subject.promote(second)
    assert await journal.open_discards(received_before=LATER, limit=9) == ()
    await subject.restart()
    assert await subject.journal.open_discards(received_before=LATER, limit=9) == ()
    assert (await subject.entry(first.seq)).state is EntryState.DISCARDED
