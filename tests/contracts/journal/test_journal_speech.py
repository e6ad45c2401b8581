"""What every journal promises of silences, and of what groups are still to be told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.protocols import Saying
from tests.contracts.journal.subjects import LATER, Subject
from tests.fakes.samples import CONNECTOR, GROUP_ID, NOW, event, loss

SAYING = Saying(
    connector=CONNECTOR,
    group_id=GROUP_ID,
    text="Recording was interrupted.",
    key="interrupted/1",
    until=LATER,
)
SILENCE = loss("recorder_down")


async def test_nothing_was_heard_yet(subject: Subject) -> None:
    """A platform that was never heard has no such moment."""
    assert await subject.journal.last_heard(CONNECTOR) is None


async def test_the_last_moment_counts(subject: Subject) -> None:
    """Each platform has its own moment, kept over a restart; the clock may have been set back."""
    await subject.journal.heard(CONNECTOR, at=LATER)
    await subject.journal.heard("second", at=LATER)
    await subject.journal.heard(CONNECTOR, at=NOW)
    await subject.restart()
    assert await subject.journal.last_heard(CONNECTOR) == NOW
    assert await subject.journal.last_heard("second") == LATER


async def test_a_silence_is_written_with_its_words(subject: Subject) -> None:
    """The gap and what the group is to be told of it are there together."""
    await subject.received(event("$1"))
    await subject.journal.heard(CONNECTOR, at=LATER, losses=[SILENCE], sayings=[SAYING])
    await subject.restart()
    (gap,) = subject.leaves("gap")
    assert (gap.after, gap.why) == (0, "recorder_down")
    assert await subject.journal.sayings(limit=9) == (replace(SAYING, id=1),)
    assert await subject.journal.last_heard(CONNECTOR) == LATER


@pytest.mark.parametrize("by_hand", [False, True])
async def test_no_gap_is_written_behind_the_end_of_a_stream(
    subject: Subject, *, by_hand: bool
) -> None:
    """A stream that is closed meanwhile keeps its total: the gap stands in the next one."""
    (entry,) = await subject.received(event("$1"))
    writing = (
        subject.journal.record_gap(CONNECTOR, SILENCE, at=LATER)
        if by_hand
        else subject.journal.heard(CONNECTOR, at=LATER, losses=[SILENCE], sayings=[SAYING])
    )
    await asyncio.gather(
        subject.journal.close_stream(await subject.group(), at=LATER),
        writing,
        subject.journal.record_gap(CONNECTOR, loss("paused"), at=LATER),
    )
    for gap in subject.leaves("gap"):
        assert (gap.after, gap.s != entry.stream.id) == (-1, True)
    assert len(subject.leaves("gap")) == 2
    assert len(await subject.journal.sayings(limit=9)) == (not by_hand)


async def test_a_silence_is_written_once(subject: Subject) -> None:
    """A repeat, as by a caller that was cancelled, adds no second gap and no second saying."""
    for _ in range(2):
        await subject.journal.heard(CONNECTOR, at=LATER, losses=[SILENCE], sayings=[SAYING])
    assert len(subject.leaves("gap")) == 1
    assert len(await subject.journal.sayings(limit=9)) == 1
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert tally.gaps == 1


async def test_two_silences_are_two_gaps(subject: Subject) -> None:
    """Another period, another cause or another group is another gap."""
    await subject.admit("!other")
    losses = [
        SILENCE,
        loss("recorder_down", until=NOW + timedelta(milliseconds=1)),
        loss("recorder_down", since=None),
        loss("platform_silent"),
        loss("recorder_down", group_id="!other"),
    ]
    await subject.journal.heard(CONNECTOR, at=LATER, losses=losses)
    await subject.journal.heard(CONNECTOR, at=LATER, losses=losses)
    assert len(subject.leaves("gap")) == 5


async def test_a_silence_of_an_unlisted_group_is_our_mistake(subject: Subject) -> None:
    """Nothing of it is written, the moment included."""
    with pytest.raises(RuntimeError):
        await subject.journal.heard(
            CONNECTOR, at=LATER, losses=[loss(group_id="!nobody")], sayings=[SAYING]
        )
    assert await subject.journal.last_heard(CONNECTOR) is None
    assert await subject.journal.sayings(limit=9) == ()


async def test_a_cancelled_hearing_happened_or_did_not(subject: Subject) -> None:
    """Whoever was cancelled may repeat it: one gap, one saying."""
    task = asyncio.create_task(
        subject.journal.heard(CONNECTOR, at=LATER, losses=[SILENCE], sayings=[SAYING])
    )
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await subject.journal.heard(CONNECTOR, at=LATER, losses=[SILENCE], sayings=[SAYING])
    assert len(subject.leaves("gap")) == 1
    assert len(await subject.journal.sayings(limit=9)) == 1


async def test_what_is_to_be_said_reads_back(subject: Subject) -> None:
    """Every field is kept over a restart; broken text is made sayable; the oldest comes first."""
    broken = replace(
        SAYING, key="b", text="‘é’ \U0001f6a8 \ud800", group_id="!x", connector="second"
    )
    await subject.journal.say([SAYING, broken])
    await subject.restart()
    first, second = await subject.journal.sayings(limit=9)
    assert first == replace(SAYING, id=first.id)
    assert second == replace(broken, id=second.id, text="‘é’ \U0001f6a8 ?")
    assert first.id < second.id
    assert await subject.journal.sayings(limit=1) == (first,)


async def test_a_key_is_said_once(subject: Subject) -> None:
    """A key that is there changes nothing, whatever stands under it, said or not."""
    await subject.journal.say([SAYING])
    await subject.journal.say([replace(SAYING, text="other words", group_id="!x")])
    (saying,) = await subject.journal.sayings(limit=9)
    assert saying.text == SAYING.text
    await subject.journal.said(saying)
    await subject.journal.say([SAYING, SAYING])
    await subject.restart()
    assert await subject.journal.sayings(limit=9) == ()


async def test_what_was_said_is_not_said_again(subject: Subject) -> None:
    """It is gone from the list, over a restart too; saying so twice is safe."""
    await subject.journal.say([replace(SAYING, key=str(i)) for i in range(3)])
    _, second, _ = await subject.journal.sayings(limit=9)
    await subject.journal.said(second)
    await subject.journal.said(second)
    await subject.restart()
    assert [each.key for each in await subject.journal.sayings(limit=9)] == ["0", "2"]


async def test_stale_words_wait_for_who_gives_them_up(subject: Subject) -> None:
    """The journal does not drop what is past its time: who says it does."""
    await subject.journal.say([replace(SAYING, until=NOW - timedelta(days=1))])
    (saying,) = await subject.journal.sayings(limit=9)
    assert saying.until == NOW - timedelta(days=1)
