"""What is to become of a message, and what the classifier reads to say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bridge.model.events import EventKind, Relation

CONTEXT_MESSAGES = 12
"""How many earlier messages a context holds, at most; a policy may look at fewer."""


class Outcome(StrEnum):
    """What is to become of a message. Only ``discard`` cannot be undone."""

    CAPTURE = "capture"
    REVIEW = "review"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a code of the policy, the rule that gave it, and the span of the text it read."""

    code: str
    rule: str
    start: int = 0
    end: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome with its reasons. ``context`` holds the upstream ids of messages it leaned on.

    ``policy`` is name@version. ``restricted`` marks SECRET or above: sealed and logged, not stored.
    """

    outcome: Outcome
    score: float
    reasons: tuple[Reason, ...]
    policy: str
    model: str
    markings: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    restricted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A message as the classifier reads it. ``outcome`` and ``score`` are set once decided.

    What happened to a message may have the same ``upstream_id``, and then another ``revision``.
    """

    upstream_id: str
    revision: str | None = None
    kind: EventKind
    sender_id: str
    sent_at: datetime
    body: str = ""
    relates_to: Relation | None = None
    attachments: int = 0
    outcome: Outcome | None = None
    score: float = 0.0
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What surrounds a message: earlier ones of the group, oldest first, and what it refers to.

    ``group``: connector and group id, by which a policy may differ. ``after``: what has been said
    since, oldest first, where a message is judged once more.
    """

    before: tuple[Utterance, ...] = ()
    after: tuple[Utterance, ...] = ()
    target: Utterance | None = None
    capture_all: bool = False
    group: tuple[str, str] = ("", "")
