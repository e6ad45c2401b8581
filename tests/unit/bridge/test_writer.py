"""Storing what is sealed: the most urgent first, once, and only after the group was told."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from bridge.errors import ObjectStoreRejectedError, ObjectStoreUnavailableError
from bridge.lifecycle import EntryState
from bridge.model import Digest, GroupState, NoticeState, Outcome
from bridge.protocols import ObjectBody
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, stopped, until

PLAN = samples.attachment("plan.pdf", size=8)
DATA = b"%PDF-1.7"


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, and the platform holds one file."""
    await house.admit()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    return house


async def _sealed(house: House, *names: str) -> None:
    await house.hear(*(samples.event(name) for name in names or ("$1",)))
    await house.triage.step()


async def test_a_record_is_put_as_it_was_sealed(house: House) -> None:
    """The object has the journal's bytes, and the stored leaf their digest and their key's."""
    await _sealed(house)
    assert await house.writer.step()
    assert not await house.writer.step()
    (entry,) = await house.entries()
    assert entry.record is not None
    assert house.objects("records") == {entry.record.key: entry.record.body}
    (leaf,) = await house.leaves("stored")
    assert leaf["ref"] == entry.seen_leaf
    assert leaf["o"] == entry.record.digest.hex
    assert leaf["p"] == Digest.of(f"v1/demo/{entry.record.key}".encode()).hex
    assert entry.state is EntryState.STORED
    assert entry.stored_at == house.clock.now()
    assert house.writer.health == ""


async def test_nothing_is_stored_before_the_notice_is_settled(house: House) -> None:
    """Entries of a group that was not told yet wait, sealed; a refusal settles it too."""
    await house.move(GroupState.ACTIVE, notice=NoticeState.DUE)
    await _sealed(house)
    assert not await house.writer.step()
    assert house.store.attempts == []
    await house.journal.settle_notice(
        await house.group(),
        notice=NoticeState.REFUSED,
        note="refused",
        act=samples.placement(),
    )
    assert await house.writer.step()
    assert (await house.states())["$1"] is EntryState.STORED


@pytest.mark.parametrize("outcome", [Outcome.DISCARD, Outcome.REVIEW])
async def test_discards_and_restricted_messages_are_never_put(
    house: House, outcome: Outcome
) -> None:
    """Neither a discard nor a SECRET message reaches the store by this loop."""
    house.classifier.verdicts["$1"] = house.classifier.verdict(
        outcome, restricted=outcome is Outcome.REVIEW
    )
    await _sealed(house)
    house.later(days=100)
    assert not await house.writer.step()
    await house.scribe.round(flush=True)
    assert [key for key in house.store.attempts if key.startswith(("records", "review"))] == []
    assert len(await house.leaves("seen")) == 1


async def test_the_most_urgent_is_stored_first(house: House) -> None:
    """Order of storing is that of safe_by, not that of arrival."""
    await house.hear(
        samples.event("$none"),
        samples.event("$long", timer=70),
        samples.event("$short", timer=20),
        samples.event("$middle", timer=40),
    )
    await house.triage.step()
    while await house.writer.step():
        pass
    ids = {e.record.key: e.event.upstream_id for e in await house.entries() if e.record}
    assert [ids[key] for key in house.store.attempts] == ["$short", "$middle", "$long", "$none"]


async def test_hopeless_entries_stand_behind_feasible_ones(house: House) -> None:
    """What cannot be in time any more waits for what can, and is stored all the same, late."""
    await house.hear(
        samples.event("$lost", timer=5), samples.event("$can", timer=40), samples.event("$calm")
    )
    await house.triage.step()
    house.later(seconds=10)
    while await house.writer.step():
        pass
    ids = {e.record.key: e.event.upstream_id for e in await house.entries() if e.record}
    assert [ids[key] for key in house.store.attempts] == ["$can", "$calm", "$lost"]
    (late,) = await house.leaves("late")
    assert late["ms"] == 5000
    tally = await house.journal.tally(now=house.clock.now())
    assert tally.groups[0].late == 1


