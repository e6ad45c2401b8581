"""What every journal promises of manifest parts and acts: fixed bytes, one number, one leaf."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import NoticeState, Outcome
from bridge.protocols import ManifestPlace, Placement, PlacementKind
from tests.contracts.journal.subjects import DISCARD, Subject
from tests.fakes.samples import (
    NOW,
    batch,
    event,
    group,
    placed_leaf,
    placement,
    proof,
    sealing,
    verdict,
)

MANIFEST = PlacementKind.MANIFEST
FREE = frozenset(
    {PlacementKind.STEP, PlacementKind.AUDIT, PlacementKind.HOLD, PlacementKind.RELEASE}
)
"""What waits for no group."""


async def _place(subject: Subject, which: Placement) -> Placement:
    """Number a document and place it."""
    numbered = await subject.journal.number(which)
    assert numbered.number is not None
    await subject.journal.place(numbered, leaf=placed_leaf(numbered, number=numbered.number))
    return numbered


async def _due(subject: Subject, *, limit: int = 9) -> list[int]:
    """What waits for a manifest, over all places."""
    places = await subject.journal.manifest_places()
    return [
        entry.seq
        for place in places
        for entry in await subject.journal.manifest_due(place, limit=limit)
    ]


async def _waiting(subject: Subject) -> list[Placement]:
    return list(await subject.journal.placements(limit=99))


async def test_sealed_entries_wait_for_a_manifest(subject: Subject) -> None:
    """What is sealed is due for a manifest, discards and restricted ones too; judged is not."""
    await subject.judged(of=event("$judged"))
    decisions = [verdict(), DISCARD, verdict(Outcome.REVIEW, restricted=True)]
    sealed = [
        await subject.sealed(decision, of=event(f"${i}")) for i, decision in enumerate(decisions)
    ]
    assert await _due(subject) == [entry.seq for entry in sealed]
    assert len(await _due(subject, limit=2)) == 2


async def test_rows_wait_by_the_day_of_their_group(subject: Subject) -> None:
    """Each group's day is a place of its own, named once, and gives its own rows alone."""
    await subject.admit("!other")
    before = NOW - timedelta(days=1)
    entries = [
        await subject.sealed(of=each)
        for each in (
            event("$1"),
            event("$2", observed_at=before),
            event("$3", group_id="!other"),
            event("$4"),
        )
    ]
    gid, other = entries[0].stream.gid, entries[2].stream.gid
    places = {
        ManifestPlace(gid=gid, day="2026/03/01"): [entries[0].seq, entries[3].seq],
        ManifestPlace(gid=gid, day="2026/02/28"): [entries[1].seq],
        ManifestPlace(gid=other, day="2026/03/01"): [entries[2].seq],
    }
    found = await subject.journal.manifest_places()
    assert len(found) == len(places)
    for place in found:
        due = await subject.journal.manifest_due(place, limit=9)
        assert [entry.seq for entry in due] == places[place]
    nowhere = ManifestPlace(gid=gid, day="2026/03/02")
    assert await subject.journal.manifest_due(nowhere, limit=9) == ()


async def test_nothing_waits_in_a_new_journal(subject: Subject) -> None:
    """Without sealed entries there is no place."""
    await subject.judged()
    assert await subject.journal.manifest_places() == ()


async def test_a_manifest_names_its_rows_once(subject: Subject) -> None:
    """What a queued part names is due no longer; a document without rows takes none."""
    one, two = await subject.sealed(of=event("$1")), await subject.sealed(of=event("$2"))
    await subject.journal.queue(placement())
    assert len(await _due(subject)) == 2
    await subject.journal.queue(
        placement(MANIFEST, folder="manifests/a/2026/03/01"), rows=[(one.seq, Outcome.CAPTURE)]
    )
    assert await _due(subject) == [two.seq]
    await subject.restart()
    assert await _due(subject) == [two.seq]


async def test_a_new_decision_is_due_again(subject: Subject) -> None:
    """A promoted entry stands in another manifest part; storing it changes nothing there."""
    entry = await subject.sealed(DISCARD)
    await subject.journal.queue(placement(MANIFEST), rows=[(entry.seq, Outcome.DISCARD)])
    assert await _due(subject) == []
    await subject.promote(entry)
    assert await _due(subject) == [entry.seq]
    await subject.journal.queue(placement(MANIFEST), rows=[(entry.seq, Outcome.DISCARD)])
    assert await _due(subject) == [entry.seq]
    await subject.journal.queue(placement(MANIFEST), rows=[(entry.seq, Outcome.CAPTURE)])
    await subject.journal.store([proof(await subject.entry(entry.seq))])
    assert await subject.journal.manifest_places() == ()


