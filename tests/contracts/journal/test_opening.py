"""What every journal promises of encrypted entries: whenever the key comes, it is told of once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.model import EventKind, GroupTimer, Relation, RelationType, Timer
from bridge.protocols import Decryption, Unopened
from tests.contracts.journal.encrypted import (
    RECEIVED,
    REPLY,
    after,
    clear,
    further,
    key,
    late,
    own,
    seqs,
    shut,
    waiting,
)
from tests.contracts.journal.subjects import LATER, Subject
from tests.fakes.samples import GROUP_ID, NOW, attachment, batch, event


async def test_what_is_encrypted_is_listed(subject: Subject) -> None:
    """Encrypted entries are listed in the order they came, over a restart; no others are."""
    first, _, second, third = await subject.received(
        shut("$1"), event("$2"), shut("$3", session="s2"), shut("$4", session=None)
    )
    await subject.restart()
    found = await waiting(subject)
    assert found == [
        Unopened(
            seq=entry.seq,
            group_id=GROUP_ID,
            session=session,
            event=entry.event,
            why="",
            gave_up=False,
        )
        for entry, session in ((first, "s1"), (second, "s2"), (third, ""))
    ]


async def test_a_page_of_what_is_encrypted(subject: Subject) -> None:
    """After and limit cut the same order, with or without sessions."""
    entries = await subject.received(*(shut(f"${i}") for i in range(6)))
    numbers = [entry.seq for entry in entries]
    for sessions in (None, ["s1"]):
        page = await waiting(subject, sessions=sessions, after=numbers[1], limit=2)
        assert [each.seq for each in page] == numbers[2:4]
        assert await waiting(subject, sessions=sessions, after=numbers[-1]) == []


async def test_sessions_are_told_apart(subject: Subject) -> None:
    """Only entries of the named keys are given, whatever platforms call keys."""
    names = ["s1", "", "\ud800", "s" * 5000, "s1"]
    entries = await subject.received(*(shut(f"${i}", session=name) for i, name in enumerate(names)))
    numbers = [entry.seq for entry in entries]
    assert await seqs(subject, "s1") == [numbers[0], numbers[4]]
    assert await seqs(subject, "", "\ud800") == numbers[1:3]
    assert await seqs(subject, "s" * 5000) == [numbers[3]]
    assert await seqs(subject, "nobody") == await seqs(subject) == []
    assert await waiting(subject, connector="second") == []


async def test_what_nobody_can_open_is_not_listed(subject: Subject) -> None:
    """What was redacted before it came, or is decrypted already, waits for no key."""
    redacted = replace(shut("$1"), crypto=None, missing="redacted")
    await subject.received(redacted, clear(shut("$2")), clear(shut("$3"), kind=EventKind.ENCRYPTED))
    assert await waiting(subject) == []
    assert len(await subject.claimed(RECEIVED, now=NOW)) == 3


async def test_it_is_not_judged_before_half_its_time(subject: Subject) -> None:
    """An encrypted entry is given for judging once half the time to its deadline is over."""
    (long, short) = await subject.received(shut("$1"), shut("$2", timer=40.0))
    await subject.restart()
    instant = timedelta(milliseconds=1)
    assert await subject.seqs(RECEIVED, now=after(15) - instant) == []
    assert await subject.seqs(RECEIVED, now=after(15)) == [short.seq]
    assert await subject.seqs(RECEIVED, now=after(30) - instant) == [short.seq]
    assert await subject.seqs(RECEIVED, now=after(30)) == [short.seq, long.seq]


async def test_half_the_time_follows_the_groups_timer(subject: Subject) -> None:
    """A timer that is told meanwhile moves the half, either way."""
    (entry,) = await subject.received(shut("$1", timer=100.0))
    for seconds, half in ((40.0, 15), (None, 30)):
        timer = None if seconds is None else Timer(seconds=seconds, basis="standing")
        told = GroupTimer(group_id=GROUP_ID, standing=timer)
        await subject.journal.append(replace(batch(), timers=(told,)))
        assert await subject.seqs(RECEIVED, now=after(half - 1)) == []
        assert await subject.seqs(RECEIVED, now=after(half)) == [entry.seq]


async def test_a_key_in_time_changes_the_entry_itself(subject: Subject) -> None:
    """A received entry takes its content in place and may be judged at once."""
    (first, entry) = await subject.received(event("$0"), shut())
    content = clear(entry.event, kind=EventKind.MEMBERSHIP, relates_to=REPLY)
    assert await subject.journal.decrypted([key(entry, content)]) == ()
    await subject.restart()
    assert await subject.entry(entry.seq) == replace(entry, event=content, opened_at=NOW)
    assert await subject.seqs(RECEIVED, now=NOW) == [first.seq, entry.seq]
    assert await subject.journal.roster_before(entry.stream.id, 9) == entry.n
    assert await waiting(subject) == await waiting(subject, sessions=["s1"]) == []


async def test_who_waits_is_woken(subject: Subject) -> None:
    """Whoever waits for work looks again once content is there."""
    (entry,) = await subject.received(shut())
    assert await subject.claimed(RECEIVED, now=NOW) == ()
    task = asyncio.create_task(subject.journal.work(RECEIVED, seconds=600))
    await asyncio.sleep(0)
    await subject.journal.decrypted([key(entry)])
    await task


async def test_repeats_change_nothing(subject: Subject) -> None:
    """Content given again, at once or after a restart, and the event delivered again, are known."""
    (entry,) = await subject.received(shut())
    await subject.journal.decrypted([key(entry), key(entry, clear(entry.event, timer=own(5.0)))])
    found = await subject.entry(entry.seq)
    await subject.restart()
    await asyncio.gather(*(subject.journal.decrypted([key(entry)]) for _ in range(3)))
    again = await subject.journal.append(batch(shut()))
    assert (again.new, again.repeated) == (0, 1)
    assert await subject.entry(entry.seq) == found
    assert await waiting(subject) == []


async def test_nothing_is_decrypted_that_is_not_encrypted(subject: Subject) -> None:
    """Content for an entry that is none, or is in the clear, changes nothing."""
    (entry,) = await subject.received(event())
    content = clear(shut())
    assert await subject.journal.decrypted([Decryption(seq=99, event=content)]) == ()
    assert await subject.journal.decrypted([key(entry, content)]) == ()
    assert await subject.journal.decrypted([]) == ()
    assert await subject.entry(entry.seq) == entry


async def test_the_content_of_another_event_is_refused(subject: Subject) -> None:
    """A caller that mixes events up is refused, and nothing changes."""
    (entry,) = await subject.received(shut())
    with pytest.raises(RuntimeError, match="another event"):
        await subject.journal.decrypted([key(entry, clear(shut("$2")))])
    assert await subject.entry(entry.seq) == entry
    assert await seqs(subject, "s1") == [entry.seq]


@pytest.mark.parametrize(
    ("was", "inside", "safe", "ends"),
    [
        (None, None, 60, None),
        (None, 20.0, 10, 20),
        (40.0, 20.0, 10, 20),
        (20.0, 40.0, 10, 20),
        (40.0, None, 30, 40),
    ],
)
async def test_a_timer_inside_may_be_shorter(
    subject: Subject, was: float | None, inside: float | None, safe: float, ends: float | None
) -> None:
    """A timer that only the content shows is planned by; nothing is planned later than it was."""
    (entry,) = await subject.received(shut(timer=was))
    content = clear(entry.event, timer=None if inside is None else own(inside))
    await subject.journal.decrypted([key(entry, content)])
    found = await subject.entry(entry.seq)
    assert (found.safe_by, found.expires_at) == (
        after(safe),
        None if ends is None else after(ends),
    )


@pytest.mark.parametrize(("told", "ends"), [(20.0, 20), (None, 50)])
async def test_the_groups_timer_of_now_holds(
    subject: Subject, told: float | None, ends: float
) -> None:
    """A timer that was told since it came counts beside its own."""
    (entry,) = await subject.received(shut(timer=30.0))
    timer = None if told is None else Timer(seconds=told, basis="standing")
    group_timer = GroupTimer(group_id=GROUP_ID, standing=timer)
    await subject.journal.append(replace(batch(), timers=(group_timer,)))
    await subject.journal.decrypted([key(entry, clear(entry.event, timer=own(50.0)))])
    assert (await subject.entry(entry.seq)).expires_at == after(ends)


async def test_attachments_inside_are_ordered(subject: Subject) -> None:
    """Files that only the content shows are fetched, with their message's deadline."""
    (entry,) = await subject.received(shut(timer=40.0))
    secret = replace(attachment("b"), secret=b"{}")
    files = [attachment("a"), secret]
    content = clear(entry.event, attachments=files, timer=own(20.0))
    await subject.journal.decrypted([key(entry, content)])
    await subject.journal.decrypted([key(entry, content)])
    assert [each.attachment for each in await subject.journal.media(entry.seq)] == files
    orders = [await subject.order(now=NOW) for _ in files]
    assert {(order.seq, order.due) for order in orders} == {(entry.seq, after(10))}
    assert await subject.journal.claim_download(now=LATER) is None


