"""What a policy is made of: codes, rules, cues, marking forms, and the settings of doubt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.model import Outcome


class Role(StrEnum):
    """What a phrase does in a conversation, whatever it is about."""

    ASSENT = "assent"
    REFUSAL = "refusal"
    VOTE = "vote"
    COMMITMENT = "commitment"
    CHOICE = "choice"
    GRATITUDE = "gratitude"
    QUESTION = "question"
    PROPOSAL = "proposal"
    CONTINUATION = "continuation"
    IRONY = "irony"
    BACK_TO_OWN = "back_to_own"
    BACK_TO_LAST = "back_to_last"
    BACK_TO_CALL = "back_to_call"


REPLY_ROLES = (
    Role.GRATITUDE,
    Role.VOTE,
    Role.CHOICE,
    Role.COMMITMENT,
    Role.REFUSAL,
    Role.ASSENT,
)
"""The roles a short reply is made of, in the order in which they are tried."""


FREE_ROLES = (
    Role.QUESTION,
    Role.PROPOSAL,
    Role.IRONY,
    Role.BACK_TO_OWN,
    Role.BACK_TO_LAST,
    Role.BACK_TO_CALL,
)
"""The roles that a phrase has wherever it stands in a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A reason code. ``segregate``: beside something to keep, it makes a person decide."""

    name: str
    outcome: Outcome
    description: str
    segregate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern that gives a code. ``slack``: how many other words it explains (discards only)."""

    id: str
    code: str
    weight: float
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None
    slack: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A phrase that means something only beside other messages."""

    id: str
    role: Role
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A protective marking: its spellings in capitals, and its openings in any case.

    ``bare``: at the start or the end of a message it needs no line or separator of its own.
    """

    name: str
    spellings: tuple[str, ...]
    openings: tuple[str, ...] = ()
    bare: bool = False
    restricted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a text means to one that may answer it, by its words alone.

    ``judged``: what the rules say of it. ``counts``: one of them would capture it.
    """

    asks: bool
    proposes: bool
    judged: Outcome
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far back an antecedent is looked for, and how close two halves of a message stand."""

    minutes: int
    messages: int
    continuation_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """When evidence is not enough to discard, and what a doubtful message scores.

    ``common_words`` explain nothing and may be of other languages too; by ``language_words`` a
    text is known to be in the language of the patterns.
    """

    longest_text: int
    longest_discard_words: int
    foreign_letters: float
    foreign_words: int
    foreign_share: float
    common_words: frozenset[str]
    language_words: frozenset[str]
    weight: float
    weight_with_evidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Emoji:
    """Emoji that decide, refuse, or only accompany."""

    approval: frozenset[str]
    refusal: frozenset[str]
    irony: frozenset[str]
    social: frozenset[str]
