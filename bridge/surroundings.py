"""What a message is read with: the last messages of its group, and the one it refers to."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace

from bridge.apart import is_apart, parent_of, parent_revision, repeated
from bridge.lots import CODE as AUDIT
from bridge.model import (
    CONTEXT_MESSAGES,
    Event,
    EventKind,
    Outcome,
    Relation,
    RelationType,
    Utterance,
    Verdict,
)
from bridge.protocols import Entry, Journal
from bridge.protocols.journal import VERSIONS

STREAMS_AT_HAND = 256
_OF_ITSELF = frozenset({RelationType.DECRYPTED, RelationType.RESCUED})
"""An entry that says what an earlier one of the same message could not; it refers to nothing."""


class Surroundings:
    """Recent utterances by stream, as they were last decided. What is not at hand is looked up."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._windows: OrderedDict[str, deque[Utterance]] = OrderedDict()
        self._apart: set[tuple[str, str]] = set()

    async def before(self, entry: Entry) -> tuple[Utterance, ...]:
        """What was said in the group before ``entry``, oldest first."""
        sent_at = utterance_of(entry).sent_at
        window = await self._window(entry)
        return tuple(sorted((u for u in window if u.sent_at <= sent_at), key=lambda u: u.sent_at))

    async def target(self, entry: Entry) -> Utterance | None:
        """What ``entry`` refers to, as it can be read best; of a late attachment, its message."""
        relation = referring(entry.event)
        if relation is None:
            return None
        late = relation.type is RelationType.MEDIA
        wanted = (parent_revision(entry.event),) if late else VERSIONS
        for each in reversed(await self._window(entry)):
            if (
                each.upstream_id == relation.upstream_id
                and each.revision in wanted
                and each.kind is not EventKind.ENCRYPTED
                and not _is(each, entry.event)
            ):
                return each
        if late:
            found = await parent_of(self._journal, entry)
        else:
            found = await self._journal.find_open(entry.stream.id, relation.upstream_id)
        return None if found is None or found.seq == entry.seq else utterance_of(found)

    async def is_apart(self, entry: Entry) -> bool:
        """As :func:`bridge.apart.is_apart`; what is judged now is not in the journal yet."""
        stream = entry.stream.id
        if any((stream, name) in self._apart for name in repeated(entry.event)):
            return True
        return await is_apart(self._journal, entry)

    def remember(self, entry: Entry, verdict: Verdict) -> None:
        """``entry`` was decided: what comes next is read with it."""
        if verdict.restricted:
            self._apart.add((entry.stream.id, entry.event.upstream_id))
        # Nobody answers a reaction, and many of them would leave no room for what is answered.
        if not self._replace(entry, verdict) and entry.event.kind is not EventKind.REACTION:
            window = self._windows.setdefault(entry.stream.id, deque(maxlen=CONTEXT_MESSAGES))
            window.append(decided(utterance_of(entry), verdict))

    def revise(self, entry: Entry, verdict: Verdict) -> None:
        """What follows, its late attachments for one, must see the entry as it is now."""
        if not verdict.restricted:
            self._apart.discard((entry.stream.id, entry.event.upstream_id))
        self._replace(entry, verdict)

    def _replace(self, entry: Entry, verdict: Verdict) -> bool:
        window = self._windows.get(entry.stream.id, deque())
        for i, each in enumerate(window):
            if _is(each, entry.event):
                window[i] = decided(utterance_of(entry), verdict)
                return True
        return False

    async def _window(self, entry: Entry) -> deque[Utterance]:
        stream = entry.stream.id
        if stream not in self._windows:
            earlier = await self._journal.recent(
                stream, before=entry.n, limit=CONTEXT_MESSAGES, without=EventKind.REACTION
            )
            self._windows[stream] = deque(map(utterance_of, earlier), maxlen=CONTEXT_MESSAGES)
            if len(self._windows) > STREAMS_AT_HAND:
                self._windows.popitem(last=False)
        self._windows.move_to_end(stream)
        return self._windows[stream]


def referring(event: Event) -> Relation | None:
    """What ``event`` refers to, if that is anything but itself."""
    relation = event.relates_to
    return None if relation is None or relation.type in _OF_ITSELF else relation


def utterance_of(entry: Entry) -> Utterance:
    """An entry as the classifier reads it."""
    event = entry.event
    utterance = Utterance(
        upstream_id=event.upstream_id,
        revision=event.revision,
        kind=event.kind,
        sender_id=event.sender.id if event.sender else "",
        sent_at=event.sent_at or event.observed_at,
        body=event.body or "",
        relates_to=referring(event),
        attachments=len(event.attachments) or int(event.kind is EventKind.MEDIA),
    )
    return utterance if entry.verdict is None else decided(utterance, entry.verdict)


def decided(utterance: Utterance, verdict: Verdict) -> Utterance:
    """The utterance with what became of it.

    What was drawn by lot from the discards counts as one: a lot must not change what is said next.
    """
    drawn = bool(verdict.reasons) and verdict.reasons[0].code == AUDIT
    return replace(
        utterance,
        outcome=Outcome.DISCARD if drawn else verdict.outcome,
        score=verdict.score,
        codes=tuple(reason.code for reason in verdict.reasons),
    )


def _is(utterance: Utterance, event: Event) -> bool:
    return (utterance.upstream_id, utterance.revision) == (event.upstream_id, event.revision)
