from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from bridge.canonical import Leaf
from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome
from bridge.protocols import Anchor, Placement, PlacementKind, SeenCount
from tests.contracts.journal.subjects import LATER, Subject
from tests.fakes.samples import (
    NOW,
    batch,
    event,
    loss,
    placed_leaf,
    placement,
    proof,
    verdict,
)

ANCHOR = Anchor(key="anchors/0/7.tsr", size=7, body=b"token", at=NOW)


def _late(ms: int) -> bytes:
    return Leaf.late(at=NOW, ref=0, late_ms=ms).body


def _anchor_leaf(anchor: Anchor) -> Leaf:
    key = f"v1/sample/{anchor.key}"
    return Leaf.anchor(at=NOW, size=anchor.size, key=key, digest=Digest.of(anchor.body))


async def _all(subject: Subject) -> list[bytes]:
    return list(await subject.journal.leaves(0, 10_000))


async def test_leaves_are_read_page_by_page(subject: Subject) -> None:
    """Leaves come in their order, from where one asks, and no more than one asks for."""
    for i in range(3):
        await subject.stored(of=event(f"${i}"))
    found = await _all(subject)
    assert len(found) == await subject.journal.leaf_count() == 6
    assert await subject.journal.leaves(1, 2) == tuple(found[1:3])
    assert await subject.journal.leaves(6, 2) == ()


async def test_a_journal_without_leaves(subject: Subject) -> None:
    """Before anything is sealed there is nothing."""
    assert await subject.journal.leaf_count() == 0
    assert await subject.journal.content_leaves(0) == 0
    assert await subject.journal.seen_counts(through=0) == ()


async def test_content_ends_before_trailing_anchors(subject: Subject) -> None:
    """Leaves of anchors at the end are no content; those below other leaves are."""
    await subject.sealed()
    await subject.journal.queue_anchor(ANCHOR)
    await subject.journal.anchored(ANCHOR.key, leaf=_anchor_leaf(ANCHOR))
    assert await subject.journal.content_leaves(2) == 1
    await subject.sealed(of=event("$2"))
    assert await subject.journal.content_leaves(3) == 3
    assert await subject.journal.content_leaves(2) == 1


async def test_an_anchor_waits_until_it_has_its_place(subject: Subject) -> None:
    """It is kept over restarts, and its leaf is written once."""
    await subject.journal.queue_anchor(ANCHOR)
    await subject.journal.queue_anchor(replace(ANCHOR, body=b"another"))
    await subject.journal.queue_anchor(replace(ANCHOR, key="anchors/0/9.tsr"))
    await subject.restart()
    assert [each.key for each in await subject.journal.anchors(limit=9)] == [
        "anchors/0/7.tsr",
        "anchors/0/9.tsr",
    ]
    assert await subject.journal.anchors(limit=1) == (ANCHOR,)
    for _ in range(2):
        await subject.journal.anchored(ANCHOR.key, leaf=_anchor_leaf(ANCHOR))
    await subject.journal.anchored("anchors/0/9.tsr", leaf=None)
    await subject.journal.queue_anchor(ANCHOR)
    assert await subject.journal.anchors(limit=9) == ()
    assert len(subject.leaves("anchor")) == 1


async def test_an_anchor_is_known(subject: Subject) -> None:
    """What stands under an anchor's key is this journal's, before it has its leaf and after."""
    await subject.journal.queue_anchor(ANCHOR)
    keys = [ANCHOR.key, "anchors/0/8.tsr"]
    assert await subject.journal.knows(keys) == {ANCHOR.key}
    await subject.journal.anchored(ANCHOR.key, leaf=_anchor_leaf(ANCHOR))
    assert await subject.journal.knows(keys) == {ANCHOR.key}


async def test_a_new_journal_takes_the_log_in(subject: Subject) -> None:
    """Leaves that the store shows stand where they stood, page by page, before all that comes."""
    await subject.journal.graft(0, [_late(1), _late(2)])
    await subject.journal.graft(2, [_late(3)])
    entry = await subject.sealed()
    assert entry.seen_leaf == 3
    assert (await _all(subject))[:3] == [_late(1), _late(2), _late(3)]


async def test_leaves_are_never_taken_in_behind_a_hole(subject: Subject) -> None:
    """Past the journal's own end nothing can be taken in."""
    with pytest.raises(RuntimeError):
        await subject.journal.graft(1, [_late(1)])
    assert await subject.journal.leaf_count() == 0


async def test_what_stands_there_moves_with_all_that_names_it(subject: Subject) -> None:
    """Own rows come behind, and each index and each ref that meant one of them still does."""
    before = await subject.stored(of=event("$before"))
    kept = await subject.journal.leaf_count()
    stored = await subject.stored(of=event("$stored"))
    await subject.journal.append(batch(losses=[loss()]))
    await subject.journal.queue(placement())
    (waiting,) = [
        each
        for each in await subject.journal.placements(limit=9)
        if each.kind is PlacementKind.STEP
    ]
    numbered = await subject.journal.number(waiting)
    await subject.journal.place(numbered, leaf=placed_leaf(numbered, number=numbered.number or 0))
    discarded = await subject.sealed(verdict(Outcome.DISCARD), of=event("$discarded"))
    assert await subject.promote(discarded)
    own = (await _all(subject))[kept:]

    await subject.journal.graft(kept, [_late(1), _late(2), _late(3)])

    after = await _all(subject)
    assert after[kept : kept + 3] == [_late(1), _late(2), _late(3)]
    assert [_without_ref(body) for body in after[kept + 3 :]] == [_without_ref(b) for b in own]
    assert (await subject.entry(before.seq)).seen_leaf == before.seen_leaf
    for entry in (stored, discarded):
        moved = await subject.entry(entry.seq)
        assert entry.seen_leaf is not None
        assert moved.seen_leaf == entry.seen_leaf + 3
        refs = [json.loads(body) for body in after if b'"ref"' in body]
        assert any(each["ref"] == moved.seen_leaf for each in refs)
        assert all(each["ref"] != entry.seen_leaf for each in refs if entry is discarded)
    assert {leaf.ref for leaf in subject.leaves("stored")} == {
        before.seen_leaf,
        (await subject.entry(stored.seq)).seen_leaf,
    }
    await subject.restart()
    assert await _all(subject) == after
    assert (await subject.sealed(of=event("$after"))).seen_leaf == len(after)


