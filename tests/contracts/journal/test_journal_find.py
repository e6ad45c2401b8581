"""What every journal promises of looking a message up by its platform id."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.model import EventKind
from bridge.protocols.journal import VERSIONS
from tests.contracts.journal.encrypted import REVIEW, clear, key, late, shut
from tests.contracts.journal.subjects import DISCARD, LATER, Subject
from tests.fakes.samples import NOW, event, sealing, verdict


async def test_find_takes_the_event_without_revision(subject: Subject) -> None:
    """The entry of an upstream id is the one without revision, in its own stream."""
    await subject.admit("!other")
    edit, plain, _ = await subject.received(
        event("$1", revision="u1"), event("$1"), event("$1", group_id="!other")
    )
    for earlier in (False, True):
        assert await subject.journal.find(plain.stream.id, "$1", earlier=earlier) == plain
        assert await subject.journal.find(plain.stream.id, "$2", earlier=earlier) is None
        assert await subject.journal.find("0" * 16, "$1", earlier=earlier) is None
    assert edit.seq != plain.seq


async def test_find_takes_the_revision_asked_for(subject: Subject) -> None:
    """Exactly that event is found, and none where it never came."""
    edit, plain = await subject.received(event("$1", revision="u1"), event("$1"))
    assert await subject.journal.find(plain.stream.id, "$1", revision="u1") == edit
    assert await subject.journal.find(plain.stream.id, "$1", revision="u2") is None


async def test_find_in_a_closed_stream(subject: Subject) -> None:
    """A stream that was closed is still read."""
    (entry,) = await subject.received()
    await subject.journal.close_stream(await subject.group(), at=NOW)
    await subject.restart()
    assert await subject.journal.find(entry.stream.id, "$1") == entry


async def test_find_in_an_earlier_stream(subject: Subject) -> None:
    """On request the group's other streams are read too, the latest first, no other group's."""
    await subject.admit("!other")
    await subject.received(event("$3", group_id="!other"))
    (oldest, only) = await subject.received(event("$1"), event("$2"))
    await subject.journal.close_stream(await subject.group(), at=NOW)
    (older,) = await subject.received(event("$1"))
    await subject.journal.close_stream(await subject.group(), at=NOW)
    (last,) = await subject.received(event("$4"))
    await subject.restart()
    stream = last.stream.id
    assert await subject.journal.find(stream, "$1") is None
    assert await subject.journal.find(stream, "$1", earlier=True) == older
    assert await subject.journal.find(stream, "$2", earlier=True) == only
    assert await subject.journal.find(stream, "$3", earlier=True) is None
    assert await subject.journal.find(oldest.stream.id, "$1", earlier=True) == oldest


@pytest.mark.parametrize("best", range(len(VERSIONS)))
async def test_the_version_that_tells_most_is_found(subject: Subject, best: int) -> None:
    """Of what came under one id, in whatever order, the first of the versions is given."""
    versions = [event("$1", revision=each) for each in VERSIONS[best:]][::-1]
    others = [event("$1", revision="u9", kind=EventKind.EDIT), event("$1", revision="media-0")]
    entries = await subject.received(*versions, *others)
    found = await subject.journal.find_open(entries[0].stream.id, "$1")
    assert found == entries[len(versions) - 1]
    assert await subject.journal.find_open(entries[0].stream.id, "$2") is None
    assert await subject.journal.find_open("0" * 16, "$1") is None


async def test_what_is_encrypted_is_found_last(subject: Subject) -> None:
    """The ciphertext is found until its content is there, and also where a rescue is shut."""
    (first, rescued) = await subject.received(shut("$1"), shut("$1", revision="rescued"))
    stream = first.stream.id
    assert await subject.journal.find_open(stream, "$1") == rescued
    await subject.journal.decrypted([key(first)])
    found = await subject.journal.find_open(stream, "$1")
    assert found == await subject.entry(first.seq)
    assert found.event.body == "The key came."


async def test_content_that_came_late_is_found_first(subject: Subject) -> None:
    """Once a late key made an entry of its own, that is the one."""
    entry = await subject.sealed(REVIEW, of=shut("$1"))
    assert await subject.journal.find_open(entry.stream.id, "$1") == entry
    await subject.journal.decrypted([key(entry)])
    twin = await late(subject, entry)
    assert await subject.journal.find_open(entry.stream.id, "$1") == twin
    assert await subject.journal.find(entry.stream.id, "$1") == entry


async def test_what_was_destroyed_is_not_found(subject: Subject) -> None:
    """A version whose content is gone hides none that has its own."""
    rescued = await subject.sealed(DISCARD, of=event("$1", revision="rescued"))
    (plain,) = await subject.received(event("$1"))
    assert await subject.journal.find_open(plain.stream.id, "$1") == rescued
    await subject.journal.forget(discarded_before=LATER, limit=9)
    assert await subject.journal.find_open(plain.stream.id, "$1") == plain
    assert await subject.journal.find(plain.stream.id, "$1", revision="rescued") is None


async def test_a_verdict_on_what_was_encrypted_never_stands_on_its_content(
    subject: Subject,
) -> None:
    """Judged as what it no longer is, an entry stays received and may be claimed at once."""
    (first, other) = await subject.received(shut("$1"), shut("$2"))
    await subject.journal.decrypted([key(first)])
    kinds = {first.seq: EventKind.ENCRYPTED, other.seq: EventKind.ENCRYPTED}
    verdicts = [(first.seq, REVIEW), (other.seq, REVIEW)]
    await subject.journal.judge(verdicts, kinds=kinds)
    assert (await subject.entry(first.seq)).verdict is None
    assert (await subject.entry(other.seq)).verdict == REVIEW
    (claimed,) = await subject.claimed(first.state, now=NOW)
    assert claimed.seq == first.seq
    await subject.journal.judge([(first.seq, verdict())], kinds={first.seq: EventKind.MESSAGE})
    await subject.journal.seal([sealing(await subject.entry(first.seq))])
    assert (await subject.entry(first.seq)).verdict == verdict()


async def test_it_is_remembered_when_it_was_opened(subject: Subject) -> None:
    """An entry that took its content in place says when, whatever becomes of it."""
    (entry, plain) = await subject.received(shut("$1"), event("$2"))
    subject.clock.advance(20.0)
    now = subject.clock.now()
    content = clear(entry.event)
    await subject.journal.decrypted([key(entry, content)])
    await subject.restart()
    assert await subject.entry(entry.seq) == replace(entry, event=content, opened_at=now)
    assert (await subject.entry(plain.seq)).opened_at is None


async def test_late_content_was_not_opened_in_place(subject: Subject) -> None:
    """An entry of its own came when it was opened, and needs no other time."""
    entry = await subject.judged(REVIEW, of=shut("$1"))
    await subject.journal.decrypted([key(entry)])
    assert (await late(subject, entry)).opened_at is None
    assert (await subject.entry(entry.seq)).opened_at is None


async def test_what_became_of_a_message_is_found_in_all_its_streams(subject: Subject) -> None:
    """Of each version and of what was destroyed too; not of edits, nor of other groups."""
    assert await subject.journal.verdicts("0" * 16, "$1") == ()
    await subject.admit("!other")
    other = await subject.sealed(DISCARD, of=event("$1", group_id="!other"))
    first = await subject.sealed(DISCARD, of=event("$1"))
    await subject.sealed(REVIEW, of=event("$1", revision="u1", kind=EventKind.EDIT))
    await subject.journal.forget(discarded_before=LATER, limit=9, only=[first.seq])
    await subject.journal.close_stream(await subject.group(), at=NOW)
    rescued = await subject.sealed(REVIEW, of=event("$1", revision="rescued"))
    (waiting,) = await subject.received(event("$2"))
    await subject.restart()
    bare = replace(DISCARD, reasons=tuple(replace(r, text="") for r in DISCARD.reasons))
    for stream in (first.stream.id, rescued.stream.id):
        found = await subject.journal.verdicts(stream, "$1")
        assert sorted(found, key=lambda each: each.outcome) == [bare, REVIEW]
    assert await subject.journal.verdicts(other.stream.id, "$1") == (DISCARD,)
    assert await subject.journal.verdicts(waiting.stream.id, "$2") == ()