async def test_a_document_keeps_its_bytes(subject: Subject) -> None:
    """What was fixed comes back as it was, with an id, until it is placed."""
    made = placement(
        PlacementKind.CLOSE, body=bytes(range(256)), stream="0" * 16, total=7, folder="acts/x"
    )
    await subject.journal.queue(made)
    await subject.restart()
    (found,) = await _waiting(subject)
    assert found.id > 0
    assert (found.kind, found.body, found.folder) == (made.kind, made.body, made.folder)
    assert (found.stream, found.total, found.at) == (made.stream, 7, NOW)
    assert (found.connector, found.group_id) == (made.connector, made.group_id)


async def test_the_oldest_document_comes_first(subject: Subject) -> None:
    """Documents are given in the order they were fixed, no more than asked for."""
    for i in range(5):
        await subject.journal.queue(placement(body=b"%d" % i))
    assert [each.body for each in await subject.journal.placements(limit=3)] == [b"0", b"1", b"2"]


async def test_a_document_is_read_by_its_id(subject: Subject) -> None:
    """A document comes with its bytes, before its number, with it, and once it is placed."""
    await subject.journal.queue(placement(body=b"words"))
    (waiting,) = await _waiting(subject)
    assert await subject.journal.document(waiting.id) == waiting
    placed = await _place(subject, waiting)
    assert await subject.journal.document(waiting.id) == placed
    assert placed.body == b"words"
    assert await subject.journal.document(999) is None


async def test_a_placed_document_has_one_leaf(subject: Subject) -> None:
    """Once placed a document waits no longer, and its leaf stands in the log."""
    await subject.journal.queue(placement())
    (found,) = await _waiting(subject)
    await _place(subject, found)
    assert await _waiting(subject) == []
    assert [leaf.k for leaf in subject.leaves()] == ["step"]


async def test_placing_twice_writes_one_leaf(subject: Subject) -> None:
    """A repeated receipt of the store, even at once, gives no second leaf."""
    await subject.journal.queue(placement())
    (found,) = await _waiting(subject)
    await asyncio.gather(*(_place(subject, found) for _ in range(3)))
    await _place(subject, found)
    assert len(subject.leaves("step")) == 1


async def test_a_document_without_number_is_not_placed(subject: Subject) -> None:
    """Placing comes after the number, and under that number: all else is our own mistake."""
    await subject.journal.queue(placement())
    (found,) = await _waiting(subject)
    leaf = placed_leaf(found, number=0)
    with pytest.raises(RuntimeError, match="numbered before"):
        await subject.journal.place(found, leaf=leaf)
    with pytest.raises(RuntimeError, match="that it was given"):
        await subject.journal.place(replace(found, number=0), leaf=leaf)
    await subject.journal.number(found)
    with pytest.raises(RuntimeError, match="that it was given"):
        await subject.journal.place(replace(found, number=1), leaf=leaf)
    with pytest.raises(RuntimeError, match="only a document that was queued"):
        await subject.journal.number(replace(found, id=999))
    assert subject.leaves() == []


async def test_a_number_is_given_once(subject: Subject) -> None:
    """A document keeps its number: at every try, at once, after a restart, once it is placed."""
    await subject.journal.queue(placement())
    (found,) = await _waiting(subject)
    assert found.number is None
    answers = await asyncio.gather(*(subject.journal.number(found) for _ in range(3)))
    assert [each.number for each in answers] == [0, 0, 0]
    await subject.restart()
    (found,) = await _waiting(subject)
    assert found.number == 0
    placed = await _place(subject, found)
    assert (await subject.journal.number(found, after=0)).number == placed.number == 0


async def test_all_acts_share_their_numbers(subject: Subject) -> None:
    """Numbers that were given count as taken, whatever the kind or day, placed or not."""
    await subject.journal.queue(placement(folder="acts/2026/03/01"))
    await subject.journal.queue(placement(PlacementKind.NOTICE, folder="acts/2026/03/02"))
    await subject.journal.queue(placement(PlacementKind.CLOSE))
    documents = await _waiting(subject)
    given = await asyncio.gather(*(subject.journal.number(each) for each in documents))
    assert sorted(each.number or 0 for each in given) == [0, 1, 2]


