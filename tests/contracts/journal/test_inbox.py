"""What every journal promises of messages to our device: there before the cursor, each once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.model import Batch
from bridge.protocols import ToDevice
from tests.contracts.journal.subjects import Subject
from tests.fakes.samples import CONNECTOR, NOW, batch, event

WEEK = timedelta(days=7).total_seconds()


def delivery(*messages: bytes, connector: str = CONNECTOR, cursor: bytes | None = b"next") -> Batch:
    """A delivery of messages to our device."""
    return replace(batch(connector=connector, cursor=cursor), to_device=messages)


async def waiting(
    subject: Subject, *, after: int = 0, limit: int = 99, connector: str = CONNECTOR
) -> list[tuple[int, bytes]]:
    """Numbers and bytes of what is there."""
    found = await subject.journal.to_device(connector, after=after, limit=limit)
    return [(message.number, message.raw) for message in found]


async def test_messages_come_in_their_order(subject: Subject) -> None:
    """They are numbered from 1 without a gap, byte for byte, with the time they came."""
    await subject.journal.append(delivery(b"b", b"\x00\xff", b"a"))
    subject.clock.advance(5)
    await subject.journal.append(delivery(b"c"))
    assert await subject.journal.to_device(CONNECTOR, after=0, limit=99) == (
        ToDevice(number=1, raw=b"b", at=NOW),
        ToDevice(number=2, raw=b"\x00\xff", at=NOW),
        ToDevice(number=3, raw=b"a", at=NOW),
        ToDevice(number=4, raw=b"c", at=NOW + timedelta(seconds=5)),
    )


async def test_a_page_at_a_time(subject: Subject) -> None:
    """After and limit cut the same order."""
    await subject.journal.append(delivery(*(b"%d" % i for i in range(1, 6))))
    assert await waiting(subject, after=2, limit=2) == [(3, b"3"), (4, b"4")]
    assert await waiting(subject, after=5) == []


async def test_connectors_have_their_own(subject: Subject) -> None:
    """Numbers and repeats are a connector's own."""
    await subject.journal.append(delivery(b"same", b"more"))
    await subject.journal.append(delivery(b"same", connector="second"))
    assert await waiting(subject) == [(1, b"same"), (2, b"more")]
    assert await waiting(subject, connector="second") == [(1, b"same")]
    await subject.journal.drop_to_device(CONNECTOR, through=9)
    assert await waiting(subject, connector="second") == [(1, b"same")]
    assert await waiting(subject, connector="third") == []


async def test_a_repeat_changes_nothing(subject: Subject) -> None:
    """Within one delivery, over two and over a restart a message is there once."""
    await subject.journal.append(delivery(b"1", b"2", b"1"))
    await subject.restart()
    await subject.journal.append(delivery(b"2", b"3", b"1"))
    assert await waiting(subject) == [(1, b"1"), (2, b"2"), (3, b"3")]


async def test_they_come_with_the_cursor(subject: Subject) -> None:
    """A delivery that is refused leaves neither its cursor nor its messages."""
    refused = replace(delivery(b"1"), events=(event(group_id="!nobody"),))
    with pytest.raises(RuntimeError):
        await subject.journal.append(refused)
    assert await waiting(subject) == []
    assert await subject.journal.cursor(CONNECTOR) is None
    await subject.journal.append(delivery(b"1", cursor=b"here"))
    await subject.restart()
    assert await waiting(subject) == [(1, b"1")]
    assert await subject.journal.cursor(CONNECTOR) == b"here"


async def test_a_kill_before_they_are_taken(subject: Subject) -> None:
    """What was journalled and not dropped is given again after a restart, from any number."""
    await subject.journal.append(delivery(b"1", b"2", b"3"))
    await subject.restart()
    assert await waiting(subject, after=1) == [(2, b"2"), (3, b"3")]
    await subject.journal.drop_to_device(CONNECTOR, through=2)
    await subject.restart()
    assert await waiting(subject) == [(3, b"3")]
    await subject.journal.drop_to_device(CONNECTOR, through=2)
    assert await waiting(subject) == [(3, b"3")]


