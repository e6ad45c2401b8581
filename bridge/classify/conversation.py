"""The judgement on a message among its neighbours: inheritance, reversal, split messages.

Everything here raises an outcome or names an antecedent, with one exception: a bare reply, which
means nothing alone, takes the outcome of what it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bridge.classify.context import Link, Standing, assess, link, recent, referred
from bridge.classify.normalise import Reading
from bridge.classify.policy import Policy
from bridge.classify.replies import Reply, parse_reply
from bridge.classify.rules import Finding, roles_in, where_said, words
from bridge.classify.terms import Role
from bridge.classify.weigh import HIGHEST_DISCARD, Judgement, doubt, raise_to
from bridge.model import Context, EventKind, Outcome, Utterance

SHORT_ANSWER_WORDS = 8
"""An explicit answer of at most this many words stands or falls with its question."""

_ROLES = frozenset({Role.IRONY, Role.BACK_TO_OWN, Role.BACK_TO_LAST, Role.BACK_TO_CALL})
_SAYS_NOTHING = frozenset({"no-evidence", "unexplained", "no-words", "unknown-language"})
_INHERITED = 0.9
_PROBABLE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A judgement, and the ids of the messages it leaned on."""

    judgement: Judgement
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message with everything needed to place it."""

    utterance: Utterance
    reading: Reading
    context: Context
    policy: Policy
    roles: frozenset[Role] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", roles_in(self.reading, self.policy, _ROLES))

    @property
    def is_ironic(self) -> bool:
        """Whether a later reader could not tell if it was meant (C11)."""
        return Role.IRONY in self.roles

    def finding(
        self,
        code: str,
        rule: str,
        outcome: Outcome,
        weight: float,
        span: tuple[int, int] = (0, 0),
    ) -> Finding:
        """A finding; without a ``span`` (folded offsets) it rests on another message."""
        reason = self.reading.reason(code, rule, *span)
        return Finding(reason=reason, outcome=outcome, weight=weight)

    def raised(self, placed: Placed, finding: Finding, *ids: str) -> Placed:
        """``placed``, raised by ``finding`` and leaning on ``ids`` too."""
        judgement = raise_to(placed.judgement, finding, self.policy)
        return Placed(judgement=judgement, ids=(*placed.ids, *ids))


def place(turn: Turn, judgement: Judgement) -> Placed:
    """The judgement on ``turn`` in its conversation, given the one on its words alone."""
    reply = parse_reply(turn.reading, turn.policy)
    vote = reply is not None and Role.VOTE in reply.roles
    answers = reply is not None and not reply.only_thanks
    found = link(turn.utterance, turn.context, turn.policy, vote=vote, deep=answers)
    placed = Placed(judgement=judgement)
    if reply is not None and reply.bare and not reply.only_thanks:
        placed = _bare(turn, placed, reply, found)
    elif reply is not None and not reply.only_thanks:
        placed = _opening(turn, placed, found)
    else:
        placed = _unmarked(turn, placed, found, thanks=reply is not None)
    placed = _referring(turn, placed)
    placed = _continuing(turn, placed)
    return _naming(placed, found)


def respond(turn: Turn, found: Link, *, code: str) -> Placed:
    """What a bare answer inherits from ``found``: the same for words, reactions and polls."""
    antecedent = found.antecedent
    if antecedent is None:
        return Placed(judgement=doubt(turn.reading, "missing-antecedent", turn.policy))
    start = Placed(judgement=doubt(turn.reading, "unclear-antecedent", turn.policy))
    if antecedent.standing is Standing.KEPT:
        ids = [antecedent.id]
        if found.nearest is not None and found.nearest.asks:
            ids.append(found.nearest.id)
        finding = turn.finding(code, "answers-kept", Outcome.CAPTURE, _INHERITED)
        judgement = raise_to(start.judgement, finding, turn.policy)
        judgement = replace(judgement, reasons=(finding.reason,))
        return Placed(judgement=judgement, ids=tuple(ids))
    if found.rival is not None:
        judgement = doubt(turn.reading, "ambiguous-antecedent", turn.policy)
        return Placed(judgement=judgement, ids=(found.rival.id,))
    if antecedent.standing is Standing.UNCLEAR:
        finding = turn.finding("ANSWER", "answers-unclear", Outcome.REVIEW, _PROBABLE)
        return turn.raised(start, finding, antecedent.id)
    trivial = turn.finding("ACK", "answers-trivial", Outcome.DISCARD, _PROBABLE)
    return Placed(
        judgement=Judgement(
            outcome=Outcome.DISCARD,
            score=round(HIGHEST_DISCARD * (1 - _PROBABLE), 4),
            reasons=(trivial.reason,),
        )
    )


def _bare(turn: Turn, placed: Placed, reply: Reply, found: Link) -> Placed:
    if not turn.reading.complete or turn.reading.damaged:
        return placed
    if placed.judgement.outcome is Outcome.CAPTURE:
        return placed
    if found.antecedent is None and _has_signal(placed.judgement):
        return placed
    answer = respond(turn, found, code="ANSWER")
    if answer.judgement.outcome is Outcome.CAPTURE and turn.is_ironic:
        return replace(answer, judgement=doubt(turn.reading, "irony", turn.policy))
    # A choice names one of several things; that is more than an acknowledgement.
    says_more = Role.CHOICE in reply.roles or _has_signal(placed.judgement)
    if answer.judgement.outcome is Outcome.DISCARD and says_more:
        return placed
    return _quoting(turn, answer, reply)


def _quoting(turn: Turn, answer: Placed, reply: Reply) -> Placed:
    start, end = turn.reading.span(0, reply.end)
    reasons = tuple(
        replace(reason, start=start, end=end, text=turn.reading.body[start:end])
        for reason in answer.judgement.reasons
    )
    return replace(answer, judgement=replace(answer.judgement, reasons=reasons))


def _has_signal(judgement: Judgement) -> bool:
    return any(reason.rule not in _SAYS_NOTHING for reason in judgement.reasons)


def _opening(turn: Turn, placed: Placed, found: Link) -> Placed:
    antecedent = found.antecedent
    if antecedent is None or not turn.reading.complete:
        return placed
    trivial = placed.judgement.outcome is Outcome.DISCARD
    if found.rival is not None:
        finding = turn.finding("DOUBT", "ambiguous-antecedent", Outcome.REVIEW, _PROBABLE)
        return turn.raised(placed, finding, found.rival.id) if trivial else placed
    matters = antecedent.asks or found.explicit or not trivial
    if antecedent.standing is Standing.KEPT and matters:
        outcome = Outcome.REVIEW if turn.is_ironic else Outcome.CAPTURE
        finding = turn.finding("ANSWER", "opens-with-answer", outcome, _INHERITED)
        return turn.raised(placed, finding, antecedent.id)
    if antecedent.standing is Standing.UNCLEAR and antecedent.asks:
        finding = turn.finding("ANSWER", "answers-unclear", Outcome.REVIEW, _PROBABLE)
        return turn.raised(placed, finding, antecedent.id)
    return placed


def _unmarked(turn: Turn, placed: Placed, found: Link, *, thanks: bool) -> Placed:
    question = found.antecedent if found.explicit else found.nearest
    if question is None or not question.is_open:
        return placed
    if question.utterance.sender_id == turn.utterance.sender_id:
        return placed
    short = len(words(turn.reading.text)) <= SHORT_ANSWER_WORDS
    if found.explicit and short and not thanks and turn.reading.complete:
        outcome = Outcome.REVIEW if turn.is_ironic else Outcome.CAPTURE
        finding = turn.finding("ANSWER", "replies-to-kept", outcome, _INHERITED)
        return turn.raised(placed, finding, question.id)
    if found.explicit or placed.judgement.outcome is Outcome.DISCARD:
        finding = turn.finding("ANSWER", "follows-question", Outcome.REVIEW, _PROBABLE)
        return turn.raised(placed, finding, question.id)
    return placed


def _referring(turn: Turn, placed: Placed) -> Placed:
    """Reversals and references back name what they mean, and are decisions (C6, C13)."""
    places: tuple[tuple[Role, Callable[[Turn], Utterance | None]], ...] = (
        (Role.BACK_TO_OWN, _last_own),
        (Role.BACK_TO_LAST, _last_kept),
        (Role.BACK_TO_CALL, _last_call),
    )
    for role, seek in places:
        if role not in turn.roles:
            continue
        meant = seek(turn)
        span = where_said(turn.reading, turn.policy, role)
        if meant is not None and assess(meant, turn.policy).standing is Standing.TRIVIAL:
            finding = turn.finding("DOUBT", role.value, Outcome.REVIEW, _PROBABLE, span)
            placed = turn.raised(placed, finding)
            continue
        outcome = Outcome.REVIEW if turn.is_ironic else Outcome.CAPTURE
        finding = turn.finding("DECISION", role.value, outcome, _INHERITED, span)
        placed = turn.raised(placed, finding, *([] if meant is None else [meant.upstream_id]))
    return placed


def _last_own(turn: Turn) -> Utterance | None:
    target = referred(turn.utterance, turn.context)
    if target is not None and turn.utterance.kind is not EventKind.EDIT:
        return target
    for earlier in recent(turn.utterance, turn.context, turn.policy):
        if earlier.sender_id == turn.utterance.sender_id:
            return earlier
    return None


def _last_kept(turn: Turn) -> Utterance | None:
    target = referred(turn.utterance, turn.context)
    if target is not None and turn.utterance.kind is not EventKind.EDIT:
        return target
    earlier = list(recent(turn.utterance, turn.context, turn.policy))
    standings = [assess(one, turn.policy).standing for one in earlier]
    for wanted in (Standing.KEPT, Standing.UNCLEAR, Standing.TRIVIAL):
        if wanted in standings:
            return earlier[standings.index(wanted)]
    return None


def _last_call(turn: Turn) -> Utterance | None:
    for earlier in recent(turn.utterance, turn.context, turn.policy):
        if earlier.kind is EventKind.CALL:
            return earlier
    return None


def _continuing(turn: Turn, placed: Placed) -> Placed:
    """The second half of a message of the same person is read with the first (C9)."""
    first = _first_half(turn)
    if first is None:
        return placed
    cues = turn.policy.cues[Role.CONTINUATION]
    if not any(cue.pattern.match(turn.reading.text) for cue in cues):
        return placed
    if first.outcome is Outcome.CAPTURE:
        kept = [c for c in first.codes if turn.policy.codes.get(c) and c != "CAPTURE_ALL"]
        code = next((c for c in kept if turn.policy.outcome(c) is Outcome.CAPTURE), "CONTEXT")
        finding = turn.finding(code, "continues-kept", Outcome.CAPTURE, _INHERITED)
        return turn.raised(placed, finding, first.upstream_id)
    if placed.judgement.outcome is Outcome.CAPTURE:
        return replace(placed, ids=(*placed.ids, first.upstream_id))
    return placed


def _first_half(turn: Turn) -> Utterance | None:
    latest = timedelta(seconds=turn.policy.window.continuation_seconds)
    for earlier in recent(turn.utterance, turn.context, turn.policy):
        if turn.utterance.sent_at - earlier.sent_at > latest:
            continue
        if earlier.sender_id == turn.utterance.sender_id:
            return earlier
    return None


def _naming(placed: Placed, found: Link) -> Placed:
    """A message names what it answers: a trivial question is kept with what is kept (C4).

    Whether it is kept may be found only later, by the model or by a person.
    """
    ids = list(placed.ids)
    if found.explicit and found.antecedent is not None:
        ids.append(found.antecedent.id)
    elif found.nearest is not None and found.nearest.asks and _decides(placed.judgement):
        ids.append(found.nearest.id)
    return replace(placed, ids=tuple(dict.fromkeys(ids)))


def _decides(judgement: Judgement) -> bool:
    return any(reason.code in {"DECISION", "ANSWER"} for reason in judgement.reasons)
