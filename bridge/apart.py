"""What may hold the words of a restricted message is kept apart with it."""

from __future__ import annotations

from bridge.model import Event, EventKind, RelationType
from bridge.protocols import Entry, Journal

RELEASED = "RELEASED"
"""The code of what was restricted until a person released it."""

_REPEATING = frozenset({RelationType.EDIT, RelationType.REPLY})
"""What refers so may hold the words of what it refers to: quoted, or in its exact bytes."""

_REPEATED = frozenset({"checklist_message", "poll_message", "reply_to"})
"""Facts of a platform that name a message which is in the exact bytes too."""


async def is_apart(journal: Journal, entry: Entry) -> bool:
    """Whether an entry may hold what the journal has as restricted.

    Edits, replies and pins may hold its words. Where it was released they are judged alone; where
    it was destroyed they are not.
    """
    if entry.event.kind is EventKind.MEDIA:
        return await _is_part_of_apart(journal, entry)
    for name in repeated(entry.event):
        if any(each.restricted for each in await journal.verdicts(entry.stream.id, name)):
            return True
    return False


async def _is_part_of_apart(journal: Journal, entry: Entry) -> bool:
    """Whether a late attachment belongs to a message that is restricted, or ever was.

    It has the message's own bytes. What was said of the message when it had not come yet was
    not said of it; and nobody can tell of a message that is destroyed meanwhile.
    """
    parent = await parent_of(journal, entry)
    if parent is None or parent.verdict is None:
        return parent is None and entry.event.relates_to is not None
    codes = {reason.code for reason in parent.verdict.reasons}
    return parent.verdict.restricted or RELEASED in codes


async def parent_of(journal: Journal, entry: Entry) -> Entry | None:
    """The entry that a late attachment belongs to, in whatever stream of its group it is."""
    relation = entry.event.relates_to
    if relation is None:
        return None
    return await journal.find(
        entry.stream.id,
        relation.upstream_id,
        revision=parent_revision(entry.event),
        earlier=True,
    )


def parent_revision(event: Event) -> str | None:
    """A late attachment's own revision is its message's with one more part."""
    return (event.revision or "").rpartition("+")[0] or None


def repeated(event: Event) -> tuple[str, ...]:
    """The messages whose words ``event`` may hold."""
    relation = event.relates_to
    names = [value for fact, value in event.upstream if fact in _REPEATED]
    if relation is not None and relation.type in _REPEATING:
        names.append(relation.upstream_id)
    if event.kind is EventKind.PIN:
        names += (event.body or "").splitlines()
    return tuple(dict.fromkeys(names))