@pytest.mark.parametrize("state", ["judged", "sealed", "stored", "discarded", "restricted"])
async def test_a_late_key_makes_a_new_entry(subject: Subject, state: str) -> None:
    """What went further is left as it is; its content is an entry beside it, related to it."""
    await subject.received(event("$0"))
    first = await further(subject, state, shut())
    subject.clock.advance(3600)
    assert await subject.journal.decrypted([key(first)]) == ()
    await subject.restart()
    assert await subject.entry(first.seq) == first
    made = [each for each in await subject.claimed(RECEIVED) if each.event.revision]
    (found,) = made
    expected = replace(
        clear(first.event),
        revision="decrypted",
        observed_at=after(3600),
        relates_to=Relation(type=RelationType.DECRYPTED, upstream_id="$1"),
        upstream=(("decrypts", "1"),),
    )
    assert found.event == expected
    assert (found.stream, found.n, found.state) == (first.stream, 2, RECEIVED)
    assert (found.safe_by, found.expires_at) == (after(3660), None)
    assert await waiting(subject) == await waiting(subject, sessions=["s1"]) == []


async def test_a_late_entry_keeps_its_own_relation(subject: Subject) -> None:
    """A reply stays a reply, a rescued message stays rescued, and both name what they decrypt."""
    first = await subject.stored(of=shut("$1", revision="rescued"))
    content = replace(clear(first.event, relates_to=REPLY), upstream=(("type", "x"),))
    await subject.journal.decrypted([key(first, content)])
    found = await late(subject, first)
    assert found.event.revision == "rescued+decrypted"
    assert found.event.relates_to == REPLY
    assert found.event.upstream == (("type", "x"), ("decrypts", "0"))


