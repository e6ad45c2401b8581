"""What every journal promises when the wall clock was set back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.lifecycle import EntryState
from bridge.protocols import Entry
from tests.contracts.journal.subjects import Subject
from tests.fakes.samples import NOW, attachment, event

RECEIVED, JUDGED, SEALED = EntryState.RECEIVED, EntryState.JUDGED, EntryState.SEALED
LONGEST = timedelta(minutes=15)
TICK = timedelta(milliseconds=1)


async def _in(subject: Subject, state: EntryState) -> Entry:
    """An entry in ``state``."""
    if state is SEALED:
        return await subject.sealed()
    if state is JUDGED:
        return await subject.judged()
    (entry,) = await subject.received()
    return entry


@pytest.mark.parametrize("state", [RECEIVED, JUDGED, SEALED])
async def test_a_next_try_too_far_ahead_is_due(subject: Subject, state: EntryState) -> None:
    """No pause is as long as 15 minutes: the clock was set back, and the entry waits no longer."""
    entry = await _in(subject, state)
    await subject.journal.fail(entry.seq, error="x", next_try=NOW + LONGEST)
    assert await subject.seqs(state, now=NOW) == []
    assert await subject.seqs(state, now=NOW - TICK) == [entry.seq]
    assert await subject.seqs(state, now=NOW - timedelta(days=9000)) == [entry.seq]


async def test_hopeless_ones_too(subject: Subject) -> None:
    """Entries of both lanes are due again."""
    for timer in (10.0, None):
        entry = await subject.sealed(of=event(f"${timer}", timer=timer))
        await subject.journal.fail(entry.seq, error="x", next_try=NOW + LONGEST)
    found = await subject.journal.claim(
        SEALED, now=NOW - TICK, limit=9, feasible=NOW + timedelta(seconds=15)
    )
    assert [entry.event.upstream_id for entry in found] == ["$None", "$10.0"]


async def test_the_wait_for_media(subject: Subject) -> None:
    """A judged entry that waits for media by a clock since set back waits no longer."""
    entry = await subject.judged(of=event(attachments=[attachment()]))
    half = NOW + timedelta(seconds=30)
    assert await subject.seqs(JUDGED, now=half - LONGEST) == []
    assert await subject.seqs(JUDGED, now=half - LONGEST - TICK) == [entry.seq]


async def test_a_download(subject: Subject) -> None:
    """An order that rests by a clock since set back is due."""
    await subject.received(event(attachments=[attachment()]))
    order = await subject.order(now=NOW)
    await subject.journal.download_failed(order, why="x", at=NOW, next_try=NOW + LONGEST)
    assert await subject.journal.claim_download(now=NOW) is None
    again = await subject.order(now=NOW - TICK)
    assert (again.id, again.attempts) == (order.id, 1)
