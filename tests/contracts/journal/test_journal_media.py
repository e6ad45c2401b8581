"""What every journal promises of attachments: fetched once, waited for a while, never mixed up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import (
    Crypto,
    DeviceTrust,
    EventKind,
    Provenance,
    Relation,
    RelationType,
    Verdict,
)
from bridge.protocols import DownloadState
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import (
    CONNECTOR,
    NOW,
    attachment,
    event,
    proof,
    sealing,
    spooled,
    verdict,
)

SOON = NOW + timedelta(seconds=5)


async def test_the_first_deadline_is_fetched_first(subject: Subject) -> None:
    """Orders are given earliest deadline first, each to one worker."""
    for timer in (100.0, 20.0, 60.0):
        await subject.received(
            event(f"${timer}", timer=timer, attachments=[attachment(f"{timer}")])
        )
    names = [(await subject.order(now=NOW)).attachment.name for _ in range(3)]
    assert names == ["20.0", "60.0", "100.0"]
    assert await subject.journal.claim_download(now=NOW) is None


async def test_workers_share_the_orders(subject: Subject) -> None:
    """Workers that ask at the same time all get an order, each another one."""
    await subject.received(event(attachments=[attachment(f"{i}") for i in range(8)]))
    orders = await asyncio.gather(*(subject.order() for _ in range(8)))
    assert len({order.id for order in orders}) == 8


async def test_a_released_order_is_free(subject: Subject) -> None:
    """An order given back untouched is given again as it was; twice is safe."""
    _, order = await subject.with_order()
    subject.journal.release_download(order)
    subject.journal.release_download(order)
    assert await subject.order() == order


async def test_an_order_survives_a_restart(subject: Subject) -> None:
    """After a restart an order in somebody's hands is given again."""
    _, order = await subject.with_order()
    await subject.restart()
    assert await subject.order() == order


async def test_a_file_is_the_medium_of_its_entry(subject: Subject) -> None:
    """A fetched attachment shows its file; the others still wait."""
    entry, order = await subject.with_order(attachment("a"), attachment("b"))
    file = await subject.downloaded(order)
    media = await subject.journal.media(entry.seq)
    assert [(m.i, m.attachment.name, m.state, m.file) for m in media] == [
        (0, "a", DownloadState.SPOOLED, file),
        (1, "b", DownloadState.WAITING, None),
    ]
    assert media[0].order_id == order.id
    assert await subject.journal.spooled() == {"f1"}


async def test_the_last_file_ends_the_wait(subject: Subject) -> None:
    """A judged entry may be sealed at once when the last of its attachments has come."""
    _, first = await subject.with_order(attachment("a"), attachment("b"))
    await subject.downloaded(first)
    assert await subject.claimed(EntryState.JUDGED, now=NOW) == ()
    await subject.downloaded(await subject.order(), name="f2")
    assert len(await subject.claimed(EntryState.JUDGED, now=NOW)) == 1


async def test_media_before_the_verdict(subject: Subject) -> None:
    """An entry whose attachments came before it was judged waits for nothing."""
    (entry,) = await subject.received(event(attachments=[attachment()]))
    await subject.downloaded(await subject.order())
    await subject.journal.judge([(entry.seq, verdict())])
    assert len(await subject.claimed(EntryState.JUDGED, now=NOW)) == 1


async def test_a_file_wakes_who_waits(subject: Subject) -> None:
    """A file that comes may be what somebody waits for."""
    _, order = await subject.with_order()
    await subject.seqs(EntryState.JUDGED, now=NOW)
    task = asyncio.create_task(subject.journal.work(EntryState.JUDGED, seconds=600))
    await asyncio.sleep(0)
    await subject.downloaded(order)
    await task


async def test_a_second_file_is_not_wanted(subject: Subject) -> None:
    """An order takes one file; another one for it is to go."""
    entry, order = await subject.with_order()
    await subject.downloaded(order)
    assert not await subject.journal.downloaded(order, spooled("f2"), at=NOW)
    (media,) = await subject.journal.media(entry.seq)
    assert media.file is not None
    assert media.file.name == "f1"


