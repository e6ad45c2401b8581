"""What every journal promises of a delivery: all of it or nothing, once, and in order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import Attachment, CaptureMethod, EventKind, Relation, RelationType
from bridge.protocols import Appended, PlacementKind
from tests.contracts.journal.subjects import LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    GROUP_ID,
    NOW,
    attachment,
    batch,
    event,
    sighting,
    spooled,
)

RECEIVED = EntryState.RECEIVED


async def test_no_cursor_before_the_first_batch(subject: Subject) -> None:
    """A connector that never delivered stands nowhere."""
    assert await subject.journal.cursor(CONNECTOR) is None


async def test_the_cursor_stands_with_its_events(subject: Subject) -> None:
    """After an append the connector stands where the batch said, and its events are there."""
    await subject.journal.append(batch(event(), cursor=b"\x00one"))
    await subject.restart()
    assert await subject.journal.cursor(CONNECTOR) == b"\x00one"
    assert len(await subject.claimed(RECEIVED)) == 1


async def test_each_connector_has_its_own_cursor(subject: Subject) -> None:
    """Two connectors do not move each other."""
    await subject.journal.append(batch(cursor=b"a", connector="one"))
    await subject.journal.append(batch(cursor=b"b", connector="two"))
    assert await subject.journal.cursor("one") == b"a"
    assert await subject.journal.cursor("two") == b"b"


async def test_a_batch_without_a_cursor_moves_nothing(subject: Subject) -> None:
    """Events the bridge derives itself leave the connector where it is."""
    await subject.journal.append(batch(cursor=b"here"))
    await subject.journal.append(batch(event(), cursor=None))
    assert await subject.journal.cursor(CONNECTOR) == b"here"


async def test_an_unlisted_group_is_our_own_mistake(subject: Subject) -> None:
    """Events of a group that is not in the register are refused, and nothing of the batch is."""
    with pytest.raises(RuntimeError, match="not listed"):
        await subject.journal.append(batch(event(), event(group_id="!other"), cursor=b"new"))
    assert await subject.journal.cursor(CONNECTOR) is None
    assert await subject.claimed(RECEIVED) == ()
    assert subject.leaves() == []


async def test_an_event_reads_back_as_it_was(subject: Subject) -> None:
    """Every field of an event survives, to the microsecond and the byte."""
    whole = event(
        "$whole",
        revision="u7",
        kind=EventKind.POLL,
        sent_at=NOW - timedelta(microseconds=1),
        observed_at=NOW + timedelta(microseconds=1),
        body="a\x00b \U0001f6a8",
        relates_to=Relation(type=RelationType.THREAD, upstream_id="$0"),
        attachments=[Attachment(url="mxc://a/b"), attachment(size=None)],
        timer=0.5,
        upstream=(("depth", "1"), ("depth", "2")),
        method=CaptureMethod.BACKFILL,
        raw=bytes(range(256)),
    )
    await subject.journal.append(batch(whole))
    await subject.restart()
    (entry,) = await subject.claimed(RECEIVED)
    assert entry.event == whole


async def test_what_no_encoding_carries_survives(subject: Subject) -> None:
    """Lone surrogates and endless integers do not keep an event or its neighbours out."""
    hostile = event("\ud800", body="\udc00 \ud800", attachments=[attachment("\ud800", size=2**70)])
    await subject.journal.append(batch(event("$a"), hostile, event("$b")))
    await subject.restart()
    found = {entry.n: entry for entry in await subject.claimed(RECEIVED)}
    assert found[1].event == hostile
    assert [media.attachment for media in await subject.journal.media(found[1].seq)] == list(
        hostile.attachments
    )
    assert len(found) == 3


async def test_a_new_entry_is_received_and_nothing_more(subject: Subject) -> None:
    """A new entry has a number, its stream and its deadlines, and no verdict or record."""
    (entry,) = await subject.received(event(timer=60))
    assert (entry.n, entry.state, entry.attempts) == (0, RECEIVED, 0)
    assert (entry.verdict, entry.record, entry.seen_leaf, entry.stored_at) == (None,) * 4
    assert entry.safe_by == NOW + timedelta(seconds=48)
    assert entry.expires_at == NOW + timedelta(seconds=60)
    assert (entry.stream.group_id, entry.stream.group_name) == (GROUP_ID, "Flood cell")


async def test_without_a_timer_nothing_expires(subject: Subject) -> None:
    """A message without a timer is to be safe within a minute and never expires."""
    (entry,) = await subject.received(event(sent_at=None))
    assert (entry.safe_by, entry.expires_at) == (NOW + timedelta(seconds=60), None)


async def test_a_repeated_event_changes_nothing(subject: Subject) -> None:
    """An event already there by stream, upstream id and revision counts as repeated."""
    (entry,) = await subject.received(event())
    again = await subject.journal.append(batch(event(body="other"), cursor=b"second"))
    assert again == Appended(new=0, repeated=1)
    assert await subject.entry(entry.seq) == entry
    assert await subject.journal.cursor(CONNECTOR) == b"second"


async def test_a_repeat_within_one_batch(subject: Subject) -> None:
    """The same event twice in one batch is there once, and leaves no hole in the numbers."""
    appended = await subject.journal.append(batch(event("$1"), event("$1"), event("$2")))
    assert (appended.new, appended.repeated) == (2, 1)
    assert sorted(entry.n for entry in await subject.claimed(RECEIVED)) == [0, 1]


async def test_a_repeat_makes_no_second_orders(subject: Subject) -> None:
    """A repeated event brings neither its attachments nor its gap once more."""
    lost = event("$x", attachments=[attachment()], missing="expired")
    (entry,) = await subject.received(lost)
    await subject.journal.append(batch(lost))
    assert len(await subject.journal.media(entry.seq)) == 1
    assert len(subject.leaves("gap")) == 1


async def test_a_revision_is_another_event(subject: Subject) -> None:
    """The same upstream id with another revision, or in another group, is an event of its own."""
    await subject.admit("!other")
    appended = await subject.journal.append(
        batch(event(), event(revision="a"), event(revision="b"), event(group_id="!other"))
    )
    assert (appended.new, appended.repeated) == (4, 0)


async def test_numbers_have_no_holes(subject: Subject) -> None:
    """Each stream counts from 0 by itself, across batches, repeats and restarts."""
    groups = [GROUP_ID, "!b", "!c"]
    await subject.admit("!b", "!c")
    for i in range(30):
        one = event(f"${i // 2}", group_id=groups[i % 3])
        await subject.journal.append(batch(one, one, event(f"$x{i}", group_id=groups[i % 2])))
        if i % 10 == 0:
            await subject.restart()
    found: dict[str, list[int]] = {}
    for entry in await subject.claimed(RECEIVED):
        found.setdefault(entry.stream.group_id, []).append(entry.n)
    assert len(found) == 3
    assert all(sorted(numbers) == list(range(len(numbers))) for numbers in found.values())


async def test_two_hundred_producers_at_once(subject: Subject) -> None:
    """Appends made at the same time are merged without a hole, a loss or a wrong answer."""
    groups = [GROUP_ID, "!b", "!c", "!d"]
    await subject.admit(*groups[1:])
    answers = await asyncio.gather(
        *(
            subject.journal.append(
                batch(
                    event(f"${i}a", group_id=groups[i % 4]),
                    event(f"${i // 8}", group_id=groups[i % 4]),
                    cursor=str(i).encode(),
                    connector=CONNECTOR,
                )
            )
            for i in range(200)
        )
    )
    entries = await subject.claimed(RECEIVED)
    assert sum(answer.new for answer in answers) == len(entries) == 300
    assert sum(answer.repeated for answer in answers) == 100
    assert sorted(g for answer in answers for g in answer.opened) == sorted(groups)
    for group_id in groups:
        numbers = [entry.n for entry in entries if entry.stream.group_id == group_id]
        assert sorted(numbers) == list(range(75))
    assert await subject.journal.cursor(CONNECTOR) == b"199"


async def test_one_batch_in_its_order(subject: Subject) -> None:
    """Events of a batch get their numbers in the order of the batch."""
    entries = await subject.received(*(event(f"${i}") for i in range(450)))
    assert [entry.event.upstream_id for entry in sorted(entries, key=lambda e: e.n)] == [
        f"${i}" for i in range(450)
    ]


async def test_the_first_event_opens_the_stream(subject: Subject) -> None:
    """A group's first event opens its stream and queues one `open` act; later ones do not."""
    first = await subject.journal.append(batch(event("$1")))
    second = await subject.journal.append(batch(event("$2")))
    assert (first.opened, second.opened) == ((GROUP_ID,), ())
    (entry, _) = await subject.claimed(RECEIVED)
    (act,) = await subject.journal.placements(limit=9)
    assert (act.kind, act.stream, act.total) == (PlacementKind.OPEN, entry.stream.id, None)
    assert (act.folder, act.group_id) == (f"acts/{NOW:%Y/%m/%d}", GROUP_ID)
    assert entry.stream.id.encode() in act.body