async def test_what_was_dropped_does_not_come_back(subject: Subject) -> None:
    """For a week a repeat of a message that is gone changes nothing; numbers go on."""
    await subject.journal.append(delivery(b"1", b"2"))
    await subject.journal.drop_to_device(CONNECTOR, through=2)
    subject.clock.advance(WEEK)
    await subject.restart()
    await subject.journal.append(delivery(b"2", b"3", b"1"))
    assert await waiting(subject) == [(3, b"3")]


async def test_after_a_week_it_is_another_message(subject: Subject) -> None:
    """The same bytes, long after, are new, and no number is given twice."""
    await subject.journal.append(delivery(b"1", b"2"))
    await subject.journal.drop_to_device(CONNECTOR, through=2)
    subject.clock.advance(WEEK + 1)
    await subject.restart()
    await subject.journal.append(delivery(b"2"))
    assert await waiting(subject) == [(3, b"2")]


async def test_what_was_not_dropped_is_known_for_ever(subject: Subject) -> None:
    """A message that still waits is not numbered again, however old it is."""
    await subject.journal.append(delivery(b"1"))
    subject.clock.advance(9 * WEEK)
    await subject.journal.append(delivery(b"1"))
    assert await waiting(subject) == [(1, b"1")]


async def test_many_deliveries_at_once(subject: Subject) -> None:
    """Deliveries that wait side by side number their messages as if one came after the other."""
    batches = [delivery(b"%d" % i, b"%d" % (i + 1), connector=CONNECTOR) for i in range(40)]
    await asyncio.gather(*map(subject.journal.append, batches))
    assert await waiting(subject) == [(i + 1, b"%d" % i) for i in range(41)]


async def test_three_thousand(subject: Subject) -> None:
    """A long queue of a device that was away is taken page by page."""
    messages = [b"%d" % i for i in range(3000)]
    await subject.journal.append(delivery(*messages))
    found: list[bytes] = []
    taken = 0
    while page := await waiting(subject, after=taken, limit=500):
        found += [raw for _, raw in page]
        taken = page[-1][0]
        await subject.journal.drop_to_device(CONNECTOR, through=taken)
    assert found == messages
    assert await waiting(subject) == []


async def take(subject: Subject, count: int) -> list[int]:
    """A decrypter is given so many, and is killed when it has them."""
    return [number for number, _ in await waiting(subject, limit=count)]


async def test_what_was_taken_is_gone_at_the_next_start(subject: Subject) -> None:
    """Killed between taking and dropping: what was given and taken is destroyed, nothing else."""
    await subject.journal.append(delivery(b"1", b"2", b"3", b"4"))
    assert await take(subject, 3) == [1, 2, 3]
    await subject.restart()
    for _ in range(2):
        await subject.journal.resume_to_device(CONNECTOR, taken=2)
        assert await waiting(subject) == [(3, b"3"), (4, b"4")]
    await subject.journal.append(delivery(b"1", b"5"))
    assert await waiting(subject) == [(3, b"3"), (4, b"4"), (5, b"5")]


async def test_a_start_before_the_first_message(subject: Subject) -> None:
    """A new journal and a new decrypter begin at 1."""
    await subject.journal.resume_to_device(CONNECTOR, taken=0)
    await subject.journal.append(delivery(b"1"))
    await subject.journal.resume_to_device(CONNECTOR, taken=0)
    assert await waiting(subject) == [(1, b"1")]


