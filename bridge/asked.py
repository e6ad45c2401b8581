"""What a message asks of the recorder: a line that begins with ``!record``, or a pin.

Anybody in the group may ask, and nothing that is asked can take a message off the record.
"""

from __future__ import annotations

from enum import StrEnum

from bridge.model import CaptureMethod, Event, EventKind, RelationType

PREFIX = "!record"
PIN = "\N{PUSHPIN}"
_PLAIN_EMOJI = "\N{VARIATION SELECTOR-16}"


class Ask(StrEnum):
    """What can be asked. ``pin`` is a reaction, and keeps like ``keep`` without a word."""

    KEEP = "keep"
    PIN = "pin"
    WHY = "why"
    STATUS = "status"
    HELP = "help"
    UNKNOWN = "unknown"

    @property
    def keeps(self) -> bool:
        """Whether a message is to be kept by it."""
        return self in {Ask.KEEP, Ask.PIN}


_WORDS = {ask.value: ask for ask in (Ask.KEEP, Ask.WHY, Ask.STATUS, Ask.HELP)}


def asked(event: Event) -> Ask | None:
    """What ``event`` asks, or None. MUST be cheap: it is asked of every message."""
    if event.sender is None or not event.body or event.method is CaptureMethod.IMPORT:
        return None
    if event.kind is EventKind.REACTION:
        keys = event.body.replace(_PLAIN_EMOJI, "").split("\n")
        return Ask.PIN if PIN in keys and target_of(event) else None
    if event.kind is not EventKind.MESSAGE or PREFIX not in event.body.lower():
        return None
    words = _own(event).split(maxsplit=2)
    if not words or words[0].lower() != PREFIX:
        return None
    return _WORDS.get(words[1].lower(), Ask.UNKNOWN) if len(words) > 1 else Ask.HELP


def target_of(event: Event) -> str | None:
    """The message that is meant: the one replied to, or reacted to."""
    relation = event.relates_to
    if relation is None or relation.type not in {RelationType.REPLY, RelationType.REACTION}:
        return None
    return relation.upstream_id


def _own(event: Event) -> str:
    """The body without the lines that some clients quote above a reply."""
    lines = (event.body or "").splitlines()
    if target_of(event) is not None:
        while lines and (not lines[0].strip() or lines[0].startswith(">")):
            del lines[0]
    return "\n".join(lines)
