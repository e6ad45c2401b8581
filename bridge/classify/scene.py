"""What a message and its neighbours score, as one row of numbers for the trees.

The antecedent is what the message explicitly answers, else the message before it; the answer is
the message after it. Whatever is missing contributes nothing, so that absence is never evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.classify.lines import HEADS

_RECORD, _LOGISTICS, _ACK = HEADS.index("record"), HEADS.index("logistics"), HEADS.index("ack")
_TASK, _ANSWER, _LEANING = HEADS.index("task"), HEADS.index("answer"), HEADS.index("leaning")
_PROPOSAL, _OUTSIDE = HEADS.index("proposal"), HEADS.index("outside")
_PRIVATE, _INQUIRY = HEADS.index("private"), HEADS.index("inquiry")
_SPOKEN = HEADS.index("spoken")
_FADES = 0.1
_NEAR = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message as its neighbours see it. ``own``: of the same person. ``assigns``: a task."""

    heads: tuple[float, ...]
    asks: bool
    votes: bool
    assigns: bool = False
    own: bool = False


_SILENCE = Heard(heads=(0.0,) * len(HEADS), asks=False, votes=False)


def scene(
    message: Heard,
    before: Sequence[Heard],
    after: Sequence[Heard] = (),
    target: Heard | None = None,
) -> tuple[float, ...]:
    """The row of ``message``; ``before`` and ``after`` have the nearest first."""
    antecedent = target or (before[0] if before else _SILENCE)
    answer = after[0] if after else _SILENCE
    return (
        *message.heads,
        float(message.asks),
        float(message.votes),
        *antecedent.heads,
        float(antecedent.asks),
        float(antecedent.own),
        *answer.heads,
        float(answer.asks),
        float(answer.own),
        *_products(message.heads, antecedent, answer),
        *_surroundings(message.heads, before, after),
        *_proposals(message, before),
        _register(message, before, after),
        float(message.assigns),
    )


def _products(own: tuple[float, ...], antecedent: Heard, answer: Heard) -> tuple[float, ...]:
    """What a message means through what it answers, and through what answers it."""
    leaning, answers = 1 + soft(own[_LEANING]), 1 + soft(own[_ANSWER])
    acknowledges = 1 + soft(own[_ACK])
    before, after = antecedent.heads, answer.heads
    answered = 1 + soft(after[_ANSWER])
    return (
        leaning * before[_RECORD],
        leaning * after[_RECORD],
        answers * before[_RECORD],
        acknowledges * before[_RECORD],
        leaning * leaning * before[_RECORD],
        leaning * before[_TASK],
        answers * before[_TASK],
        acknowledges * before[_TASK],
        leaning * before[_LOGISTICS],
        answers * before[_LOGISTICS],
        leaning * before[_OUTSIDE],
        acknowledges * after[_RECORD],
        answered * own[_RECORD],
        message_asks(antecedent) * answers * before[_RECORD],
        soft(own[_RECORD]) * soft(before[_RECORD]),
        soft(own[_RECORD]) * soft(after[_RECORD]),
        leaning * before[_PRIVATE],
        leaning * before[_INQUIRY],
        leaning * after[_INQUIRY],
    )


def message_asks(heard: Heard) -> float:
    """One for a question, else zero."""
    return float(heard.asks)


def _surroundings(
    own: tuple[float, ...], before: Sequence[Heard], after: Sequence[Heard]
) -> tuple[float, ...]:
    """The subject of the conversation around the message."""
    leaning = 1 + soft(own[_LEANING])
    earlier = [one.heads[_RECORD] for one in before[:_NEAR]]
    later = [one.heads[_RECORD] for one in after[:_NEAR]]
    others = next((one.heads[_RECORD] for one in before[:_NEAR] if not one.own), 0.0)
    highest = max(earlier, default=0.0)
    around = sum(map(soft, earlier)) + sum(map(soft, later))
    private = sum(soft(one.heads[_PRIVATE]) for one in (*before[:_NEAR], *after[:_NEAR]))
    return (
        highest,
        max(later, default=0.0),
        leaning * highest,
        leaning * others,
        earlier[1] if len(earlier) > 1 else 0.0,
        later[1] if len(later) > 1 else 0.0,
        around,
        leaning * around,
        private,
    )


def _proposals(message: Heard, before: Sequence[Heard]) -> tuple[float, ...]:
    """Whether something is being voted on."""
    votes = sum(one.votes for one in before)
    nearest = next((one.heads[_PROPOSAL] for one in before if not one.votes), 0.0)
    faded = [one.heads[_PROPOSAL] - _FADES * i for i, one in enumerate(before) if not one.votes]
    best = max(faded, default=0.0)
    own = float(message.votes)
    return (best, nearest, float(votes), own * best, own * nearest, own * votes)


def _register(message: Heard, before: Sequence[Heard], after: Sequence[Heard]) -> float:
    """How much the conversation reads like talk in a meeting."""
    around = [message, *before[:_NEAR], *after[:_NEAR]]
    return sum(one.heads[_SPOKEN] for one in around) / len(around)


def soft(score: float) -> float:
    """``score`` between -1 and 1. Only operations that every machine rounds alike."""
    return score / (1 + abs(score))


WIDTH = len(scene(_SILENCE, ()))
"""How many numbers a row has."""

ASSIGNS = WIDTH - 1
"""Where a row says whether the message gives a task. Trees do not see it: it is too rare."""

REGISTER = WIDTH - 2
"""Where a row says how much the conversation reads like talk in a meeting."""