async def test_a_late_entry_is_made_once(subject: Subject) -> None:
    """A late key that is given again makes no second entry."""
    first = await subject.stored(of=shut())
    await subject.journal.decrypted([key(first), key(first)])
    await subject.restart()
    await asyncio.gather(*(subject.journal.decrypted([key(first)]) for _ in range(3)))
    assert (await late(subject, first)).n == 1


async def test_late_files_are_fetched(subject: Subject) -> None:
    """Files of a late entry are ordered for it."""
    first = await subject.stored(of=shut())
    await subject.journal.decrypted([key(first, clear(first.event, attachments=[attachment()]))])
    assert (await subject.order()).seq == (await late(subject, first)).seq


async def test_late_entries_stand_in_the_order_given(subject: Subject) -> None:
    """New entries are numbered as their keys were given, between all that comes."""
    firsts = [await subject.stored(of=shut(f"${i}")) for i in range(4)]
    order = [firsts[2], firsts[0], firsts[3], firsts[1]]
    await subject.journal.decrypted([key(entry) for entry in order])
    made = sorted(await subject.claimed(RECEIVED), key=lambda entry: entry.n)
    assert [entry.n for entry in made] == [4, 5, 6, 7]
    assert [entry.event.upstream_id for entry in made] == ["$2", "$0", "$3", "$1"]


async def test_a_late_entry_has_the_timer_of_now(subject: Subject) -> None:
    """It is planned by what ends its message when the key comes."""
    first = await subject.stored(of=shut(timer=100.0))
    timer = Timer(seconds=40.0, basis="standing")
    told = GroupTimer(group_id=GROUP_ID, standing=timer)
    await subject.journal.append(replace(batch(), timers=(told,)))
    subject.clock.advance(5)
    await subject.journal.decrypted([key(first)])
    found = await late(subject, first)
    assert (found.event.timer, found.safe_by, found.expires_at) == (timer, after(30), after(40))


async def test_after_a_close_it_goes_to_the_next_stream(subject: Subject) -> None:
    """A group that is recorded again has its late content where it is recorded now."""
    first = await subject.stored(of=shut())
    await subject.journal.close_stream(await subject.group(), at=NOW)
    (other,) = await subject.received(event("$2"))
    await subject.journal.decrypted([key(first)])
    found = await late(subject, other)
    assert (found.stream, found.n) == (other.stream, 1)
    assert found.event.upstream == (("decrypts", f"{first.stream.id}/0"),)


async def test_a_group_that_is_not_recorded_opens_no_stream(subject: Subject) -> None:
    """Without an open stream it stays encrypted, with the reason, until there is one."""
    first = await subject.stored(of=shut())
    await subject.journal.close_stream(await subject.group(), at=NOW)
    assert await subject.journal.decrypted([key(first)]) == ()
    (found,) = await waiting(subject)
    assert "not recorded any more" in found.why
    assert await subject.claimed(RECEIVED) == ()
    (other,) = await subject.received(event("$2"))
    await subject.journal.decrypted([key(first)])
    assert (await late(subject, other)).event.revision == "decrypted"


async def test_a_received_entry_of_a_closed_stream(subject: Subject) -> None:
    """What has its number already takes its content there."""
    (entry,) = await subject.received(shut())
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.journal.decrypted([key(entry)])
    assert (await subject.entry(entry.seq)).event == clear(entry.event)