async def test_the_proven_delay_tells_the_hopeless(house: House) -> None:
    """What half of the stores took lately decides who is still feasible."""
    assert house.writer.proven_delay == timedelta(0)
    for seconds in (1.0, 30.0, 30.0):  # as three stores would have left it
        house.writer._store_delays.note(seconds)
    assert house.writer.proven_delay == timedelta(seconds=30)
    await house.hear(samples.event("$lost", timer=20), samples.event("$can", timer=50))
    await house.triage.step()
    while await house.writer.step():
        pass
    ids = {e.record.key: e.event.upstream_id for e in await house.entries() if e.record}
    assert [ids[key] for key in house.store.attempts] == ["$can", "$lost"]


async def test_where_tries_come_too_late_the_slow_end_tells(house: House) -> None:
    """Puts that began in time and ended late raise what a message must have left to be tried."""
    for seconds in (*[1.0] * 9, 30.0):
        house.writer._store_delays.note(seconds)
    house.writer._came_late.extend([True] * 3)
    assert house.writer.proven_delay == timedelta(seconds=1)
    house.writer._came_late.append(True)
    assert house.writer.proven_delay == timedelta(seconds=30)


async def test_the_proven_delay_outlasts_an_outage(house: House) -> None:
    """While nothing is stored there is no better measure than the last one."""
    house.writer._store_delays.note(3.0)
    assert house.writer.proven_delay == timedelta(seconds=3)
    house.later(hours=2)
    assert house.writer.proven_delay == timedelta(seconds=3)


async def test_overdue_is_not_late(house: House) -> None:
    """Past safe_by but before expiry there is no late leaf."""
    await house.hear(samples.event("$1", timer=40))
    await house.triage.step()
    house.later(seconds=35)
    assert (await house.journal.tally(now=house.clock.now())).overdue == 1
    await house.writer.step()
    assert await house.leaves("late") == []


@pytest.mark.parametrize("happened", [False, True])
async def test_a_put_that_fails_is_tried_again_later_each_time(
    house: House, *, happened: bool
) -> None:
    """Whether a failed put happened or not: one object, one leaf, growing pauses."""
    await _sealed(house)
    if happened:
        house.store.lost_replies = 3
    else:
        house.store.before = [ObjectStoreUnavailableError("503") for _ in range(3)]
    for pause in (1, 2, 4):
        assert await house.writer.step()
        assert house.writer.health
        assert not await house.writer.step()
        house.later(seconds=pause - 0.001)
        assert not await house.writer.step()
        house.later(seconds=0.001)
    assert await house.writer.step()
    assert len(house.store.attempts) == 4
    assert len(house.objects("records")) == 1
    assert len(await house.leaves("stored")) == 1
    assert house.writer.health == ""


async def test_pauses_are_bounded(house: House) -> None:
    """However long a store is away, an entry is tried every minute."""
    await _sealed(house)
    house.store.down = True
    for _ in range(20):
        house.later(seconds=60)
        assert await house.writer.step()
    house.store.down = False
    house.later(seconds=60)
    assert await house.writer.step()
    assert (await house.states())["$1"] is EntryState.STORED


async def test_one_entry_that_fails_does_not_hold_the_others(house: House) -> None:
    """A refused entry is put off; those behind it are stored meanwhile."""
    await _sealed(house, "$1", "$2", "$3")
    house.store.before = [ObjectStoreRejectedError("403")]
    for _ in range(3):
        assert await house.writer.step()
    states = await house.states()
    assert sorted(states.values()) == [EntryState.SEALED, EntryState.STORED, EntryState.STORED]


