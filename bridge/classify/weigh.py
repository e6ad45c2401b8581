"""From findings to an outcome. Doubt keeps: a discard needs evidence, and nothing against it.

The score says how strongly a message asks to be kept: one minus the product of (1 - weight) over
the rules that speak for it. It is at least ``capture_from`` for a capture, below it for a
review, and at most a fifth for a discard, so that it orders as the outcomes do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bridge.classify.normalise import Reading
from bridge.classify.policy import Policy
from bridge.classify.rules import (
    Finding,
    is_foreign,
    is_strange,
    is_wordless,
    roles_in,
    unexplained,
    words,
)
from bridge.classify.terms import Role
from bridge.model import Outcome, Reason

HIGHEST_DISCARD = 0.2
"""No discard scores above this, and nothing that is kept scores below it."""

_SETTLED = frozenset({"no-evidence", "unexplained", "too-much", "empty", "no-words"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """An outcome with its score and reasons, before the policy's name is put to it."""

    outcome: Outcome
    score: float
    reasons: tuple[Reason, ...]


def weigh(reading: Reading, findings: tuple[Finding, ...], policy: Policy) -> Judgement:
    """The judgement on one text by what was found in it."""
    kept = [finding for finding in findings if finding.outcome is not Outcome.DISCARD]
    if not kept:
        return _without_signal(reading, findings, policy)
    strength = _combined(finding for finding in kept if finding.outcome is Outcome.CAPTURE)
    if strength >= policy.capture_from:
        sure = [finding for finding in kept if finding.reason.code != "DOUBT"]
        return _held_back(reading, kept, policy) or Judgement(
            outcome=Outcome.CAPTURE, score=round(strength, 4), reasons=_reasons(sure)
        )
    return Judgement(
        outcome=Outcome.REVIEW,
        score=_review_score(_combined(kept), policy),
        reasons=_reasons(kept),
    )


def raise_to(judgement: Judgement, finding: Finding, policy: Policy) -> Judgement:
    """``judgement``, lifted to the outcome of ``finding`` if that is higher; never lowered."""
    others = [r for r in judgement.reasons if r.rule not in _SETTLED]
    reasons = (finding.reason, *others)
    if judgement.outcome is Outcome.CAPTURE or finding.outcome is Outcome.DISCARD:
        if finding.outcome is not Outcome.CAPTURE:
            return judgement
        score = max(judgement.score, finding.weight)
        return replace(judgement, score=score, reasons=(*judgement.reasons, finding.reason))
    # A reason to discard beside a higher outcome would mislead whoever reads it.
    reasons = tuple(r for r in reasons if policy.outcome(r.code) is not Outcome.DISCARD)
    if finding.outcome is Outcome.CAPTURE:
        score = max(judgement.score, finding.weight, policy.capture_from)
    else:
        score = _review_score(max(judgement.score, finding.weight), policy)
    return Judgement(outcome=finding.outcome, score=round(score, 4), reasons=reasons)


def doubt(reading: Reading, rule: str, policy: Policy) -> Judgement:
    """A review because of ``rule``, with nothing else said."""
    return Judgement(
        outcome=Outcome.REVIEW,
        score=_review_score(policy.doubt.weight, policy),
        reasons=(reading.reason("DOUBT", rule),),
    )


def _held_back(reading: Reading, kept: list[Finding], policy: Policy) -> Judgement | None:
    marked = any(finding.reason.code == "MARKING" for finding in kept)
    if marked:
        return None
    held: Reason | None = None
    if any(finding.segregate for finding in kept):
        held = reading.reason("DOUBT", "mixed")
    elif roles_in(reading, policy, frozenset({Role.IRONY})):
        held = reading.reason("DOUBT", "irony")
    if held is None:
        return None
    score = _review_score(_combined(kept), policy)
    return Judgement(outcome=Outcome.REVIEW, score=score, reasons=(*_reasons(kept), held))


def _without_signal(reading: Reading, findings: tuple[Finding, ...], policy: Policy) -> Judgement:
    rule = _why_doubtful(reading, findings, policy)
    if rule is not None:
        weight = policy.doubt.weight_with_evidence if findings else policy.doubt.weight
        return Judgement(
            outcome=Outcome.REVIEW,
            score=_review_score(weight, policy),
            reasons=(reading.reason("DOUBT", rule),),
        )
    against = _combined(findings)
    return Judgement(
        outcome=Outcome.DISCARD,
        score=round(HIGHEST_DISCARD * (1 - against), 4),
        reasons=_reasons(findings),
    )


def _why_doubtful(reading: Reading, findings: tuple[Finding, ...], policy: Policy) -> str | None:
    """The first ground not to discard, or None."""
    if not reading.complete:
        return "too-long"
    if reading.damaged:
        return "damaged"
    if not reading.text:
        return "empty"
    if is_wordless(reading):
        return "no-words"
    if is_strange(reading, policy):
        return "unknown-language"
    left = unexplained(reading, policy, findings)
    # The model, which is of one language, may end a silence of the rules; of another it may not.
    if left and is_foreign(reading, policy, silent=not findings):
        return "unknown-language"
    if not findings:
        return "no-evidence"
    if len(words(reading.text)) > policy.doubt.longest_discard_words:
        return "too-much"
    if left > max(finding.slack for finding in findings):
        return "unexplained"
    return None


def _combined(findings: Iterable[Finding]) -> float:
    strongest: dict[str, float] = {}
    for finding in findings:
        rule = finding.reason.rule
        strongest[rule] = max(finding.weight, strongest.get(rule, 0.0))
    rest = 1.0
    for weight in strongest.values():
        rest *= 1 - weight
    return 1 - rest


def _review_score(strength: float, policy: Policy) -> float:
    return round(min(max(strength, HIGHEST_DISCARD), policy.capture_from - 0.01), 4)


def _reasons(findings: Iterable[Finding]) -> tuple[Reason, ...]:
    strongest_first = sorted(findings, key=lambda finding: -finding.weight)
    unique: dict[Reason, None] = dict.fromkeys(finding.reason for finding in strongest_first)
    return tuple(unique)
