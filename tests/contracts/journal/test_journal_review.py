"""What every journal promises of reviews: those nobody decided, and the way to a second copy."""

from __future__ import annotations

from datetime import timedelta

from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols import DownloadState, Entry
from tests.contracts.journal.subjects import LATER, Subject
from tests.fakes.samples import NOW, attachment, event, proof, sealing, verdict

REVIEW = verdict(Outcome.REVIEW)


async def _reviewed(subject: Subject, name: str = "$1", *, minutes: float = 0) -> Entry:
    """A review in the store, received some minutes ago."""
    told = event(name, observed_at=NOW - timedelta(minutes=minutes), timer=1.0)
    entry = await subject.sealed(REVIEW, of=told)
    await subject.journal.store([proof(entry, at=NOW, late_ms=7)])
    return await subject.entry(entry.seq)


async def test_a_stored_review_is_promoted(subject: Subject) -> None:
    """It is sealed again with the same bytes under another key, with its decision, never late."""
    before = await _reviewed(subject)
    assert await subject.promote(before)
    (after,) = await subject.claimed(EntryState.SEALED)
    assert before.record is not None
    assert after.record is not None
    assert (after.record.body, after.record.digest) == (before.record.body, before.record.digest)
    assert after.record.key.startswith("records/")
    assert (after.verdict, after.safe_by, after.expires_at) == (verdict(), LATER, None)
    assert (after.stored_at, after.seen_leaf) == (before.stored_at, before.seen_leaf)
    assert [leaf.k for leaf in subject.leaves()] == ["seen", "stored", "late", "decision"]
    assert len(await subject.journal.manifest_places()) == 1


async def test_the_second_copy_has_a_receipt_of_its_own(subject: Subject) -> None:
    """Another stored leaf of the same seen leaf; when it was first stored, and how late, stays."""
    before = await _reviewed(subject)
    await subject.promote(before)
    (sealed,) = await subject.claimed(EntryState.SEALED)
    await subject.journal.store([proof(sealed, at=LATER)])
    entry = await subject.entry(before.seq)
    assert (entry.state, entry.stored_at) == (EntryState.STORED, NOW)
    assert [leaf.ref for leaf in subject.leaves("stored")] == [before.seen_leaf] * 2
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.stored, tally.captured, tally.late) == (1, 1, 1)
    assert not await subject.promote(entry)


async def test_it_counts_as_stored_meanwhile(subject: Subject) -> None:
    """What is on its way to a second copy still stands in the store."""
    entry = await _reviewed(subject)
    await subject.promote(entry)
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.stored, tally.review, tally.captured) == (1, 0, 1)


async def test_a_stored_capture_is_not_promoted(subject: Subject) -> None:
    """What is decided stays."""
    entry = await subject.stored()
    assert not await subject.promote(entry)
    assert await subject.entry(entry.seq) == entry
    assert subject.leaves("decision") == []


async def test_a_review_that_is_not_stored_yet_is_not_promoted(subject: Subject) -> None:
    """Its first copy comes first."""
    entry = await subject.sealed(REVIEW)
    assert not await subject.promote(entry)
    assert await subject.entry(entry.seq) == entry


async def test_its_media_stay_stored(subject: Subject) -> None:
    """The media of a promoted review are known to be stored, and no spool file is kept for them."""
    entry, order = await subject.with_order(attachment(), decision=REVIEW)
    file = await subject.downloaded(order)
    await subject.journal.seal([sealing(entry, media=1)])
    sealed = await subject.entry(entry.seq)
    assert await subject.journal.media_stored(entry.seq) == (file.name,)
    await subject.journal.store([proof(sealed)])
    assert await subject.promote(sealed)
    (media,) = await subject.journal.media(entry.seq)
    assert (media.state, media.file) == (DownloadState.STORED, file)
    assert await subject.journal.spooled() == frozenset()


async def test_the_undecided_are_stored_reviews(subject: Subject) -> None:
    """Neither captures, nor what is sealed or restricted, nor what somebody decided."""
    await subject.stored(of=event("$capture"))
    await subject.sealed(REVIEW, of=event("$sealed"))
    await subject.sealed(verdict(Outcome.REVIEW, restricted=True), of=event("$restricted"))
    decided, open_ = await _reviewed(subject, "$decided"), await _reviewed(subject, "$open")
    await subject.promote(decided)
    found = await subject.journal.undecided(received_before=LATER, limit=9)
    assert found == (open_,)
    await subject.restart()
    assert await subject.journal.undecided(received_before=LATER, limit=9) == (open_,)


async def test_the_oldest_undecided_come_first(subject: Subject) -> None:
    """By the time of their receipt, no more than asked for, and none that is too young."""
    minutes = {f"${i}": i for i in (2, 5, 1, 4, 3)}
    entries = {name: await _reviewed(subject, name, minutes=i) for name, i in minutes.items()}
    undecided = subject.journal.undecided
    found = await undecided(received_before=NOW, limit=2)
    assert {entry.seq for entry in found} == {entries["$5"].seq, entries["$4"].seq}
    before = NOW - timedelta(minutes=4)
    assert await undecided(received_before=before, limit=9) == (entries["$5"],)
    assert await undecided(received_before=NOW - timedelta(days=1), limit=9) == ()
