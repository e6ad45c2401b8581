"""What every journal promises of claims: who may try what, when, and that nobody else does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import GroupState, NoticeState, Outcome
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    GROUP_ID,
    NOW,
    attachment,
    batch,
    event,
    group,
    placement,
    proof,
    sealing,
    verdict,
)

RECEIVED, JUDGED, SEALED = EntryState.RECEIVED, EntryState.JUDGED, EntryState.SEALED


async def test_the_most_urgent_comes_first(subject: Subject) -> None:
    """Claims give the earliest `safe_by` first, whatever the order of arrival."""
    timers = [None, 100.0, 20.0, 60.0]
    await subject.received(*(event(f"${timer}", timer=timer) for timer in timers))
    found = await subject.claimed(RECEIVED, now=NOW)
    assert [entry.event.upstream_id for entry in found] == ["$20.0", "$60.0", "$None", "$100.0"]


async def test_a_claim_is_bounded(subject: Subject) -> None:
    """No more than the limit is given, and the next claim gives the next ones."""
    await subject.received(*(event(f"${i}") for i in range(5)))
    given = [len(await subject.claimed(RECEIVED, limit=2)) for _ in range(4)]
    assert given == [2, 2, 1, 0]


async def test_only_entries_of_the_state(subject: Subject) -> None:
    """A claim for one state gives nothing of another."""
    await subject.judged(of=event("$1"))
    await subject.sealed(of=event("$2"))
    await subject.sealed(DISCARD, of=event("$3"))
    assert [e.event.upstream_id for e in await subject.claimed(JUDGED)] == ["$1"]
    assert [e.event.upstream_id for e in await subject.claimed(SEALED)] == ["$2"]


@pytest.mark.parametrize("state", [EntryState.STORED, EntryState.DISCARDED, EntryState.DESTROYED])
async def test_what_is_at_rest_is_not_claimed(subject: Subject, state: EntryState) -> None:
    """There is no work in a state at rest."""
    await subject.stored(of=event("$1"))
    await subject.sealed(DISCARD, of=event("$2"))
    assert await subject.claimed(state) == ()


async def test_two_claims_never_hold_the_same(subject: Subject) -> None:
    """Claims made at the same time share the entries out."""
    await subject.received(*(event(f"${i}") for i in range(40)))
    claims = await asyncio.gather(*(subject.claimed(RECEIVED, limit=3) for _ in range(20)))
    seqs = [entry.seq for claim in claims for entry in claim]
    assert len(seqs) == len(set(seqs)) == 40


async def test_claims_beside_moves(subject: Subject) -> None:
    """Workers that claim, move and claim again never get what another one has moved."""
    await subject.received(*(event(f"${i}") for i in range(60)))
    given: list[int] = []

    async def worker() -> None:
        while claimed := await subject.claimed(RECEIVED, limit=2):
            assert {entry.state for entry in claimed} == {RECEIVED}
            given.extend(entry.seq for entry in claimed)
            await subject.journal.judge([(entry.seq, verdict()) for entry in claimed])

    await asyncio.gather(*(worker() for _ in range(8)))
    assert len(given) == len(set(given)) == 60


async def test_a_lease_lasts(subject: Subject) -> None:
    """What is claimed is not claimed again."""
    await subject.received()
    assert len(await subject.claimed(RECEIVED)) == 1
    assert await subject.claimed(RECEIVED) == ()


async def test_a_released_lease_is_free(subject: Subject) -> None:
    """What is given back untouched may be claimed, and giving back twice is safe."""
    await subject.received()
    (entry,) = await subject.claimed(RECEIVED)
    subject.journal.release([entry.seq])
    subject.journal.release([entry.seq, 999])
    assert await subject.claimed(RECEIVED) == (entry,)


async def test_a_lease_ends_with_the_process(subject: Subject) -> None:
    """After a restart what was claimed may be claimed."""
    await subject.received()
    await subject.claimed(RECEIVED)
    await subject.restart()
    assert len(await subject.claimed(RECEIVED)) == 1


async def test_a_move_ends_a_lease(subject: Subject) -> None:
    """Each move frees the entry for the next step."""
    await subject.received()
    (entry,) = await subject.claimed(RECEIVED)
    await subject.journal.judge([(entry.seq, verdict())])
    (entry,) = await subject.claimed(JUDGED)
    await subject.journal.seal([sealing(entry)])
    (entry,) = await subject.claimed(SEALED)
    await subject.journal.store([proof(entry)])
    assert (await subject.entry(entry.seq)).state is EntryState.STORED


async def test_a_failure_ends_a_lease_and_waits(subject: Subject) -> None:
    """A failed entry counts an attempt, stays where it is, and rests until its next try."""
    entry = await subject.sealed()
    (claimed,) = await subject.claimed(SEALED)
    until = NOW + timedelta(seconds=30)
    await subject.journal.fail(claimed.seq, error="ObjectStoreError", next_try=until)
    assert await subject.claimed(SEALED, now=until - timedelta(milliseconds=1)) == ()
    (again,) = await subject.claimed(SEALED, now=until)
    assert (again.seq, again.state, again.attempts) == (entry.seq, SEALED, 1)


async def test_failures_add_up_and_a_move_forgets_them(subject: Subject) -> None:
    """Attempts are counted within a state; the next one begins at none."""
    entry = await subject.judged()
    for _ in range(3):
        await subject.journal.fail(entry.seq, error="x", next_try=LATER)
    entry = await subject.entry(entry.seq)
    assert entry.attempts == 3
    await subject.journal.seal([sealing(entry)])
    (sealed,) = await subject.claimed(SEALED, now=NOW)
    assert sealed.attempts == 0


async def test_a_failure_of_what_is_at_rest_changes_nothing(subject: Subject) -> None:
    """An entry that is stored already does not fail any more; an unknown one neither."""
    entry = await subject.stored()
    await subject.journal.fail(entry.seq, error="x", next_try=LATER)
    await subject.journal.fail(999, error="x", next_try=LATER)
    assert await subject.entry(entry.seq) == entry


async def test_the_pauses_of_a_failure_that_is_over_end(subject: Subject) -> None:
    """Only what failed by it may be tried at once, and only in that state."""
    silent, refused = await subject.sealed(), await subject.sealed(of=event("$2"))
    soon = NOW + timedelta(minutes=10)
    await subject.journal.fail(silent.seq, error="Silent", next_try=soon)
    await subject.journal.fail(refused.seq, error="Refused", next_try=soon)
    await subject.journal.retry(JUDGED, error="Silent")
    assert await subject.journal.claim(SEALED, now=NOW, limit=9) == ()
    await subject.journal.retry(SEALED, error="Silent")
    (found,) = await subject.journal.claim(SEALED, now=NOW, limit=9)
    assert (found.seq, found.attempts) == (silent.seq, 1)


async def test_hopeless_ones_come_behind(subject: Subject) -> None:
    """Who expires before the store can have it comes last, though it is the most urgent."""
    for timer in (10.0, 20.0, 300.0, None):
        await subject.sealed(of=event(f"${timer}", timer=timer))
    found = await subject.journal.claim(
        SEALED, now=NOW, limit=9, feasible=NOW + timedelta(seconds=15)
    )
    assert [entry.event.upstream_id for entry in found] == ["$20.0", "$300.0", "$None", "$10.0"]


async def test_what_disappears_soon_goes_before_what_is_merely_due(subject: Subject) -> None:
    """After an outage all is past ``safe_by``; what presses by its expiry can still be in time."""
    for timer in (None, 7200.0, 300.0, 10.0, 60.0):
        await subject.sealed(of=event(f"${timer}", timer=timer))
    found = await subject.journal.claim(
        SEALED,
        now=NOW,
        limit=9,
        feasible=NOW + timedelta(seconds=15),
        pressing=NOW + timedelta(hours=1),
    )
    names = [entry.event.upstream_id for entry in found]
    assert names == ["$60.0", "$300.0", "$None", "$7200.0", "$10.0"]


async def test_hopeless_ones_are_not_dropped(subject: Subject) -> None:
    """With nothing feasible left the hopeless ones are given, most urgent first."""
    for timer in (10.0, 5.0):
        await subject.sealed(of=event(f"${timer}", timer=timer))
    found = await subject.journal.claim(SEALED, now=LATER, limit=1, feasible=LATER)
    assert [entry.event.upstream_id for entry in found] == ["$5.0"]


async def test_expiry_at_the_very_moment_is_feasible(subject: Subject) -> None:
    """An entry that expires just when the store would have it is not hopeless."""
    await subject.sealed(of=event("$10", timer=10.0))
    await subject.sealed(of=event("$60"))
    found = await subject.journal.claim(
        SEALED, now=NOW, limit=1, feasible=NOW + timedelta(seconds=10)
    )
    assert [entry.event.upstream_id for entry in found] == ["$10"]


async def test_nothing_is_stored_before_the_notice(subject: Subject) -> None:
    """Sealed entries are given only of groups that were told or refused to be told."""
    await subject.journal.set_group(group("!due", notice=NoticeState.DUE), expect=None)
    await subject.journal.set_group(group("!refused", notice=NoticeState.REFUSED), expect=None)
    for group_id in ("!due", "!refused", GROUP_ID):
        await subject.sealed(of=event(f"${group_id}", group_id=group_id))
    found = await subject.claimed(SEALED)
    assert {entry.stream.group_id for entry in found} == {"!refused", GROUP_ID}


async def test_the_notice_opens_the_gate(subject: Subject) -> None:
    """Once the notice is settled, what waited for it is given, and who waits is woken."""
    due = group("!due", notice=NoticeState.DUE)
    await subject.journal.set_group(due, expect=None)
    await subject.sealed(of=event(group_id="!due"))
    assert await subject.claimed(SEALED) == ()
    task = asyncio.create_task(subject.journal.work(SEALED, seconds=600))
    await asyncio.sleep(0)
    await subject.journal.settle_notice(
        due, notice=NoticeState.POSTED, note="", act=placement(group_id="!due")
    )
    await task
    assert len(await subject.claimed(SEALED)) == 1


async def test_before_sealing_the_notice_does_not_matter(subject: Subject) -> None:
    """Entries are judged and sealed while their group is still to be told."""
    await subject.journal.set_group(group("!due", notice=NoticeState.DUE), expect=None)
    await subject.received(event("$1", group_id="!due"))
    await subject.judged(of=event("$2", group_id="!due"))
    assert len(await subject.claimed(RECEIVED)) == 1
    assert len(await subject.claimed(JUDGED)) == 1


async def test_a_gated_group_does_not_stand_in_the_way(subject: Subject) -> None:
    """Any number of urgent entries behind the gate leaves the claim's limit to others."""
    await subject.journal.set_group(group("!due", notice=NoticeState.DUE), expect=None)
    for i in range(5):
        await subject.sealed(of=event(f"${i}", group_id="!due", timer=10.0))
    await subject.sealed(of=event())
    (found,) = await subject.claimed(SEALED, limit=1)
    assert found.stream.group_id == GROUP_ID


