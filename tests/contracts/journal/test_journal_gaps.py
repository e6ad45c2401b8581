"""What every journal promises of known losses: each stands in the log, where it belongs."""

from __future__ import annotations

import asyncio

from tests.contracts.journal.subjects import Subject
from tests.fakes.samples import CONNECTOR, GROUP_ID, NOW, batch, event, loss


async def test_a_loss_is_a_gap_leaf(subject: Subject) -> None:
    """A loss stands in the log after the last event before it, ahead of its own delivery."""
    await subject.journal.append(batch(event("$1")))
    await subject.journal.append(batch(event("$2"), losses=[loss("limited")]))
    (gap,) = subject.leaves("gap")
    assert (gap.after, gap.why) == (0, "limited")


async def test_a_loss_before_everything(subject: Subject) -> None:
    """A loss opens the stream, and one before the first event stands after -1."""
    appended = await subject.journal.append(batch(losses=[loss()]))
    assert appended.opened == (GROUP_ID,)
    (gap,) = subject.leaves("gap")
    assert gap.after == -1


async def test_a_loss_is_not_written_behind_the_end_of_a_stream(subject: Subject) -> None:
    """A delivery of losses alone opens the next stream where this one is closed meanwhile."""
    (entry,) = await subject.received(event("$1"))
    await asyncio.gather(
        subject.journal.close_stream(await subject.group(), at=NOW),
        subject.journal.append(batch(losses=[loss()])),
    )
    (gap,) = subject.leaves("gap")
    assert (gap.after, gap.s != entry.stream.id) == (-1, True)


async def test_a_gap_is_written_by_hand(subject: Subject) -> None:
    """A gap that no batch carries stands after the last event, and opens a stream if needed."""
    await subject.journal.record_gap(CONNECTOR, loss("paused", since=NOW, until=None), at=NOW)
    await subject.received(event())
    await subject.journal.record_gap(CONNECTOR, loss("paused", since=None, until=NOW), at=NOW)
    assert [(gap.after, gap.why) for gap in subject.leaves("gap")] == [
        (-1, "paused"),
        (0, "paused"),
    ]


async def test_missing_content_is_a_gap(subject: Subject) -> None:
    """An event whose content did not reach us is an entry, and a gap after itself."""
    await subject.received(event("$1"), event("$2", missing="redacted_before"), event("$3"))
    (gap,) = subject.leaves("gap")
    assert (gap.after, gap.why) == (1, "redacted_before")


async def test_gaps_are_counted(subject: Subject) -> None:
    """Every gap counts for its group."""
    await subject.journal.append(batch(event(missing="expired"), losses=[loss(), loss()]))
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert tally.gaps == 3


async def test_a_hostile_reason_is_still_a_gap(subject: Subject) -> None:
    """A reason that UTF-8 cannot carry does not stop the delivery."""
    await subject.journal.append(batch(event(missing="\ud800"), losses=[loss("x\ud800")]))
    assert [gap.why for gap in subject.leaves("gap")] == ["x?", "?"]
