"""What a department's settings change of a policy: its list of senior people, and single groups.

A policy that was amended has another label, so that a verdict names what really decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bridge.classify.policy import USED_CODES, Policy
from bridge.classify.terms import Rule
from bridge.errors import PolicyError
from bridge.model import Digest, Outcome

DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a code leads to in one group, with who approved that, when, and why."""

    code: str
    outcome: Outcome
    reason: str
    approver: str
    date: date

    @property
    def rule(self) -> str:
        """How a verdict names it, beside the code."""
        return f"override-{self.date.isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seniors:
    """A role all of whose holders' messages are captured, and what says so."""

    role: str
    ids: tuple[str, ...]
    authority: str = ""


def amended(
    policy: Policy,
    *,
    capstone: Sequence[str] = (),
    seniors: Sequence[Seniors] = (),
    minutes: int | None = None,
) -> Policy:
    """``policy`` with more senior people, and with context of another length."""
    held = (id_ for each in seniors for id_ in each.ids)
    people = tuple(dict.fromkeys((*policy.capstone, *capstone, *held)))
    length = policy.window.minutes if minutes is None else minutes
    if people == policy.capstone and length == policy.window.minutes:
        return policy
    roles = sorted([each.role, *sorted(each.ids), each.authority] for each in seniors)
    told = {"capstone": sorted(people), "roles": roles, "minutes": length}
    return replace(
        policy,
        capstone=people,
        window=replace(policy.window, minutes=length),
        amended=_label(policy, told),
    )


def for_group(policy: Policy, overrides: Sequence[Override]) -> Policy:
    """``policy`` as it holds in a group with these overrides.

    A code that captures there does so by any one of its rules. One that discards explains as many
    other words as any rule that discards; whatever else speaks for keeping still does.

    Raises:
        PolicyError: a code is unknown, stands twice, or is given by the program itself.
    """
    if not overrides:
        return policy
    codes = dict(policy.codes)
    for override in overrides:
        _check(override, policy, overrides)
        codes[override.code] = replace(codes[override.code], outcome=override.outcome)
    changed = {each.code: each.outcome for each in overrides}
    slack = max((rule.slack for rule in policy.rules), default=0)
    rules = tuple(_fitted(rule, changed, policy, slack=slack) for rule in policy.rules)
    told = [
        [each.code, each.outcome.value, each.reason, each.approver, each.date.isoformat()]
        for each in overrides
    ]
    return replace(policy, codes=codes, rules=rules, amended=_label(policy, {"overrides": told}))


def _fitted(rule: Rule, changed: dict[str, Outcome], policy: Policy, *, slack: int) -> Rule:
    match changed.get(rule.code):
        case Outcome.CAPTURE:
            return replace(rule, weight=max(rule.weight, policy.capture_from))
        case Outcome.DISCARD:
            return replace(rule, slack=max(rule.slack, slack))
        case _:
            return rule


def _check(override: Override, policy: Policy, overrides: Sequence[Override]) -> None:
    if override.code not in policy.codes:
        raise PolicyError(
            f"[[overrides]] code: {override.code!r} is no code of {policy.label}",
            hint=f"Use one of: {', '.join(sorted(policy.codes))}.",
        )
    if override.code in USED_CODES:
        raise PolicyError(
            f"[[overrides]] code: {override.code!r} is given by the program itself",
            hint="Override a code that the rules of the policy give, such as LOGISTICS.",
        )
    if sum(each.code == override.code for each in overrides) > 1:
        raise PolicyError(
            f"[[overrides]] code: {override.code!r} stands twice for one group",
            hint="Keep one [[overrides]] for each code.",
        )


def _label(policy: Policy, change: Mapping[str, object]) -> str:
    told = json.dumps([policy.amended, change], sort_keys=True, ensure_ascii=True)
    return Digest.of(told.encode()).hex[:DIGITS]
