"""What every journal promises when the store shows what it does not know: new streams."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import EventKind, Outcome
from bridge.protocols import DownloadState, EarlierStream, PlacementKind
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    GROUP_ID,
    NOW,
    attachment,
    batch,
    event,
    proof,
    sealing,
    verdict,
)

SINCE = NOW - timedelta(hours=2)


def _earlier(
    stream: str = "a" * 16, *, group_id: str = GROUP_ID, last_n: int = 41, known: bool = True
) -> EarlierStream:
    return EarlierStream(
        connector=CONNECTOR,
        group_id=group_id,
        stream=stream,
        last_n=last_n,
        since=SINCE if known else None,
        until=NOW,
    )


async def _acts(subject: Subject) -> list[dict[str, object]]:
    """Every act that waits, with its kind as the journal has it."""
    return [json.loads(each.body) for each in await subject.journal.placements(limit=99)]


async def test_a_new_stream_names_the_earlier_one(subject: Subject) -> None:
    """Its open act has the earlier stream, its last number and the unknown period."""
    await subject.journal.supersede([_earlier()], at=NOW)
    (act,) = await _acts(subject)
    assert (act["kind"], act["at"]) == ("open", "2026-03-01T09:00:00.000Z")
    assert act["previous"] == {
        "stream": "a" * 16,
        "last_n": 41,
        "from": "2026-03-01T07:00:00.000Z",
        "to": "2026-03-01T09:00:00.000Z",
    }
    assert act["stream"] != "a" * 16
    (entry,) = await subject.received()
    assert (entry.stream.id, entry.n) == (act["stream"], 0)
    assert "previous" not in json.dumps([leaf.k for leaf in subject.leaves()])


async def test_the_unknown_period_is_the_first_gap(subject: Subject) -> None:
    """Nothing stands before it in the new stream."""
    await subject.journal.supersede([_earlier()], at=NOW)
    (entry,) = await subject.received()
    (leaf,) = subject.leaves("gap")
    assert (leaf.s, leaf.after, leaf.why) == (entry.stream.id, -1, "journal_replaced")
    (gap,) = await subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert (gap.why, gap.since, gap.until) == ("journal_replaced", SINCE, NOW)


async def test_a_beginning_that_nobody_knows_is_left_out(subject: Subject) -> None:
    """The period may have no known beginning."""
    await subject.journal.supersede([_earlier(known=False)], at=NOW)
    (act,) = await _acts(subject)
    assert "from" not in json.dumps(act["previous"])
    (gap,) = await subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert (gap.since, gap.until) == (None, NOW)


async def test_repeating_it_changes_nothing(subject: Subject) -> None:
    """The same earlier stream is replaced once, at once or after a restart."""
    await subject.journal.supersede([_earlier(), _earlier()], at=NOW)
    await asyncio.gather(*(subject.journal.supersede([_earlier()], at=LATER) for _ in range(3)))
    await subject.restart()
    await subject.journal.supersede([_earlier(last_n=99)], at=LATER)
    assert len(await _acts(subject)) == 1
    assert len(subject.leaves()) == 1


async def test_each_group_has_its_own(subject: Subject) -> None:
    """Groups are replaced one by one; one that is not in the register is left out until it is."""
    await subject.admit("!other")
    earlier = [
        _earlier("a" * 16),
        _earlier("b" * 16, group_id="!other"),
        _earlier("c" * 16, group_id="!unknown"),
    ]
    await subject.journal.supersede(earlier, at=NOW)
    assert len(await _acts(subject)) == len(subject.leaves("gap")) == 2
    await subject.admit("!unknown")
    await subject.journal.supersede(earlier, at=NOW)
    assert len(await _acts(subject)) == len(subject.leaves("gap")) == 3


async def test_two_lost_journals_are_both_named(subject: Subject) -> None:
    """Each earlier stream of a group is named by an open act, the last one by the open stream."""
    await subject.journal.supersede([_earlier("a" * 16), _earlier("b" * 16)], at=NOW)
    acts = [act for act in await _acts(subject) if act["kind"] == "open"]
    named = [act["previous"] for act in acts]
    assert [json.dumps(each).count("a" * 16) for each in named] == [1, 0]
    (entry,) = await subject.received()
    assert entry.stream.id == acts[-1]["stream"]


async def test_the_unsealed_move_with_new_numbers(subject: Subject) -> None:
    """Of a stream that the lost journal wrote on, sealed entries stay and the others leave."""
    gone = await subject.sealed(DISCARD, of=event("$gone"))
    waiting = await subject.judged(of=event("$judged"))
    sealed = await subject.sealed(of=event("$sealed"))
    (received,) = await subject.received(event("$received", revision="u7"))
    old = sealed.stream.id
    await subject.journal.supersede([_earlier(old)], at=NOW)
    for before in (gone, sealed):
        assert await subject.entry(before.seq) == before
    judged, last = await subject.entry(waiting.seq), await subject.entry(received.seq)
    assert judged.stream.id == last.stream.id != old
    assert judged.stream.gid == sealed.stream.gid
    assert (judged.n, last.n) == (0, 1)
    assert (judged.state, judged.verdict) == (EntryState.RECEIVED, None)
    assert (judged.event, last.event) == (waiting.event, received.event)
    assert (judged.safe_by, judged.expires_at) == (waiting.safe_by, waiting.expires_at)
    assert {e.seq for e in await subject.claimed(EntryState.RECEIVED)} == {judged.seq, last.seq}
    assert [act["kind"] for act in await _acts(subject)] == ["open", "open"]


async def test_what_moved_goes_its_way(subject: Subject) -> None:
    """It is judged, sealed and stored in the new stream, before what comes later."""
    waiting = await subject.judged(of=event("$1"))
    await subject.journal.supersede([_earlier(waiting.stream.id)], at=NOW)
    await subject.restart()
    await subject.journal.judge([(waiting.seq, verdict())])
    moved = await subject.entry(waiting.seq)
    assert moved.verdict == verdict()
    await subject.journal.seal([sealing(moved)])
    await subject.journal.store([proof(await subject.entry(moved.seq))])
    (seen,) = subject.leaves("seen")
    assert (seen.s, seen.n) == (moved.stream.id, 0)
    (later,) = await subject.received(event("$2", kind=EventKind.ROSTER))
    assert (later.stream.id, later.n) == (moved.stream.id, 1)
    assert await subject.journal.find(moved.stream.id, "$1") == await subject.entry(moved.seq)
    assert await subject.journal.find(waiting.stream.id, "$1") is None


async def test_what_moved_is_not_received_twice(subject: Subject) -> None:
    """Delivered again, it is known in its new stream; it was seen by the group all along."""
    (entry,) = await subject.received(event("$1"))
    await subject.journal.supersede([_earlier(entry.stream.id)], at=NOW)
    again = await subject.journal.append(batch(event("$1")))
    assert (again.new, again.repeated) == (0, 1)
    assert await subject.journal.has_seen(CONNECTOR, GROUP_ID, ["$1"]) == {"$1"}


async def test_what_is_sealed_is_stored_as_it_is(subject: Subject) -> None:
    """Bytes that were fixed go to the store under the old stream."""
    sealed = await subject.sealed()
    await subject.journal.supersede([_earlier(sealed.stream.id)], at=NOW)
    (claimed,) = await subject.claimed(EntryState.SEALED)
    assert claimed == sealed
    await subject.journal.store([proof(claimed)])
    assert (await subject.entry(sealed.seq)).state is EntryState.STORED


async def test_a_stream_of_its_own_is_closed_whole(subject: Subject) -> None:
    """A stream that nobody else wrote ends with its total, and no number is missing in it."""
    late = await subject.judged(of=event("$late"))
    sealed = await subject.sealed(of=event("$sealed"))
    (moved,) = await subject.received(event("$moved"))
    await subject.journal.supersede([_earlier()], at=NOW)
    stays = await subject.entry(late.seq)
    assert (stays.stream.id, stays.n, stays.state) == (sealed.stream.id, 0, EntryState.JUDGED)
    after = await subject.entry(moved.seq)
    assert (after.stream.id != sealed.stream.id, after.n) == (True, 0)
    closed = [
        each
        for each in await subject.journal.placements(limit=9)
        if each.kind is PlacementKind.CLOSE
    ]
    assert [(each.stream, each.total) for each in closed] == [(sealed.stream.id, 2)]


@pytest.mark.parametrize("arrived", [False, True])
async def test_attachments_move_along(subject: Subject, *, arrived: bool) -> None:
    """Orders, files in the spool and leases of what moved hold in the new stream."""
    entry, order = await subject.with_order(attachment("a"), attachment("b"))
    if arrived:
        await subject.downloaded(order)
    await subject.journal.supersede([_earlier(entry.stream.id)], at=NOW)
    if not arrived:
        await subject.downloaded(order)
    await subject.restart()
    first, second = await subject.journal.media(entry.seq)
    assert (first.state, second.state) == (DownloadState.SPOOLED, DownloadState.WAITING)
    assert [media.attachment.name for media in (first, second)] == ["a", "b"]
    assert first.file is not None
    assert await subject.journal.spooled() == {first.file.name}
    assert (await subject.order()).attachment == second.attachment
    await subject.journal.judge([(entry.seq, verdict())])
    await subject.journal.seal([sealing(await subject.entry(entry.seq), media=1)])
    assert (await subject.entry(entry.seq)).state is EntryState.SEALED


async def test_a_late_medium_goes_to_the_new_stream(subject: Subject) -> None:
    """What a sealed message still waits for is not lost with its stream."""
    entry, order = await subject.with_order()
    await subject.journal.seal([sealing(entry)])
    await subject.journal.supersede([_earlier(entry.stream.id)], at=NOW)
    await subject.downloaded(order)
    (late,) = await subject.claimed(EntryState.RECEIVED)
    assert (late.event.kind, late.event.revision) == (EventKind.MEDIA, "media-0")
    assert (late.n, late.stream.id != entry.stream.id) == (0, True)


async def test_a_verdict_of_before_changes_nothing_bad(subject: Subject) -> None:
    """Who judges while the stream is replaced leaves an entry that can be read and judged."""
    (entry,) = await subject.received()
    await asyncio.gather(
        subject.journal.supersede([_earlier(entry.stream.id)], at=NOW),
        subject.journal.judge([(entry.seq, verdict())]),
    )
    now = await subject.entry(entry.seq)
    assert (now.n, now.stream.id != entry.stream.id) == (0, True)
    await subject.journal.judge([(entry.seq, verdict(Outcome.REVIEW))])
    judged = await subject.entry(entry.seq)
    assert judged.state is EntryState.JUDGED
    assert judged.verdict in {verdict(), verdict(Outcome.REVIEW)}


async def test_a_seal_of_before_changes_nothing(subject: Subject) -> None:
    """Bytes that were made for the old number are not fixed under the new one."""
    entry = await subject.judged()
    made = sealing(entry)
    await subject.journal.supersede([_earlier(entry.stream.id)], at=NOW)
    await subject.journal.seal([made])
    assert (await subject.entry(entry.seq)).state is EntryState.RECEIVED
    assert subject.leaves("seen") == []


async def test_deliveries_meanwhile_lose_nothing(subject: Subject) -> None:
    """Events that come while the stream is replaced are each there once."""
    (first,) = await subject.received(event("$first"))
    await asyncio.gather(
        *(subject.journal.append(batch(event(f"${i}"))) for i in range(5)),
        subject.journal.supersede([_earlier(first.stream.id)], at=NOW),
        *(subject.journal.append(batch(event(f"${i}"))) for i in range(5, 9)),
    )
    entries = await subject.claimed(EntryState.RECEIVED)
    names = {entry.event.upstream_id for entry in entries}
    assert names == {"$first", *(f"${i}" for i in range(9))}
    assert first.stream.id not in {entry.stream.id for entry in entries}
    assert sorted(e.n for e in entries) == list(range(10))


async def test_nothing_of_an_unknown_group_is_written(subject: Subject) -> None:
    """A group that nobody listed gets no stream."""
    await subject.journal.supersede([replace(_earlier(), connector="nobody")], at=NOW)
    assert await subject.journal.placements(limit=9) == ()
    assert subject.leaves() == []
