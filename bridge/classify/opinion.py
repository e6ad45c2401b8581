"""What the model says of a message, in words: a score, a code, and the words that weighed most.

The model raises what the rules would discard or leave in doubt. The one thing it may settle the
other way is doubt that rests on nothing but the rules' own silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from bridge.classify.conversation import Placed, Turn
from bridge.classify.features import distinct, pair_bucket
from bridge.classify.hearing import Hearing
from bridge.classify.lexis import Token, tokens
from bridge.classify.lines import HEADS
from bridge.classify.model import Model
from bridge.classify.rules import Finding, is_strange
from bridge.classify.weigh import raise_to
from bridge.model import EventKind, Outcome, Reason

RULE = "model"
"""The rule that reasons of the model name."""

LIKELY = 0.5
"""More likely significant than not: from here on the model doubts a discard that the rules have
evidence for. On cross-validated mail 1 of 860 significant messages lay below it."""

CITED = 3
"""How many words a reason of the model cites, at most."""

_RECORD = HEADS.index("record")
_SETTLED_BY_MODEL = frozenset({"no-evidence", "unexplained", "too-much"})
_HELD_BACK = frozenset({"mixed", "irony", "missing-antecedent", "ambiguous-antecedent"})
_HEARD = frozenset({EventKind.MESSAGE, EventKind.EDIT, EventKind.POLL, EventKind.MEDIA})
_KEPT_AS = {
    "outside": "EXTERNAL",
    "advice": "ADVICE",
    "task": "COMMISSION",
    "answer": "ANSWER",
    "proposal": "DECISION",
    "action": "COMMISSION",
}
_LEFT_AS = {"logistics": "LOGISTICS", "ack": "ACK", "private": "SOCIAL"}
_WEIGHT = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """``score``: how likely the message is significant. ``words``: its words that weighed."""

    score: float
    kept_as: str
    left_as: str
    for_it: tuple[Token, ...]
    against_it: tuple[Token, ...]


class Judge:
    """A model, asked about one message at a time."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._hearing = Hearing(model.lines)

    @property
    def label(self) -> str:
        """Name and version of the model."""
        return self._model.label

    def opinion(self, turn: Turn) -> Opinion | None:
        """What the model says of the words of ``turn`` in their place; None: it cannot say."""
        reading = turn.reading
        readable = reading.text and reading.complete and not reading.damaged
        if turn.utterance.kind not in _HEARD or not readable or is_strange(reading, turn.policy):
            return None
        window = timedelta(minutes=turn.policy.window.minutes)
        row = self._hearing.row(turn.utterance, turn.context, window)
        found = tokens(reading.text)
        ranked = self._ranked(found)
        return Opinion(
            score=self._model.score(row),
            kept_as=_KEPT_AS[_strongest(row, _KEPT_AS)],
            left_as=_LEFT_AS[_strongest(row, _LEFT_AS)],
            for_it=tuple(token for worth, token in ranked[:CITED] if worth > 0),
            against_it=tuple(token for worth, token in ranked[: -CITED - 1 : -1] if worth < 0),
        )

    def place(self, turn: Turn, placed: Placed) -> Placed:
        """``placed``, with the model's score, raised or settled where the model is sure."""
        opinion = self.opinion(turn)
        if opinion is None:
            return placed
        if opinion.score >= self._model.capture_from:
            placed = _captured(turn, placed, opinion)
        elif opinion.score >= self._model.discard_below:
            placed = _doubted(turn, placed, opinion)
        else:
            placed = _settled(turn, placed, opinion)
        placed = _explained(turn, placed, opinion)
        return replace(placed, judgement=replace(placed.judgement, score=opinion.score))

    def _ranked(self, found: Sequence[Token]) -> list[tuple[int, Token]]:
        """The distinct words with what they add to the score, the strongest first."""
        lines = self._model.lines
        worth = {word: lines.word(word)[_RECORD] for word in distinct(found)}
        for first, second in pairwise(found):
            shared = lines.at(pair_bucket(first.word, second.word))[_RECORD]
            worth[first.word] += shared // 2
            worth[second.word] += shared // 2
        places = {token.word: token for token in reversed(found)}
        ranked = [(worth[word], token) for word, token in places.items()]
        return sorted(ranked, key=lambda item: (-item[0], item[1].start))


def _strongest(row: tuple[float, ...], names: dict[str, str]) -> str:
    return max(names, key=lambda name: row[HEADS.index(name)])


def _captured(turn: Turn, placed: Placed, opinion: Opinion) -> Placed:
    if placed.judgement.outcome is Outcome.CAPTURE or _is_held_back(placed):
        return placed
    code = turn.policy.codes.get(opinion.kept_as)
    if code is None or code.outcome is not Outcome.CAPTURE or turn.is_ironic:
        return _doubted(turn, placed, opinion)
    finding = turn.finding(code.name, RULE, Outcome.CAPTURE, _WEIGHT, _span(opinion.for_it))
    return _raised(turn, placed, finding)


def _doubted(turn: Turn, placed: Placed, opinion: Opinion) -> Placed:
    if placed.judgement.outcome is not Outcome.DISCARD or opinion.score < LIKELY:
        return placed
    finding = turn.finding("DOUBT", RULE, Outcome.REVIEW, 0.0, _span(opinion.for_it))
    return _raised(turn, placed, finding)


def _settled(turn: Turn, placed: Placed, opinion: Opinion) -> Placed:
    """Doubt for want of evidence is at an end where the model has enough of it."""
    judgement = placed.judgement
    silent = all(
        reason.code == "DOUBT" and reason.rule in _SETTLED_BY_MODEL for reason in judgement.reasons
    )
    code = turn.policy.codes.get(opinion.left_as)
    if judgement.outcome is not Outcome.REVIEW or not silent or turn.is_ironic:
        return placed
    if code is None or code.outcome is not Outcome.DISCARD:
        return placed
    reasons = _reasons(turn, code.name, opinion.against_it)
    return replace(placed, judgement=replace(judgement, outcome=Outcome.DISCARD, reasons=reasons))


def _explained(turn: Turn, placed: Placed, opinion: Opinion) -> Placed:
    """Which words weighed with the model, where it agrees with what was decided."""
    judgement = placed.judgement
    if any(reason.rule == RULE for reason in judgement.reasons):
        rest = opinion.for_it[1:] if judgement.outcome is not Outcome.DISCARD else ()
        code = next(reason.code for reason in judgement.reasons if reason.rule == RULE)
    elif judgement.outcome is Outcome.DISCARD:
        rest, code = opinion.against_it, opinion.left_as
    else:
        rest, code = opinion.for_it, judgement.reasons[0].code
    if code not in turn.policy.codes:
        return placed
    more = tuple(r for r in _reasons(turn, code, rest) if r.text)
    return replace(
        placed,
        judgement=replace(judgement, reasons=tuple(dict.fromkeys((*judgement.reasons, *more)))),
    )


def _reasons(turn: Turn, code: str, words: Sequence[Token]) -> tuple[Reason, ...]:
    cited = tuple(turn.reading.reason(code, RULE, token.start, token.end) for token in words)
    return cited or (turn.reading.reason(code, RULE),)


def _is_held_back(placed: Placed) -> bool:
    """Whether the rules found that only a person can tell."""
    return any(reason.rule in _HELD_BACK for reason in placed.judgement.reasons)


def _raised(turn: Turn, placed: Placed, finding: Finding) -> Placed:
    return replace(placed, judgement=raise_to(placed.judgement, finding, turn.policy))


def _span(words: Sequence[Token]) -> tuple[int, int]:
    return (words[0].start, words[0].end) if words else (0, 0)