async def test_a_paused_group_still_drains(subject: Subject) -> None:
    """What was journalled before a pause is still stored."""
    await subject.sealed()
    before = await subject.group()
    await subject.journal.set_group(group(state=GroupState.PAUSED), expect=before)
    assert len(await subject.claimed(SEALED)) == 1


async def test_a_wait_is_bounded(subject: Subject) -> None:
    """Without any work the wait ends by itself."""
    task = asyncio.create_task(subject.journal.work(SEALED, seconds=0.01))
    while not task.done():
        await asyncio.sleep(0)
        subject.clock.advance(1)


async def test_each_state_wakes_its_own_waiters(subject: Subject) -> None:
    """Judging wakes who waits for judged entries, sealing who waits for sealed ones."""
    judged = asyncio.create_task(subject.journal.work(JUDGED, seconds=600))
    sealed = asyncio.create_task(subject.journal.work(SEALED, seconds=600))
    await asyncio.sleep(0)
    entry = await subject.judged()
    await judged
    assert not sealed.done()
    await subject.journal.seal([sealing(entry)])
    await sealed


async def test_one_arrival_wakes_every_waiter(subject: Subject) -> None:
    """All who wait are woken, since any of them may be the one who can take it."""
    tasks = [asyncio.create_task(subject.journal.work(RECEIVED, seconds=600)) for _ in range(5)]
    await asyncio.sleep(0)
    await subject.journal.append(batch(event()))
    await asyncio.gather(*tasks)


