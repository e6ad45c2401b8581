"""What every journal promises of the counts that are asked often: they are those of the tally."""

from __future__ import annotations

from datetime import timedelta

from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols import Counts, TallyGroup
from tests.contracts.journal.encrypted import key, shut
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import NOW, attachment, batch, event, loss, proof, sealing, verdict

REVIEW = verdict(Outcome.REVIEW)
RESTRICTED = verdict(Outcome.REVIEW, restricted=True)


async def _agreed(subject: Subject) -> Counts:
    """The counts, once they agree with the tally, which reads every row."""
    counts = await subject.journal.counts(now=LATER)
    tally = await subject.journal.tally(now=LATER)
    groups = tally.groups
    states = dict(tally.entries_by_state)
    assert counts.seen == sum(map(_seen, groups)) == sum(states.values())
    assert counts.stored == sum(group.stored for group in groups)
    assert counts.late == sum(group.late for group in groups)
    assert counts.gaps == sum(group.gaps for group in groups)
    assert counts.restricted == states.get("restricted", 0)
    at_work = (EntryState.RECEIVED, EntryState.JUDGED, EntryState.SEALED)
    assert dict(counts.waiting) == {s.value: states[s] for s in at_work if s in states}
    assert (counts.overdue, counts.leaves, counts.unsplit) == (
        tally.overdue,
        tally.leaves,
        tally.unsplit,
    )
    assert counts.downloads == dict(tally.downloads).get("waiting", 0)
    assert counts.encrypted == sum(each.count for each in tally.unopened)
    return counts


def _seen(group: TallyGroup) -> int:
    return group.captured + group.review + group.discarded + group.undecided


async def test_an_empty_journal_counts_nothing(subject: Subject) -> None:
    """All zero, and no oldest of anything."""
    counts = await _agreed(subject)
    assert (counts.seen, counts.stored, counts.waiting) == (0, 0, ())
    assert counts.oldest_review is counts.oldest_encrypted is None


async def test_each_state_counts_where_it_waits(subject: Subject) -> None:
    """Received, judged and sealed wait; discards, restricted and stored entries do not."""
    await subject.received(event("$received"))
    await subject.judged(of=event("$judged"))
    await subject.sealed(of=event("$sealed"))
    await subject.sealed(DISCARD, of=event("$discarded"))
    await subject.sealed(RESTRICTED, of=event("$restricted"))
    await subject.stored(of=event("$stored"))
    counts = await _agreed(subject)
    assert dict(counts.waiting) == {"received": 1, "judged": 1, "sealed": 1}
    assert (counts.seen, counts.stored, counts.restricted) == (6, 1, 1)
    await subject.restart()
    assert await _agreed(subject) == counts


async def test_what_is_stored_twice_counts_once(subject: Subject) -> None:
    """A repeated receipt, and the second copy of a review, are no other record."""
    entry = await subject.sealed(REVIEW, of=event("$1", timer=1.0))
    receipt = proof(entry, late_ms=7)
    await subject.journal.store([receipt, receipt])
    counts = await _agreed(subject)
    assert (counts.stored, counts.late, counts.reviews) == (1, 1, 1)
    assert counts.oldest_review == entry.event.observed_at
    await subject.promote(entry)
    (sealed,) = await subject.claimed(EntryState.SEALED)
    await subject.journal.store([proof(sealed)])
    counts = await _agreed(subject)
    assert (counts.stored, counts.late, counts.reviews) == (1, 1, 0)


async def test_a_promoted_discard_counts_once_it_is_stored(subject: Subject) -> None:
    """Its first receipt is its only one."""
    entry = await subject.sealed(DISCARD)
    await subject.promote(entry)
    assert (await _agreed(subject)).stored == 0
    (sealed,) = await subject.claimed(EntryState.SEALED)
    await subject.journal.store([proof(sealed)])
    assert (await _agreed(subject)).stored == 1


async def test_what_is_destroyed_was_seen_all_the_same(subject: Subject) -> None:
    """Forget takes nothing off what was counted."""
    await subject.sealed(DISCARD)
    before = await _agreed(subject)
    await subject.journal.forget(discarded_before=LATER, limit=10)
    assert await _agreed(subject) == before


async def test_gaps_and_bodies_and_orders_count(subject: Subject) -> None:
    """Losses of a batch, responses that cannot be split, and attachments still to fetch."""
    await subject.journal.append(
        batch(event("$file", attachments=(attachment(),)), losses=(loss(),))
    )
    await subject.journal.keep_body("matrix", b"[", at=NOW)
    counts = await _agreed(subject)
    assert (counts.gaps, counts.unsplit, counts.downloads) == (1, 1, 1)


async def test_what_is_encrypted_waits_until_it_opens(subject: Subject) -> None:
    """It has an oldest; opened, it waits for nothing."""
    (entry,) = await subject.received(shut("$shut"))
    counts = await _agreed(subject)
    assert (counts.encrypted, counts.oldest_encrypted) == (1, entry.event.observed_at)
    await subject.journal.decrypted([key(entry)])
    counts = await _agreed(subject)
    assert (counts.encrypted, counts.oldest_encrypted) == (0, None)


async def test_overdue_goes_by_the_time_of_the_caller(subject: Subject) -> None:
    """What is due later than the time that is asked about is not overdue."""
    await subject.sealed()
    assert (await subject.journal.counts(now=NOW - timedelta(hours=1))).overdue == 0
    assert (await subject.journal.counts(now=LATER)).overdue == 1


async def test_a_second_seal_makes_no_second_restricted_entry(subject: Subject) -> None:
    """Sealed again after a crash, it is one."""
    entry = await subject.judged(RESTRICTED)
    await subject.journal.seal([sealing(entry), sealing(entry)])
    assert (await _agreed(subject)).restricted == 1
