"""Short replies: assent, refusal, vote, commitment, choice, thanks. Meaningless alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.classify.normalise import Reading
from bridge.classify.policy import Policy
from bridge.classify.rules import words
from bridge.classify.terms import REPLY_ROLES, Role

_GAP = re.compile(r"(?:[ .,!?;:'\"()*_~]|-(?!\d)){1,40}")
_NAME = re.compile(r"@\w{1,60}")
_MOST_PARTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply that a text opens with, up to ``end``. ``bare``: it says nothing else."""

    roles: frozenset[Role]
    end: int
    bare: bool

    @property
    def only_thanks(self) -> bool:
        """Thanks and nothing that decides."""
        return self.roles == {Role.GRATITUDE}


def parse_reply(reading: Reading, policy: Policy) -> Reply | None:
    """The reply at the start of the text, or None where it opens with something else."""
    roles: set[Role] = set()
    at = end = 0
    for _ in range(_MOST_PARTS):
        part = _part(reading.text, at, policy)
        if part is None:
            break
        role, at = part
        if role is not None:
            roles.add(role)
            end = at
    if not roles:
        return None
    bare = reading.complete and not words(reading.text[at:]) and _known_tail(reading, at, policy)
    return Reply(roles=frozenset(roles), end=end, bare=bare)


def emoji_role(text: str, policy: Policy) -> Role | None:
    """What one emoji, or a key such as ``+1``, says as an answer."""
    if text in policy.emoji.approval:
        return Role.ASSENT
    if text in policy.emoji.refusal:
        return Role.REFUSAL
    return None


def _part(text: str, at: int, policy: Policy) -> tuple[Role | None, int] | None:
    """The next cue, emoji, name or gap from ``at``, and where it ends."""
    if at >= len(text):
        return None
    for role in REPLY_ROLES:
        for cue in policy.cues[role]:
            match = cue.pattern.match(text, at)
            if match is not None and not (cue.unless and cue.unless.search(text)):
                return role, match.end()
    decides = emoji_role(text[at], policy)
    if decides is not None:
        return decides, at + 1
    if text[at] in policy.emoji.irony or text[at] in policy.emoji.social:
        return None, at + 1
    gap = _NAME.match(text, at) or _GAP.match(text, at)
    return None if gap is None else (None, gap.end())


def _known_tail(reading: Reading, at: int, policy: Policy) -> bool:
    known = policy.emoji.approval | policy.emoji.refusal | policy.emoji.irony | policy.emoji.social
    return all(c.isascii() or c in known for c in reading.text[at:])
