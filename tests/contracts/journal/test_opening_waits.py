"""What every journal promises of entries that wait for a key: who has them, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.lifecycle import EntryState
from bridge.model import Event
from bridge.protocols import EarlierStream, Entry, UnopenedGroup
from tests.contracts.journal.encrypted import (
    JUDGED,
    RECEIVED,
    REVIEW,
    after,
    clear,
    key,
    late,
    seqs,
    shut,
    waiting,
)
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import CONNECTOR, GROUP_ID, NOW, batch, event, group, proof, sealing

MANY = 3000


async def give_up(subject: Subject, *, before: float = 3600, connector: str = CONNECTOR) -> int:
    """Give up what came before that."""
    return await subject.journal.give_up_unopened(
        connector, received_before=after(before), limit=9999
    )


@pytest.mark.parametrize("state", [RECEIVED, JUDGED])
async def test_a_leased_entry_is_asked_for_again(subject: Subject, state: EntryState) -> None:
    """What somebody has in hand changes nothing, is named, and takes its content afterwards."""
    other, entry = await subject.received(shut("$0"), shut("$1"))
    if state is JUDGED:
        await subject.journal.judge([(entry.seq, REVIEW)])
    else:
        subject.journal.release([other.seq])
    (held,) = [each for each in await subject.claimed(state) if each.seq == entry.seq]
    subject.journal.release([other.seq])
    assert await subject.journal.decrypted([key(other), key(entry)]) == (entry.seq,)
    assert await subject.entry(entry.seq) == held
    assert await seqs(subject, "s1") == [entry.seq]
    subject.journal.release([entry.seq])
    assert await subject.journal.decrypted([key(other), key(entry)]) == ()
    assert await waiting(subject) == []


async def test_only_what_still_waits_is_asked_for_again(subject: Subject) -> None:
    """A leased entry that was decrypted already is not named."""
    (entry,) = await subject.received(shut())
    await subject.journal.decrypted([key(entry)])
    (held,) = await subject.claimed(RECEIVED)
    assert held.event == clear(entry.event)
    assert await subject.journal.decrypted([key(entry)]) == ()


async def test_leases_end_with_the_process(subject: Subject) -> None:
    """After a restart what was in hand is free for its content."""
    (entry,) = await subject.received(shut())
    await subject.claimed(RECEIVED)
    assert await subject.journal.decrypted([key(entry)]) == (entry.seq,)
    await subject.restart()
    assert await subject.journal.decrypted([key(entry)]) == ()
    assert (await subject.entry(entry.seq)).event == clear(entry.event)


@pytest.mark.parametrize("claim_first", [True, False])
async def test_nobody_judges_old_content(subject: Subject, *, claim_first: bool) -> None:
    """Of a claim and a decryption at the same time, who claims has what the entry holds."""
    for i in range(12):
        (entry,) = await subject.received(shut(f"${i}"))
        claim = subject.journal.claim(RECEIVED, now=LATER, limit=9)
        decrypt = subject.journal.decrypted([key(entry)])
        if claim_first:
            found, busy = await asyncio.gather(claim, decrypt)
        else:
            busy, found = await asyncio.gather(decrypt, claim)
        for held in found:
            assert held == await subject.entry(held.seq)
        assert (busy == (entry.seq,)) == (await seqs(subject, "s1") != [])
        subject.journal.release([held.seq for held in found])
        await subject.journal.decrypted([key(entry)])
        await subject.journal.judge([(entry.seq, REVIEW)])
        assert (await subject.entry(entry.seq)).event == clear(entry.event)


async def test_a_cancelled_caller_leaves_it_whole(subject: Subject) -> None:
    """Cancelled at any turn, it has happened or not, and the entry is free afterwards."""
    for turns in range(8):
        (entry,) = await subject.received(shut(f"${turns}"))
        task = asyncio.create_task(subject.journal.decrypted([key(entry)]))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        claimed = await subject.claimed(RECEIVED)
        await subject.journal.append(batch(cursor=None))  # what was handed in before is over
        for held in claimed:
            assert held == await subject.entry(held.seq)
            subject.journal.release([held.seq])
        assert await subject.journal.decrypted([key(entry)]) == ()
        assert (await subject.entry(entry.seq)).event == clear(entry.event)
        await subject.journal.judge([(entry.seq, REVIEW)])


async def test_what_is_in_the_way_is_remembered(subject: Subject) -> None:
    """The last reason of each is shown and counted by group, over a restart."""
    await subject.admit("!other")
    events = [shut("$1"), shut("$2"), shut("$3", group_id="!other"), shut("$4")]
    events = [replace(each, observed_at=after(i)) for i, each in enumerate(events)]
    entries = await subject.received(*events)
    first, second, third, fourth = (entry.seq for entry in entries)
    await subject.journal.not_opened([(first, "x"), (99, "x")])
    await subject.journal.not_opened([(first, "no key"), (second, "no key"), (third, "a\ud800")])
    await subject.restart()
    found = {each.seq: each.why for each in await waiting(subject)}
    assert found == {first: "no key", second: "no key", third: "a?", fourth: ""}

    def counted(group_id: str, why: str, count: int, oldest: float) -> UnopenedGroup:
        return UnopenedGroup(
            connector=CONNECTOR, group_id=group_id, why=why, count=count, oldest=after(oldest)
        )

    assert (await subject.journal.tally(now=NOW)).unopened == (
        counted(GROUP_ID, "", 1, 3),
        counted(GROUP_ID, "no key", 2, 0),
        counted("!other", "a?", 1, 2),
    )
    await subject.journal.decrypted([key(entries[0])])
    await give_up(subject, before=2)
    assert (await subject.journal.tally(now=NOW)).unopened == (
        counted(GROUP_ID, "", 1, 3),
        counted("!other", "a?", 1, 2),
    )


async def test_what_is_given_up_is_a_gap_once(subject: Subject) -> None:
    """Each entry still encrypted is one gap where it stands, with its reason."""
    first = await subject.stored(of=shut("$1"))
    opened, last, _ = await subject.received(shut("$2"), shut("$3"), event("$4"))
    await subject.journal.not_opened([(first.seq, "no key")])
    await subject.journal.decrypted([key(opened)])
    assert await give_up(subject) == 2
    await subject.restart()
    assert await give_up(subject) == 0
    leaves = subject.leaves("gap")
    assert [(leaf.s, leaf.after, leaf.why) for leaf in leaves] == [
        (first.stream.id, entry.n, "undecryptable") for entry in (first, last)
    ]
    gaps = await subject.journal.gaps(CONNECTOR, GROUP_ID)
    assert [(gap.detail, gap.since, gap.until) for gap in gaps] == [
        ("no key", NOW, NOW),
        ("", NOW, NOW),
    ]
    assert await waiting(subject) == []


async def test_only_the_old_is_given_up(subject: Subject) -> None:
    """What came later, or to another connector, is waited for."""
    await subject.journal.set_group(group(connector="second"), expect=None)
    await subject.received(shut("$1"), replace(shut("$2"), observed_at=after(5)))
    await subject.journal.append(batch(shut("$1"), connector="second"))
    assert await give_up(subject, before=0) == 0
    assert await give_up(subject, before=5) == 1
    assert [each.event.upstream_id for each in await waiting(subject)] == ["$2"]
    assert len(await waiting(subject, connector="second")) == 1


async def test_all_that_waits(subject: Subject) -> None:
    """What was given up is listed among the others where it is asked for."""
    entries = await subject.received(*(shut(f"${i}", session=f"s{-i}") for i in range(4)))
    numbers = [entry.seq for entry in entries]
    await subject.journal.decrypted([key(entries[1])])
    await give_up(subject)
    (later,) = await subject.received(shut("$9", session="s-0"))
    found = await waiting(subject, given_up=True)
    assert [(each.seq, each.gave_up) for each in found] == [
        (numbers[0], True),
        (numbers[2], True),
        (numbers[3], True),
        (later.seq, False),
    ]
    page = await waiting(subject, given_up=True, after=numbers[0], limit=2)
    assert [each.seq for each in page] == [numbers[2], numbers[3]]
    assert await waiting(subject, given_up=True, connector="second") == []


@pytest.mark.parametrize("stored", [False, True])
async def test_a_key_after_the_gap_still_opens(subject: Subject, *, stored: bool) -> None:
    """What was given up is found by its key, shows that it is a gap, and gets its content."""
    (other, entry) = await subject.received(event("$0"), shut())
    if stored:
        await subject.journal.judge([(entry.seq, REVIEW)])
    await give_up(subject)
    (found,) = await waiting(subject, sessions=["s1"])
    assert (found.seq, found.gave_up) == (entry.seq, True)
    await subject.journal.decrypted([key(entry)])
    holder = await subject.entry(entry.seq)
    if stored:
        (holder,) = [each for each in await subject.claimed(RECEIVED) if each.event.revision]
    assert holder.event.body == "The key came."
    assert await seqs(subject, "s1") == []
    assert await give_up(subject) == 0
    assert (await subject.entry(other.seq)) == other


async def test_a_gap_after_a_close(subject: Subject) -> None:
    """What is given up after its stream ended is a gap of that stream."""
    entry = await subject.stored(of=shut())
    await subject.journal.close_stream(await subject.group(), at=NOW)
    assert await give_up(subject) == 1
    (leaf,) = subject.leaves("gap")
    assert (leaf.s, leaf.after) == (entry.stream.id, entry.n)


async def test_a_destroyed_entry_waits_no_longer(subject: Subject) -> None:
    """With its content goes what could be decrypted; nothing comes of it, no gap either."""
    entry = await subject.sealed(DISCARD, of=shut())
    assert await seqs(subject, "s1") == [entry.seq]
    await subject.journal.forget(discarded_before=LATER, limit=9)
    assert await waiting(subject) == await waiting(subject, sessions=["s1"]) == []
    assert await subject.journal.decrypted([key(entry)]) == ()
    assert await subject.claimed(RECEIVED) == ()
    assert await give_up(subject) == 0
    assert (await subject.journal.tally(now=NOW)).unopened == ()


async def test_a_decrypted_discard_is_forgotten_alone(subject: Subject) -> None:
    """The late content of a discard is an entry of its own and stays when that goes."""
    entry = await subject.sealed(DISCARD, of=shut())
    await subject.journal.decrypted([key(entry)])
    await subject.journal.forget(discarded_before=LATER, limit=9)
    assert await subject.journal.entry(entry.seq) is None
    (found,) = await subject.claimed(RECEIVED)
    assert found.event.revision == "decrypted"


def _earlier(stream: str) -> EarlierStream:
    return EarlierStream(
        connector=CONNECTOR, group_id=GROUP_ID, stream=stream, last_n=9, since=None, until=NOW
    )


async def test_a_replaced_stream_keeps_what_waits(subject: Subject) -> None:
    """What moves to a new stream rests and waits there, and takes its content there."""
    sealed = await subject.sealed(REVIEW, of=shut("$1"))
    judged = await subject.judged(REVIEW, of=shut("$2"))
    (received,) = await subject.received(shut("$3"))
    await subject.journal.not_opened([(received.seq, "no key")])
    await subject.journal.supersede([_earlier(sealed.stream.id)], at=NOW)
    await subject.restart()
    found = await waiting(subject)
    assert [(each.seq, each.why) for each in found] == [
        (sealed.seq, ""),
        (judged.seq, ""),
        (received.seq, "no key"),
    ]
    assert await subject.seqs(RECEIVED, now=after(29)) == []
    assert await subject.seqs(RECEIVED, now=after(30)) == [judged.seq, received.seq]
    await subject.journal.decrypted([key(entry) for entry in (sealed, judged, received)])
    entries = sorted(await subject.claimed(RECEIVED, now=NOW), key=lambda entry: entry.n)
    assert [entry.event.upstream_id for entry in entries] == ["$2", "$3", "$1"]
    assert [entry.event.revision for entry in entries] == [None, None, "decrypted"]
    assert {entry.stream.id == sealed.stream.id for entry in entries} == {False}


async def test_it_goes_its_whole_way(subject: Subject) -> None:
    """Both the ciphertext and its late content are sealed and stored, each under its number."""
    first = await subject.stored(of=shut())
    await subject.journal.decrypted([key(first)])
    found = await late(subject, first)
    await subject.journal.judge([(found.seq, REVIEW)])
    await subject.journal.seal([sealing(await subject.entry(found.seq))])
    await subject.journal.store([proof(await subject.entry(found.seq))])
    assert [leaf.n for leaf in subject.leaves("seen")] == [first.n, found.n]
    (tally,) = (await subject.journal.tally(now=NOW)).groups
    assert (tally.stored, tally.review) == (2, 1)


def _many() -> list[Event]:
    return [shut(f"${i}", session=f"s{i % 7}") for i in range(MANY)]


async def _all(subject: Subject) -> list[Entry]:
    await subject.journal.append(batch(*_many()))
    found = await waiting(subject, limit=2 * MANY)
    assert [each.event.upstream_id for each in found] == [f"${i}" for i in range(MANY)]
    claimed = await subject.claimed(RECEIVED, limit=2 * MANY)
    subject.journal.release([entry.seq for entry in claimed])
    return sorted(claimed, key=lambda entry: entry.seq)


async def test_three_thousand_in_place(subject: Subject) -> None:
    """All that waits for one backup takes its content in one call."""
    entries = await _all(subject)
    assert len(await seqs(subject, "s0", "s3")) == 858
    assert await subject.journal.decrypted([key(entry) for entry in entries]) == ()
    assert await waiting(subject) == []
    found = await subject.claimed(RECEIVED, limit=2 * MANY, now=NOW)
    assert {entry.event.body for entry in found} == {"The key came."}
    assert len(found) == MANY


async def test_three_thousand_late(subject: Subject) -> None:
    """All that a late backup opens is new, in order, and what is left is given up at once."""
    entries = await _all(subject)
    await subject.journal.judge([(entry.seq, REVIEW) for entry in entries])
    opened = entries[: MANY // 2]
    assert await subject.journal.decrypted([key(entry) for entry in opened]) == ()
    found = sorted(await subject.claimed(RECEIVED, limit=2 * MANY), key=lambda entry: entry.n)
    assert [entry.n for entry in found] == list(range(MANY, MANY + MANY // 2))
    assert [entry.event.upstream_id for entry in found] == [f"${i}" for i in range(MANY // 2)]
    assert await give_up(subject) == MANY // 2
    assert len(subject.leaves("gap")) == MANY // 2
    assert {each.event.upstream_id for each in await waiting(subject, sessions=["s0"])} <= {
        f"${i}" for i in range(MANY // 2, MANY)
    }