async def test_the_stream_stays_open_over_a_restart(subject: Subject) -> None:
    """A restart goes on in the same stream."""
    (before,) = await subject.received(event("$1"))
    await subject.restart()
    (after,) = await subject.received(event("$2"))
    assert (after.stream, after.n) == (before.stream, 1)


async def test_nothing_opens_without_an_event(subject: Subject) -> None:
    """An empty batch opens no stream and writes no leaf."""
    assert await subject.journal.append(batch()) == Appended(new=0, repeated=0)
    assert await subject.journal.placements(limit=9) == ()
    assert subject.leaves() == []


async def test_names_are_blinded(subject: Subject) -> None:
    """Neither id of a stream shows the group, and the two are not the same."""
    (entry,) = await subject.received(event())
    assert GROUP_ID not in entry.stream.id + entry.stream.gid
    assert entry.stream.id != entry.stream.gid
    assert len(entry.stream.id) == len(entry.stream.gid) == 16


async def test_events_of_other_groups_are_only_counted(subject: Subject) -> None:
    """What is not listed is a number that grows."""
    await subject.journal.append(batch(unlisted=3))
    await subject.journal.append(batch(event(), unlisted=4))
    assert (await subject.journal.tally(now=NOW)).unlisted == 7


async def test_a_cancelled_append_still_happens(subject: Subject) -> None:
    """An append whose caller is cancelled once it began is there, and the next one works."""
    await subject.received(event("$0"))
    task = asyncio.create_task(subject.journal.append(batch(event("$1"), cursor=b"one")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    again = await subject.journal.append(batch(event("$1"), cursor=b"two"))
    assert (again.new, again.repeated) == (0, 1)


async def test_an_append_wakes_who_waits(subject: Subject) -> None:
    """Waiting for received entries ends with the next append."""
    task = asyncio.create_task(subject.journal.work(RECEIVED, seconds=600))
    await asyncio.sleep(0)
    await subject.journal.append(batch(event()))
    await task
    assert len(await subject.claimed(RECEIVED)) == 1


async def test_orders_stand_with_their_event(subject: Subject) -> None:
    """Each attachment of a new event is an order that is due with it."""
    (entry,) = await subject.received(
        event(timer=40, attachments=[attachment("a"), attachment("b")])
    )
    orders = [await subject.order(), await subject.order()]
    assert sorted(order.i for order in orders) == [0, 1]
    assert {(o.seq, o.due, o.attempts, o.group_id) for o in orders} == {
        (entry.seq, entry.safe_by, 0, GROUP_ID)
    }
    assert await subject.journal.claim_download(now=LATER) is None


async def test_a_close_between_two_appends(subject: Subject) -> None:
    """Appends and closes made at the same time leave every number below its stream's total."""
    group = await subject.group()
    await asyncio.gather(
        *(
            subject.journal.close_stream(group, at=NOW)
            if i % 5 == 4
            else subject.journal.append(batch(event(f"${i}")))
            for i in range(60)
        )
    )
    await subject.journal.close_stream(group, at=NOW)
    totals = {
        act.stream: act.total
        for act in await subject.journal.placements(limit=999)
        if act.kind is PlacementKind.CLOSE
    }
    entries = await subject.claimed(RECEIVED)
    assert len(entries) == 48
    found: dict[str, list[int]] = {}
    for entry in entries:
        found.setdefault(entry.stream.id, []).append(entry.n)
    assert {s: sorted(numbers) for s, numbers in found.items()} == {
        s: list(range(total or 0)) for s, total in totals.items() if total
    }


async def test_sightings_come_before_events(subject: Subject) -> None:
    """A batch that renames the group shows its own events under the new name."""
    await subject.journal.append(batch(event(), sightings=[sighting(name="Drought cell")]))
    (entry,) = await subject.claimed(RECEIVED)
    assert entry.stream.group_name == "Drought cell"


async def test_a_file_for_a_destroyed_event_is_not_wanted(subject: Subject) -> None:
    """An order that never was takes no file."""
    await subject.received(event(attachments=[attachment()]))
    order = await subject.order()
    stranger = replace(order, id=order.id + 1000)
    assert not await subject.journal.downloaded(stranger, spooled(), at=NOW)


async def test_a_close_within_a_long_append(subject: Subject) -> None:
    """A stream that is closed while a long batch is made ready takes none of it: the next does."""
    await subject.received(event("$first"))
    long = [event(f"${i}") for i in range(450)]
    appended, _ = await asyncio.gather(
        subject.journal.append(batch(*long)),
        subject.journal.close_stream(await subject.group(), at=NOW),
    )
    assert appended.new == 450
    totals = [p.total for p in await subject.journal.placements(limit=9) if p.total is not None]
    streams: dict[str, list[int]] = {}
    for entry in await subject.claimed(RECEIVED):
        streams.setdefault(entry.stream.id, []).append(entry.n)
    assert [len(numbers) for numbers in streams.values()][: len(totals)] == totals
    assert all(sorted(numbers) == list(range(len(numbers))) for numbers in streams.values())
