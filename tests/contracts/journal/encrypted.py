"""Encrypted events, what a key makes of them, and what waits for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.lifecycle import EntryState
from bridge.model import (
    Attachment,
    Crypto,
    Event,
    EventKind,
    Outcome,
    Relation,
    RelationType,
    Timer,
)
from bridge.protocols import Decryption, Entry, Unopened
from tests.contracts.journal.subjects import DISCARD, Subject
from tests.fakes.samples import CONNECTOR, GROUP_ID, NOW, event, verdict

RECEIVED, JUDGED = EntryState.RECEIVED, EntryState.JUDGED
PROMPT = NOW + timedelta(seconds=60)
REPLY = Relation(type=RelationType.REPLY, upstream_id="$0")
REVIEW = verdict(Outcome.REVIEW)


def after(seconds: float) -> datetime:
    """That long after now."""
    return NOW + timedelta(seconds=seconds)


def own(seconds: float) -> Timer:
    """A message's own timer."""
    return Timer(seconds=seconds, basis="own")


def shut(
    upstream_id: str = "$1",
    *,
    session: str | None = "s1",
    group_id: str = GROUP_ID,
    revision: str | None = None,
    timer: float | None = None,
) -> Event:
    """An encrypted message."""
    made = event(
        upstream_id,
        group_id=group_id,
        revision=revision,
        kind=EventKind.ENCRYPTED,
        body=None,
        timer=timer,
    )
    return replace(made, crypto=Crypto(algorithm="m.megolm", session=session))


def clear(
    of: Event,
    *,
    kind: EventKind = EventKind.MESSAGE,
    relates_to: Relation | None = None,
    attachments: Sequence[Attachment] = (),
    timer: Timer | None = None,
) -> Event:
    """The same message with its content; ``timer`` is one of its own."""
    assert of.crypto is not None
    return replace(
        of,
        kind=kind,
        body="The key came.",
        relates_to=relates_to,
        attachments=tuple(attachments),
        timer=timer or of.timer,
        own_timer=timer or of.own_timer,
        crypto=replace(of.crypto, clear=b'{"body":"The key came."}'),
    )


def key(entry: Entry, content: Event | None = None) -> Decryption:
    """What the key makes of an entry."""
    return Decryption(seq=entry.seq, event=content or clear(entry.event))


async def waiting(
    subject: Subject,
    *,
    sessions: Sequence[str] | None = None,
    given_up: bool = False,
    after: int = 0,
    limit: int = 9999,
    connector: str = CONNECTOR,
) -> list[Unopened]:
    """What waits for a key."""
    asked = None if sessions is None else frozenset(sessions)
    found = await subject.journal.unopened(
        connector, sessions=asked, given_up=given_up, after=after, limit=limit
    )
    return list(found)


async def seqs(subject: Subject, *sessions: str) -> list[int]:
    """The entries that wait for one of these keys."""
    return [each.seq for each in await waiting(subject, sessions=sessions)]


async def late(subject: Subject, first: Entry) -> Entry:
    """The one entry that came after ``first``."""
    (found,) = [each for each in await subject.claimed(RECEIVED) if each.seq != first.seq]
    subject.journal.release([found.seq])
    return found


async def further(subject: Subject, state: str, of: Event) -> Entry:
    """An encrypted entry that went further."""
    if state == "judged":
        return await subject.judged(REVIEW, of=of)
    if state == "stored":
        return await subject.stored(of=of)
    decisions = {
        "sealed": REVIEW,
        "discarded": DISCARD,
        "restricted": verdict(Outcome.REVIEW, restricted=True),
    }
    return await subject.sealed(decisions[state], of=of)