@pytest.mark.parametrize("waits", [0, 1, 3, 8])
async def test_a_new_journal_follows_the_decrypter(subject: Subject, waits: int) -> None:
    """Where the journal was lost, no new message has a number that was taken, and none is lost."""
    messages = [b"%d" % i for i in range(waits)]
    await subject.journal.append(delivery(*messages))
    for _ in range(2):
        await subject.journal.resume_to_device(CONNECTOR, taken=5)
        await subject.restart()
        assert await waiting(subject) == [(6 + i, raw) for i, raw in enumerate(messages)]
    await subject.journal.append(delivery(*messages, b"later"))
    assert (await waiting(subject))[-1] == (6 + waits, b"later")


@pytest.mark.parametrize("since", [0, 1, 5])
async def test_a_restored_journal_follows_the_decrypter(subject: Subject, since: int) -> None:
    """An older journal gives all that waits, whatever came since: twice is better than never."""
    await subject.journal.append(delivery(b"1", b"2", b"3", b"4"))
    await take(subject, 2)
    await subject.journal.drop_to_device(CONNECTOR, through=1)
    fresh = [b"new %d" % i for i in range(since)]
    await subject.journal.append(delivery(*fresh))
    for _ in range(2):
        await subject.journal.resume_to_device(CONNECTOR, taken=7)
        await subject.restart()
    found = [b"2", b"3", b"4", *fresh]
    assert await waiting(subject) == [(8 + i, raw) for i, raw in enumerate(found)]
    await subject.journal.append(delivery(b"1", b"4", b"last"))
    assert (await waiting(subject))[-1] == (8 + len(found), b"last")
    await subject.journal.resume_to_device(CONNECTOR, taken=8)
    assert (await waiting(subject))[0] == (9, b"3")


async def test_the_number_alone_does_not_tell(subject: Subject) -> None:
    """A message that no decrypter was given was not taken, whatever number it has."""
    await subject.journal.append(delivery(b"1", b"2"))
    await subject.journal.resume_to_device(CONNECTOR, taken=1)
    assert await waiting(subject) == [(2, b"1"), (3, b"2")]


@pytest.mark.parametrize("taken", [0, 2])
async def test_keys_that_were_lost(subject: Subject, taken: int) -> None:
    """A decrypter that knows less than was destroyed is given what there is."""
    await subject.journal.append(delivery(b"1", b"2", b"3", b"4", b"5"))
    await take(subject, 4)
    await subject.journal.drop_to_device(CONNECTOR, through=3)
    await subject.journal.resume_to_device(CONNECTOR, taken=taken)
    await subject.restart()
    assert await waiting(subject, after=taken) == [(4, b"4"), (5, b"5")]
    await subject.journal.drop_to_device(CONNECTOR, through=5)
    await subject.journal.resume_to_device(CONNECTOR, taken=5)
    await subject.journal.append(delivery(b"6"))
    assert await waiting(subject, after=5) == [(6, b"6")]


async def test_only_the_connectors_own_are_numbered_anew(subject: Subject) -> None:
    """Another connector's messages, waiting or gone, stay as they are."""
    await subject.journal.append(delivery(b"1", b"2"))
    await subject.journal.append(delivery(b"1", b"2", connector="second"))
    await subject.journal.drop_to_device("second", through=1)
    await subject.journal.resume_to_device(CONNECTOR, taken=9)
    assert await waiting(subject) == [(10, b"1"), (11, b"2")]
    assert await waiting(subject, connector="second") == [(2, b"2")]
    await subject.journal.resume_to_device("second", taken=1)
    assert await waiting(subject, connector="second") == [(2, b"2")]


async def test_messages_that_come_meanwhile(subject: Subject) -> None:
    """A delivery beside a resume is numbered before or after it, and stays in its order."""
    await subject.journal.append(delivery(b"1", b"2"))
    await asyncio.gather(
        *(subject.journal.append(delivery(b"%d" % i)) for i in range(3, 9)),
        subject.journal.resume_to_device(CONNECTOR, taken=4),
        *(subject.journal.append(delivery(b"%d" % i)) for i in range(9, 15)),
    )
    assert await waiting(subject) == [(4 + i, b"%d" % i) for i in range(1, 15)]
