"""What every journal promises of encrypted entries whose waiting is over, or holds nothing up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.protocols import Entry
from tests.contracts.journal.encrypted import (
    RECEIVED,
    REVIEW,
    after,
    clear,
    further,
    key,
    late,
    shut,
    waiting,
)
from tests.contracts.journal.subjects import LATER, Subject
from tests.fakes.samples import CONNECTOR, GROUP_ID, NOW, event, proof, sealing

WHY = "it is malformed"


async def _stored_review(subject: Subject, entry: Entry) -> Entry:
    """Take a received entry all the way to ``review/``."""
    await subject.journal.judge([(entry.seq, REVIEW)])
    await subject.journal.seal([sealing(await subject.entry(entry.seq))])
    await subject.journal.store([proof(await subject.entry(entry.seq))])
    return await subject.entry(entry.seq)


async def _undecided(subject: Subject) -> list[int]:
    found = await subject.journal.undecided(received_before=LATER, limit=9)
    return [entry.seq for entry in found]


async def test_what_waits_for_a_key_is_not_pending(subject: Subject) -> None:
    """It is on its way again once it has its content, or is judged without."""
    first, second, _ = await subject.received(shut("$1"), shut("$2"), shut("$3"))
    assert await subject.journal.pending() == 0
    await subject.received(event("$4"))
    assert await subject.journal.pending() == 1
    await subject.journal.decrypted([key(first)])
    assert await subject.journal.pending() == 2
    await subject.journal.judge([(second.seq, REVIEW)])
    await subject.restart()
    assert await subject.journal.pending() == 3


async def test_what_is_still_encrypted_is_left_to_be_decided(subject: Subject) -> None:
    """A stored ciphertext that nothing opened is all there is of its message."""
    (entry,) = await subject.received(shut())
    await _stored_review(subject, entry)
    assert await _undecided(subject) == [entry.seq]


@pytest.mark.parametrize("state", ["judged", "sealed", "stored"])
async def test_a_ciphertext_whose_content_came_is_not_decided(subject: Subject, state: str) -> None:
    """Its message is decided by the entry of its content, wherever the key found it."""
    (first,) = await subject.received(shut())
    await subject.journal.judge([(first.seq, REVIEW)])
    if state == "judged":
        await subject.journal.decrypted([key(first)])
    await subject.journal.seal([sealing(await subject.entry(first.seq))])
    if state == "sealed":
        await subject.journal.decrypted([key(first)])
    await subject.journal.store([proof(await subject.entry(first.seq))])
    if state == "stored":
        await subject.journal.decrypted([key(first)])
    await subject.restart()
    assert await _undecided(subject) == []
    found = await late(subject, first)
    await _stored_review(subject, found)
    assert await _undecided(subject) == [found.seq]


async def test_what_was_opened_beside_is_known_as_such(subject: Subject) -> None:
    """Not what took its content in place, nor what is still encrypted, nor by another stream."""
    place, beside, shut_still = await subject.received(shut("$1"), shut("$2"), shut("$3"))
    for each in (beside, shut_still):
        await _stored_review(subject, each)
    await subject.journal.decrypted([key(place), key(beside)])
    await subject.restart()
    numbers = [place.n, beside.n, shut_still.n, 999]
    found = await subject.journal.opened_beside(beside.stream.id, numbers)
    assert found == {beside.n}
    assert await subject.journal.opened_beside(beside.stream.id, []) == frozenset()
    assert await subject.journal.opened_beside("f" * 16, numbers) == frozenset()


async def test_a_ciphertext_without_a_place_for_its_content_is_decided(subject: Subject) -> None:
    """Where its group is not recorded any more no entry has its content."""
    (first,) = await subject.received(shut())
    await _stored_review(subject, first)
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.journal.decrypted([key(first)])
    assert await _undecided(subject) == [first.seq]


async def test_what_no_key_can_mend_is_given_up_at_once(subject: Subject) -> None:
    """It is a gap with its reason, judged without waiting, and not among what waits."""
    first, second = await subject.received(shut("$1"), shut("$2"))
    assert await subject.claimed(RECEIVED, now=NOW) == ()
    await subject.journal.not_opened([(first.seq, WHY), (second.seq, "no key")], final=[first.seq])
    (claimed,) = await subject.claimed(RECEIVED, now=NOW)
    assert claimed.seq == first.seq
    await subject.restart()
    assert [each.seq for each in await waiting(subject)] == [second.seq]
    (gap,) = await subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert (gap.why, gap.detail) == ("undecryptable", WHY)
    assert (gap.since, gap.until) == (first.event.sent_at, first.event.observed_at)
    (leaf,) = subject.leaves("gap")
    assert leaf.after == first.n


async def test_it_is_given_up_once(subject: Subject) -> None:
    """Neither a second answer nor its age makes a second gap."""
    (entry,) = await subject.received(shut())
    for _ in range(2):
        await subject.journal.not_opened([(entry.seq, WHY)], final=[entry.seq, 99])
    await subject.journal.give_up_unopened(CONNECTOR, received_before=LATER, limit=9)
    assert len(subject.leaves("gap")) == 1
    assert [each.gave_up for each in await waiting(subject, given_up=True)] == [True]
    await subject.journal.decrypted([key(entry)])
    assert (await subject.entry(entry.seq)).event == clear(entry.event)
    await subject.journal.not_opened([], final=[entry.seq])
    assert len(subject.leaves("gap")) == 1


@pytest.mark.parametrize("state", ["judged", "stored"])
async def test_what_went_further_stays_as_it_is(subject: Subject, state: str) -> None:
    """Of what was judged without its content only the gap is written."""
    entry = await further(subject, state, shut())
    await subject.journal.not_opened([(entry.seq, WHY)], final=[entry.seq])
    assert await subject.entry(entry.seq) == entry
    assert len(subject.leaves("gap")) == 1


async def test_a_pause_after_a_failure_is_kept(subject: Subject) -> None:
    """What could not be judged is tried when it would have been."""
    (entry,) = await subject.received(shut())
    await subject.journal.fail(entry.seq, error="busy", next_try=after(10))
    await subject.journal.not_opened([(entry.seq, WHY)], final=[entry.seq])
    assert await subject.claimed(RECEIVED, now=after(9)) == ()
    assert [each.seq for each in await subject.claimed(RECEIVED, now=after(10))] == [entry.seq]


async def test_the_oldest_are_given_up_first(subject: Subject) -> None:
    """No more at once than asked for, so that other verbs come between."""
    ages = {"$1": 3, "$2": 1, "$3": 2}
    entries = await subject.received(
        *(replace(shut(name), observed_at=after(age)) for name, age in ages.items())
    )
    give_up = subject.journal.give_up_unopened
    assert await give_up(CONNECTOR, received_before=LATER, limit=2) == 2
    assert [each.seq for each in await waiting(subject)] == [entries[0].seq]
    assert await give_up(CONNECTOR, received_before=LATER, limit=2) == 1
    assert await give_up(CONNECTOR, received_before=LATER, limit=2) == 0