@pytest.mark.parametrize("decision", [verdict(), DISCARD], ids=["kept", "discarded"])
async def test_a_file_after_the_seal_is_an_entry(subject: Subject, decision: Verdict) -> None:
    """An attachment that comes after the seal makes a `media` entry; the sealed one stays."""
    entry, order = await subject.with_order(attachment("a"), attachment("b"), decision=decision)
    await subject.journal.seal([sealing(entry)])
    sealed = await subject.entry(entry.seq)
    file = await subject.downloaded(order, at=SOON)
    assert await subject.entry(entry.seq) == sealed
    (late,) = await subject.claimed(EntryState.RECEIVED)
    assert (late.n, late.stream) == (entry.n + 1, entry.stream)
    assert (late.event.kind, late.event.revision) == (EventKind.MEDIA, "media-0")
    assert late.event.upstream_id == entry.event.upstream_id
    assert late.event.relates_to == Relation(
        type=RelationType.MEDIA, upstream_id=entry.event.upstream_id
    )
    assert (late.event.sent_at, late.event.observed_at) == (entry.event.sent_at, SOON)
    assert (late.event.sender, late.event.raw) == (entry.event.sender, entry.event.raw)
    (medium,) = await subject.journal.media(late.seq)
    assert (medium.i, medium.file, medium.state) == (0, file, DownloadState.SPOOLED)
    assert medium.attachment == order.attachment


async def test_the_revision_of_a_late_file_joins_the_platforms(subject: Subject) -> None:
    """The revision of a `media` entry keeps the platform's and names the attachment."""
    entry = await subject.judged(
        of=event("$e", revision="u9", attachments=[attachment("a"), attachment("b")])
    )
    orders = [await subject.order(), await subject.order()]
    await subject.journal.seal([sealing(entry)])
    for i, order in enumerate(orders):
        await subject.downloaded(order, name=f"f{i}")
    found = await subject.claimed(EntryState.RECEIVED)
    assert {each.event.revision for each in found} == {"u9+media-0", "u9+media-1"}


async def test_a_late_file_has_the_messages_deadline(subject: Subject) -> None:
    """The timer of the message runs for its late attachment too."""
    entry = await subject.judged(of=event(timer=40.0, attachments=[attachment()]))
    order = await subject.order()
    await subject.journal.seal([sealing(entry)])
    await subject.downloaded(order, at=SOON)
    (late,) = await subject.claimed(EntryState.RECEIVED)
    assert late.expires_at == entry.expires_at


async def test_a_late_file_goes_its_own_way(subject: Subject) -> None:
    """A `media` entry is judged, sealed with its file, and stored like any other."""
    entry, order = await subject.with_order()
    await subject.journal.seal([sealing(entry)])
    await subject.downloaded(order)
    (late,) = await subject.claimed(EntryState.RECEIVED)
    await subject.journal.judge([(late.seq, verdict())])
    (judged,) = await subject.claimed(EntryState.JUDGED, now=NOW)
    await subject.journal.seal([sealing(judged, media=1)])
    await subject.journal.store([proof(await subject.entry(late.seq))])
    assert await subject.journal.media_stored(late.seq) == ("f1",)


async def test_a_seal_and_a_file_at_once(subject: Subject) -> None:
    """Whichever of a seal and a file is first, the file is in the record or in an entry."""
    for i in range(12):
        of = event(f"${i}", attachments=[attachment()])
        entry = await subject.judged(of=of)
        order = await subject.order()
        acts = [
            subject.journal.seal([sealing(entry)]),
            subject.journal.downloaded(order, spooled(f"f{i}"), at=NOW),
        ]
        await asyncio.gather(*(acts if i % 2 else reversed(acts)))
        sealed = (await subject.entry(entry.seq)).state is EntryState.SEALED
        assert sealed == (await subject.journal.media(entry.seq) == ())
    late = await subject.claimed(EntryState.RECEIVED)
    judged = await subject.claimed(EntryState.JUDGED)
    assert len(late) + len(judged) == 12


async def test_a_failed_try_waits(subject: Subject) -> None:
    """A failure counts, and the order rests until its next try."""
    entry, order = await subject.with_order()
    await subject.journal.download_failed(order, why="502", at=NOW, next_try=SOON)
    early = SOON - timedelta(milliseconds=1)
    assert await subject.journal.claim_download(now=early) is None
    again = await subject.order(now=SOON)
    assert (again.id, again.attempts) == (order.id, 1)
    assert subject.leaves("gap") == []
    assert await subject.claimed(EntryState.JUDGED, now=NOW) == ()
    assert (await subject.journal.media(entry.seq))[0].state is DownloadState.WAITING


async def test_a_late_file_says_how_its_message_was_encrypted(subject: Subject) -> None:
    """Its record stands by itself: who sent it, and how that is known, without the clear text."""
    crypto = Crypto(
        algorithm="m.megolm",
        session="s1",
        trust=DeviceTrust.SIGNED,
        provenance=Provenance.DIRECT,
        clear=b"{}",
    )
    entry = await subject.judged(
        of=replace(event("$file", attachments=[attachment()]), crypto=crypto)
    )
    order = await subject.order()
    await subject.journal.seal([sealing(entry)])
    await subject.downloaded(order)
    (file,) = await subject.claimed(EntryState.RECEIVED, now=NOW)
    assert file.event.crypto == replace(crypto, clear=None)
    assert await subject.journal.unopened(CONNECTOR, limit=9) == ()