async def test_another_object_under_the_key_is_never_overwritten(house: House) -> None:
    """A conflict leaves the stranger as it is, the entry sealed, and says so."""
    await _sealed(house)
    (entry,) = await house.entries()
    assert entry.record is not None
    key = entry.record.key
    await house.store.put(key, ObjectBody.of(b"foreign"), retain_until=None)
    assert await house.writer.step()
    assert house.store.objects[key].data == b"foreign"
    assert (await house.states())["$1"] is EntryState.SEALED
    assert await house.leaves("stored") == []
    assert "other bytes" in house.writer.health


@pytest.mark.parametrize("point", ["before put records", "after put records"])
async def test_a_put_that_is_cancelled_is_made_again(house: House, point: str) -> None:
    """A stop around a put, landed or not, gives the lease back, and the next try ends it."""
    await _sealed(house)
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.writer.step()
    assert house.writer.in_hand == 0
    assert await house.writer.step()
    assert len(house.objects("records")) == 1
    assert len(await house.leaves("stored")) == 1


async def test_a_stop_in_the_middle_of_a_put_ends_the_workers(house: House) -> None:
    """Cancelling the loop while the store is silent ends it at once; nothing is lost."""
    await _sealed(house, "$1", "$2")
    house.store.gate = asyncio.Event()
    running = house.start(house.writer.run)
    await until(lambda: len(house.store.attempts) == 2)
    assert house.writer.in_hand == 2
    await stopped(running)
    house.store.gate = None
    assert await house.writer.step()
    assert await house.writer.step()
    assert len(await house.leaves("stored")) == 2


async def test_workers_never_put_the_same_entry(house: House) -> None:
    """Several workers side by side store each entry once."""
    names = [f"${i}" for i in range(12)]
    await _sealed(house, *names)
    running = house.start(house.writer.run)
    await until(lambda: len(house.store.attempts) == 12 and house.writer.in_hand == 0)
    await stopped(running)
    assert len(set(house.store.attempts)) == 12
    assert len(await house.leaves("stored")) == 12


async def test_a_medium_is_put_before_the_record_that_names_it(house: House) -> None:
    """Media first, then the record; the spool file goes after the receipt."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.downloads.step()
    await house.triage.step()
    assert len(house.spool.files) == 1
    await house.writer.step()
    media, record = house.store.attempts
    named = json.loads(house.store.objects[record].data)["media"][0]
    assert media == f"{record.rpartition('/')[0]}/{named['object']}"
    assert house.store.objects[media].data == DATA
    assert house.store.objects[media].content_type == "application/octet-stream"
    assert house.spool.files == {}
    assert await house.journal.spooled() == frozenset()


async def test_a_medium_that_cannot_be_put_holds_its_record(house: House) -> None:
    """No record is stored that names a medium which is not there."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.downloads.step()
    await house.triage.step()
    house.store.before = [ObjectStoreUnavailableError("503")]
    await house.writer.step()
    assert house.store.objects == {}
    house.later(seconds=1)
    await house.writer.step()
    assert len(house.store.objects) == 2


async def test_a_spool_file_that_is_gone_is_no_reason_to_stop(house: House) -> None:
    """A file that disappeared from the spool puts its entry off; the others are stored."""
    await house.hear(samples.event("$1", attachments=[PLAN]), samples.event("$2"))
    await house.downloads.step()
    await house.triage.step()
    house.spool.files.clear()
    assert await house.writer.step()
    assert await house.writer.step()
    states = await house.states()
    assert states == {"$1": EntryState.SEALED, "$2": EntryState.STORED}


async def test_a_promoted_discard_is_stored_as_it_was_seen(house: House) -> None:
    """The object of a promoted message has the digest that its seen leaf named long before."""
    house.says("$1", Outcome.DISCARD)
    house.says("$2", Outcome.CAPTURE, "$1")
    await house.hear(samples.event("$1", attachments=[PLAN], timer=20))
    await house.settle()
    seen = (await house.leaves("seen"))[0]
    house.later(hours=1)
    now = house.clock.now()
    await house.hear(samples.event("$2", sent_at=now, observed_at=now))
    await house.settle()
    digests = [Digest.of(data).hex for data in house.objects("records").values()]
    assert seen["d"] in digests
    assert len([key for key in house.store.objects if "/media/" in key]) == 1
    assert await house.leaves("late") == []


