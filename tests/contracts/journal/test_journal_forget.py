"""What every journal promises of destruction: the content goes, the trace of it stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.model import Outcome
from bridge.protocols import DownloadState, Entry
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import NOW, attachment, batch, event, proof, sealing, verdict


async def _forget(subject: Subject, *, limit: int = 99) -> tuple[str, ...]:
    return await subject.journal.forget(discarded_before=LATER, limit=limit)


async def test_nothing_to_forget(subject: Subject) -> None:
    """A journal without old discards gives nothing."""
    await subject.received()
    assert await _forget(subject) == ()


async def test_a_forgotten_entry_is_gone(subject: Subject) -> None:
    """The content of a destroyed discard is given to nobody."""
    await subject.received(event("$0"))
    entry = await subject.sealed(DISCARD)
    await _forget(subject)
    stream = entry.stream.id
    assert await subject.journal.entry(entry.seq) is None
    assert await subject.journal.find(stream, "$1") is None
    assert [e.n for e in await subject.journal.recent(stream, before=9, limit=9)] == [0]
    assert await subject.journal.manifest_places() == ()
    assert not await subject.promote(entry)


async def test_the_trace_stays(subject: Subject) -> None:
    """Leaf, number, identity and counts of a destroyed entry stay."""
    entry = await subject.sealed(DISCARD)
    leaves = subject.leaves()
    await _forget(subject)
    await subject.restart()
    assert subject.leaves() == leaves
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.discarded, tally.undecided) == (1, 0)
    assert dict((await subject.journal.tally(now=NOW)).entries_by_state) == {"destroyed": 1}
    again = await subject.journal.append(batch(event(), event("$2")))
    assert (again.new, again.repeated) == (1, 1)
    (new,) = await subject.claimed(EntryState.RECEIVED)
    assert new.n == entry.n + 1


async def test_only_discards_are_forgotten(subject: Subject) -> None:
    """Nothing that is kept, restricted or still on its way is destroyed."""
    await subject.received(event("$1"))
    await subject.judged(DISCARD, of=event("$2"))
    await subject.sealed(of=event("$3"))
    await subject.stored(of=event("$4"))
    await subject.sealed(verdict(Outcome.REVIEW), of=event("$5"))
    await subject.sealed(verdict(Outcome.DISCARD, restricted=True), of=event("$6"))
    before = await subject.journal.tally(now=NOW)
    assert await _forget(subject) == ()
    assert await subject.journal.tally(now=NOW) == before


async def test_the_age_counts_from_receipt(subject: Subject) -> None:
    """A discard is destroyed only if it was received before the given time."""
    entry = await subject.sealed(DISCARD)
    await subject.journal.forget(discarded_before=NOW, limit=9)
    assert await subject.journal.entry(entry.seq) is not None
    await subject.journal.forget(discarded_before=NOW + timedelta(milliseconds=1), limit=9)
    assert await subject.journal.entry(entry.seq) is None


async def test_the_oldest_go_first(subject: Subject) -> None:
    """No more than the limit is destroyed at once, oldest first; the next call goes on."""
    for i in (3, 1, 2):
        when = NOW + timedelta(seconds=i)
        await subject.sealed(DISCARD, of=event(f"${i}", observed_at=when))
    left = []
    for _ in range(3):
        await _forget(subject, limit=1)
        found = [await subject.journal.entry(seq) for seq in (1, 2, 3)]
        left.append({entry.event.upstream_id for entry in found if entry is not None})
    assert left == [{"$2", "$3"}, {"$3"}, set()]


async def test_orders_and_files_go_too(subject: Subject) -> None:
    """The files of a destroyed entry are named for removal, and its orders are gone."""
    entry, order = await subject.with_order(
        attachment("a"), attachment("b"), attachment("c"), decision=DISCARD
    )
    await subject.downloaded(order)
    await subject.journal.seal([sealing(entry, media=1)])
    kept = await subject.sealed(of=event("$kept", attachments=[attachment()]))
    assert await _forget(subject) == ("f1",)
    assert await subject.journal.media(entry.seq) == ()
    assert await subject.journal.spooled() == frozenset()
    assert (await subject.order()).seq == kept.seq
    assert await subject.journal.claim_download(now=LATER) is None


async def test_a_promoted_discard_is_safe(subject: Subject) -> None:
    """A discard that was promoted keeps its content and its files."""
    entry, order = await subject.with_order(decision=DISCARD)
    await subject.downloaded(order)
    await subject.journal.seal([sealing(entry, media=1)])
    await subject.promote(await subject.entry(entry.seq))
    assert await _forget(subject) == ()
    assert await subject.journal.spooled() == {"f1"}
    (sealed,) = await subject.claimed(EntryState.SEALED)
    await subject.journal.store([proof(sealed)])


@pytest.mark.parametrize("forget_first", [True, False])
async def test_forget_and_promote_at_once(subject: Subject, *, forget_first: bool) -> None:
    """Of a promotion and a destruction at the same time one happens, wholly."""
    names: list[str] = []

    async def forget() -> None:
        names.extend(await _forget(subject))

    for i in range(8):
        entry = await subject.judged(DISCARD, of=event(f"${i}", attachments=[attachment()]))
        await subject.downloaded(await subject.order(), name=f"f{i}")
        await subject.journal.seal([sealing(entry, media=1)])
        entry = await subject.entry(entry.seq)
        names.clear()
        both = [forget(), _promote(subject, entry)]
        await asyncio.gather(*(both if forget_first else reversed(both)))
        media = await subject.journal.media(entry.seq)
        if await subject.journal.entry(entry.seq) is None:
            assert (names, media) == ([f"f{i}"], ())
        else:
            assert (names, [medium.state for medium in media]) == ([], [DownloadState.SPOOLED])


async def _promote(subject: Subject, entry: Entry) -> None:
    await subject.promote(entry)


async def test_forgetting_twice_at_once(subject: Subject) -> None:
    """Two rounds at the same time name each file once."""
    entry, order = await subject.with_order(decision=DISCARD)
    await subject.downloaded(order)
    await subject.journal.seal([sealing(entry, media=1)])
    rounds = await asyncio.gather(_forget(subject), _forget(subject))
    assert sorted(rounds) == [(), ("f1",)]