async def test_what_came_after_an_empty_claim_is_not_slept_over(subject: Subject) -> None:
    """Entries that come between a claim and the wait end the wait, though others woke first."""
    assert await subject.claimed(RECEIVED, limit=1) == ()
    await subject.journal.append(batch(*(event(f"${i}") for i in range(3))))
    await subject.journal.work(RECEIVED, seconds=600)
    assert len(await subject.claimed(RECEIVED, limit=1)) == 1
    await subject.journal.work(RECEIVED, seconds=600)
    assert len(await subject.claimed(RECEIVED, limit=1)) == 1


async def test_workers_drain_without_a_clock(subject: Subject) -> None:
    """Several workers that wait for each other's leftovers finish though no time passes."""
    total = 30
    done: list[int] = []
    finished = asyncio.Event()

    async def worker() -> None:
        while True:
            claimed = await subject.claimed(RECEIVED, limit=1)
            await subject.journal.judge([(entry.seq, verdict()) for entry in claimed])
            done.extend(entry.seq for entry in claimed)
            if len(done) == total:
                finished.set()
            if not claimed:
                await subject.journal.work(RECEIVED, seconds=600)

    workers = [asyncio.create_task(worker()) for _ in range(4)]
    for i in range(total):
        await subject.journal.append(batch(event(f"${i}")))
    await finished.wait()
    for each in workers:
        each.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(done) == sorted(set(done))


async def test_a_cancelled_claim_holds_nothing(subject: Subject) -> None:
    """What a cancelled claim would have given may be claimed by the next one."""
    await subject.received(*(event(f"${i}") for i in range(3)))
    task = asyncio.create_task(subject.claimed(RECEIVED))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(await subject.claimed(RECEIVED)) == 3


async def test_media_rest_at_most_half_the_time(subject: Subject) -> None:
    """A judged entry with a waiting attachment is claimed once half its time is over."""
    await subject.judged(of=event(timer=100.0, attachments=[attachment()]))
    half = NOW + timedelta(seconds=30)
    assert await subject.claimed(JUDGED, now=half - timedelta(milliseconds=1)) == ()
    assert len(await subject.claimed(JUDGED, now=half)) == 1


async def test_review_is_claimed_like_capture(subject: Subject) -> None:
    """What a person is to look at is stored as urgently."""
    await subject.sealed(verdict(Outcome.REVIEW))
    (entry,) = await subject.claimed(SEALED, now=NOW)
    assert entry.record is not None
    assert entry.record.key.startswith("review/")