async def test_a_journal_that_fails_is_waited_for(house: House) -> None:
    """A worker that cannot claim says why and goes on when the journal does."""
    await _sealed(house)
    await house.journal._writer.execute("PRAGMA query_only = ON")
    running = house.start(house.writer.run)
    await until(lambda: len(house.clock.slept) >= 2)
    assert house.writer.health
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: house.writer.health == "")
    await stopped(running)
    assert (await house.states())["$1"] is EntryState.STORED
    assert len(await house.leaves("stored")) == 1


async def test_the_capture_delay_is_from_receipt_to_storage(house: House) -> None:
    """It is measured on live messages without attachments, which have nothing to wait for."""
    await house.hear(samples.event("$1"))
    assert house.writer.capture_delay is None
    house.later(seconds=3)
    await house.settle()
    assert house.writer.capture_delay == timedelta(seconds=3)
    plan = samples.attachment("plan.pdf")
    await house.hear(samples.event("$2", attachments=[plan]))
    house.later(seconds=300)
    await house.settle()
    assert house.writer.capture_delay == timedelta(seconds=3)


async def test_what_became_significant_later_tells_nothing_of_the_capture_delay(
    house: House,
) -> None:
    """A discard that an answer promoted was not slow to store: no timer is too short for it."""
    house.says("$question", Outcome.DISCARD)
    house.says("$answer", Outcome.CAPTURE, "$question")
    await house.hear(samples.event("$question"))
    await house.settle()
    now = house.later(minutes=10)
    await house.hear(samples.event("$answer", observed_at=now, sent_at=now))
    house.later(seconds=2)
    await house.settle()
    assert set((await house.states()).values()) == {EntryState.STORED}
    assert house.writer.capture_delay == timedelta(seconds=2)
    assert house.writer.capture_delays.upto[-1] == (float("inf"), 1)


async def test_a_store_that_answers_again_ends_the_pauses_of_its_silence(house: House) -> None:
    """The first success lets all try that it kept waiting; a conflict serves out its own pause."""
    await house.hear(*(samples.event(f"${i}") for i in range(3)))
    await house.triage.step()
    house.store.before = [ObjectStoreUnavailableError("silent")] * 2
    assert [await house.writer.step() for _ in range(3)] == [True] * 3
    states = await house.states()
    assert sorted(states.values()).count(EntryState.STORED) == 1
    assert [await house.writer.step() for _ in range(3)] == [True, True, False]
    assert set((await house.states()).values()) == {EntryState.STORED}


async def test_what_is_counted_for_metrics_is_of_first_copies(house: House) -> None:
    """How long it took, and what was left of the timer; a refused put counts as one."""
    await house.hear(samples.event("$1", timer=60.0))
    house.later(seconds=3)
    house.store.before = [ObjectStoreUnavailableError("503")]
    await house.triage.step()
    assert await house.writer.step()
    house.later(seconds=7)
    await house.settle()
    assert house.writer.refusals == 1
    assert house.writer.capture_delays.upto[-1] == (float("inf"), 1)
    assert house.writer.capture_delays.total == 10
    assert house.writer.margins.upto[-1] == (float("inf"), 1)
    assert house.writer.margins.total == 50


async def test_what_is_stored_too_late_has_no_margin_left(house: House) -> None:
    """It counts below the bound 0, and so does what was stored in the last moment."""
    await house.hear(samples.event("$1", timer=60.0))
    house.later(seconds=90)
    await house.settle()
    assert house.writer.margins.upto[0] == (0.0, 1)