def _without_ref(body: bytes) -> object:
    return {name: value for name, value in json.loads(body).items() if name != "ref"}


async def test_a_receipt_made_before_rows_moved(subject: Subject) -> None:
    """A leaf handed in afterwards names the seen leaf where it is now."""
    entry = await subject.sealed()
    discarded = await subject.sealed(verdict(Outcome.DISCARD), of=event("$2"))
    receipt = proof(entry, late_ms=5)
    await subject.journal.graft(0, [_late(1)])
    await subject.journal.store([receipt])
    assert await subject.promote(discarded)
    assert entry.seen_leaf == 0
    assert [leaf.ref for leaf in subject.leaves("stored")] == [1]
    assert [leaf.ref for leaf in subject.leaves("late")] == [0, 1]
    assert [leaf.ref for leaf in subject.leaves("decision")] == [2]


async def test_a_receipt_after_rows_moved_for_a_caller_that_left(subject: Subject) -> None:
    """Rows that move while nobody waits for it any more are named where they are now."""
    receipt = proof(await subject.sealed())
    taking = asyncio.create_task(subject.journal.graft(0, [_late(1)]))
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await subject.journal.store([receipt])
    assert [leaf.ref for leaf in subject.leaves("stored")] == [1]


async def test_a_document_whose_leaf_is_published_gets_no_second(subject: Subject) -> None:
    """A restored journal places again what the lost one placed: its leaf stands already."""
    await subject.journal.queue(placement())
    (waiting,) = await subject.journal.placements(limit=9)
    numbered = await subject.journal.number(waiting)
    leaf = placed_leaf(numbered, number=numbered.number or 0)
    await subject.journal.graft(0, [_late(1), leaf.body])
    again = placed_leaf(numbered, number=numbered.number or 0, at=LATER)
    await subject.journal.place(numbered, leaf=again)
    assert await _all(subject) == [_late(1), leaf.body]
    assert await subject.journal.placements(limit=9) == ()


async def test_own_open_streams_are_told_from_others(subject: Subject) -> None:
    """Of the streams asked for, those that are open here are given; closed and strange ones not."""
    entry = await subject.sealed()
    await subject.admit("!other")
    await subject.journal.append(batch(event("$o", group_id="!other")))
    (other,) = await subject.claimed(EntryState.RECEIVED)
    await subject.journal.close_stream(await subject.group("!other"), at=NOW)
    asked = [entry.stream.id, other.stream.id, "00ff00ff00ff00ff"]
    assert await subject.journal.open_among(asked) == (entry.stream,)


async def test_seen_leaves_are_counted(subject: Subject) -> None:
    """Of each stream the highest number and the count, below the size asked for, on and on."""
    for i in range(3):
        await subject.stored(of=event(f"${i}"))
    (entry,) = await subject.received(event("$last"))
    stream = entry.stream.id
    two = SeenCount(stream=stream, last_n=1, seen=2)
    assert await subject.journal.seen_counts(through=4) == (two,)
    assert await subject.journal.seen_counts(through=4) == (two,)
    await subject.restart()
    assert await subject.journal.seen_counts(through=6) == (replace(two, last_n=2, seen=3),)
    with pytest.raises(RuntimeError):
        await subject.journal.seen_counts(through=5)


def _audit(body: bytes) -> Placement:
    return placement(PlacementKind.AUDIT, body=body, connector="", group_id="")


async def test_a_day_has_one_audit(subject: Subject) -> None:
    """Of one day's folder the first audit stands, and it waits for no group."""
    day = "acts/2026/03/01"
    assert not await subject.journal.audited(day)
    await subject.journal.queue(_audit(b"first"))
    await subject.journal.queue(_audit(b"second"))
    assert await subject.journal.audited(day)
    assert not await subject.journal.audited("acts/2026/03/02")
    (waiting,) = await subject.journal.placements(limit=9)
    assert (waiting.body, waiting.kind) == (b"first", PlacementKind.AUDIT)
    numbered = await subject.journal.number(waiting)
    await subject.journal.place(numbered, leaf=placed_leaf(numbered, number=0))
    await subject.journal.queue(_audit(b"third"))
    assert await subject.journal.placements(limit=9) == ()


async def test_a_key_is_named_once(subject: Subject) -> None:
    """The leaf of the next key is written unless the last one that is not published names it."""
    one, two = Leaf.key(at=NOW, line="log+1+a"), Leaf.key(at=NOW, line="log+2+b")
    again = Leaf.key(at=LATER, line="log+1+a")
    await subject.sealed()
    assert await subject.journal.name_key(one, start=0)
    assert not await subject.journal.name_key(again, start=0)
    await subject.restart()
    assert not await subject.journal.name_key(again, start=1)
    assert await subject.journal.name_key(two, start=1)
    assert not await subject.journal.name_key(two, start=0)
    assert await subject.journal.name_key(again, start=0)
    assert (await _all(subject))[1:] == [one.body, two.body, again.body]
    assert await subject.journal.name_key(again, start=4)