async def test_a_number_that_was_found_taken_is_passed_over(subject: Subject) -> None:
    """`after` moves a document on to the next free number, durably; another's stays its own."""
    for _ in range(3):
        await subject.journal.queue(placement())
    first, second, third = await _waiting(subject)
    assert (await subject.journal.number(first)).number == 0
    assert (await subject.journal.number(second)).number == 1
    moved = await subject.journal.number(first, after=0)
    assert moved.number == 2
    again = await subject.journal.number(first, after=0)
    assert again.number == 2
    assert (await subject.journal.number(second)).number == 1
    assert (await subject.journal.number(third, after=6)).number == 7
    await subject.restart()
    assert [each.number for each in await _waiting(subject)] == [2, 1, 7]


async def test_each_manifest_folder_counts_by_itself(subject: Subject) -> None:
    """Manifest parts are numbered within their group's day, apart from acts."""
    for folder in ("manifests/a/2026/03/01", "manifests/a/2026/03/02", "manifests/a/2026/03/01"):
        await subject.journal.queue(placement(MANIFEST, folder=folder))
    await subject.journal.queue(placement())
    numbers = [(await subject.journal.number(each)).number for each in await _waiting(subject)]
    assert numbers == [0, 0, 1, 0]


@pytest.mark.parametrize("kind", [k for k in PlacementKind if k not in FREE])
async def test_documents_wait_for_the_notice(subject: Subject, kind: PlacementKind) -> None:
    """Documents of a group that is still to be told wait; those of others do not."""
    due = group("!due", notice=NoticeState.DUE)
    await subject.journal.set_group(due, expect=None)
    await subject.journal.queue(placement(kind, group_id="!due"))
    await subject.journal.queue(placement(kind))
    (found,) = await _waiting(subject)
    assert found.group_id != "!due"
    await subject.journal.settle_notice(
        due, notice=NoticeState.REFUSED, note="no", act=placement(PlacementKind.NOTICE)
    )
    assert len(await _waiting(subject)) == 3


async def test_steps_of_people_do_not_wait(subject: Subject) -> None:
    """What a person ordered is placed before a group is told: it holds nothing of the group's."""
    await subject.journal.set_group(group("!due", notice=NoticeState.DUE), expect=None)
    await subject.journal.queue(placement(PlacementKind.STEP, group_id="!due"))
    assert len(await _waiting(subject)) == 1


async def test_the_open_act_comes_with_the_stream(subject: Subject) -> None:
    """An `open` act waits like any other document, and its leaf names the stream."""
    await subject.journal.append(batch(event()))
    (act,) = await _waiting(subject)
    await _place(subject, act)
    (leaf,) = subject.leaves("open")
    assert (leaf.s, leaf.total) == (act.stream, None)


async def test_a_closed_stream_says_its_total(subject: Subject) -> None:
    """Closing ends the stream with the number of its events, once; a later event opens another."""
    (before,) = await subject.received(event("$1"))
    known = await subject.group()
    await subject.journal.close_stream(known, at=NOW)
    await subject.journal.close_stream(known, at=NOW)
    opened, closed = await _waiting(subject)
    assert (closed.kind, closed.stream, closed.total) == (
        PlacementKind.CLOSE,
        opened.stream,
        1,
    )
    again = await subject.journal.append(batch(event("$2")))
    assert again.opened == (known.group_id,)
    after = max(await subject.claimed(EntryState.RECEIVED), key=lambda entry: entry.seq)
    assert (after.n, after.stream.gid) == (0, before.stream.gid)
    assert after.stream.id != before.stream.id


async def test_closing_what_is_not_open_is_nothing(subject: Subject) -> None:
    """A group without a stream is closed without an act."""
    await subject.journal.close_stream(await subject.group(), at=NOW)
    assert await _waiting(subject) == []


async def test_entries_of_a_closed_stream_go_on(subject: Subject) -> None:
    """What a stream holds when it is closed is still judged, sealed and stored."""
    entry = await subject.judged()
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.journal.seal([sealing(entry)])
    (sealed,) = await subject.claimed(EntryState.SEALED)
    await subject.journal.store([proof(sealed)])
    assert (await subject.entry(entry.seq)).state is EntryState.STORED