async def test_the_last_failure_is_a_gap(subject: Subject) -> None:
    """A final failure is a gap after its message, which waits for it no longer."""
    entry, order = await subject.with_order(attachment(size=77))
    await subject.received(event("$later"))
    await subject.journal.download_failed(order, why="404 \ud800", at=NOW, next_try=None)
    (gap,) = subject.leaves("gap")
    assert (gap.after, gap.why, gap.s) == (entry.n, "media_not_obtained", entry.stream.id)
    assert await subject.journal.claim_download(now=LATER) is None
    (judged,) = await subject.claimed(EntryState.JUDGED, now=NOW)
    (media,) = await subject.journal.media(entry.seq)
    assert (media.state, media.file) == (DownloadState.FAILED, None)
    await subject.journal.seal([sealing(judged, media=0)])
    assert (await subject.entry(entry.seq)).state is EntryState.SEALED


async def test_a_failure_twice_is_one_gap(subject: Subject) -> None:
    """What has failed for good, or has come, fails no more."""
    _, lost = await subject.with_order(attachment("a"), attachment("b"))
    found = await subject.order()
    await subject.downloaded(found)
    for order in (lost, lost, found):
        await subject.journal.download_failed(order, why="404", at=NOW, next_try=None)
    assert len(subject.leaves("gap")) == 1
    assert await subject.journal.spooled() == {"f1"}
    assert not await subject.journal.downloaded(lost, spooled("f2"), at=NOW)


async def test_a_failure_after_the_seal_is_a_gap(subject: Subject) -> None:
    """An attachment lost after its record was sealed is a gap and makes no entry."""
    entry, order = await subject.with_order()
    await subject.journal.seal([sealing(entry)])
    await subject.journal.download_failed(order, why="404", at=NOW, next_try=None)
    assert len(subject.leaves("gap")) == 1
    assert await subject.claimed(EntryState.RECEIVED) == ()


async def test_stored_media_leave_the_spool(subject: Subject) -> None:
    """Marking media stored gives their files, and no entry needs them; again is safe."""
    entry, order = await subject.with_order(attachment("a"), attachment("b"))
    await subject.downloaded(order)
    await subject.journal.seal([sealing(entry, media=1)])
    assert await subject.journal.spooled() == {"f1"}
    assert await subject.journal.media_stored(entry.seq) == ("f1",)
    assert await subject.journal.spooled() == frozenset()
    assert await subject.journal.media_stored(entry.seq) == ("f1",)
    assert (await subject.journal.media(entry.seq))[0].state is DownloadState.STORED


async def test_without_media_nothing_leaves(subject: Subject) -> None:
    """An entry without files gives none."""
    entry = await subject.stored()
    assert await subject.journal.media_stored(entry.seq) == ()


async def test_a_file_after_the_close_is_not_wanted(subject: Subject) -> None:
    """No number follows a stream's total: a file that comes later is a gap, and is to go."""
    entry, order = await subject.with_order()
    await subject.journal.seal([sealing(entry)])
    await subject.journal.close_stream(await subject.group(), at=NOW)
    assert not await subject.journal.downloaded(order, spooled(), at=NOW)
    (gap,) = subject.leaves("gap")
    assert (gap.after, gap.s) == (entry.n, entry.stream.id)
    assert await subject.claimed(EntryState.RECEIVED) == ()
    assert await subject.journal.spooled() == frozenset()


async def test_a_file_before_the_seal_is_wanted_after_the_close(subject: Subject) -> None:
    """A record that is not sealed yet takes its file though its stream was closed."""
    entry, order = await subject.with_order()
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.downloaded(order)
    assert len(await subject.journal.media(entry.seq)) == 1


async def test_a_file_for_what_was_destroyed(subject: Subject) -> None:
    """A file whose message was destroyed meanwhile is not wanted, nor is its failure a gap."""
    entry, order = await subject.with_order(decision=DISCARD)
    await subject.journal.seal([sealing(entry)])
    await subject.journal.forget(discarded_before=LATER, limit=9)
    assert not await subject.journal.downloaded(order, spooled(), at=NOW)
    await subject.journal.download_failed(order, why="404", at=NOW, next_try=None)
    assert subject.leaves("gap") == []
    assert await subject.journal.claim_download(now=LATER) is None
