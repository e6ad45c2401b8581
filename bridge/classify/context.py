"""What surrounds a message: which one it answers, and whether that one matters.

Order of search (C2): what it explicitly replies to, its thread, the last open question or
proposal of another person within the policy's window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bridge.classify.policy import Policy
from bridge.classify.rules import find, roles_in
from bridge.classify.terms import Meaning, Role
from bridge.classify.weigh import weigh
from bridge.model import Context, EventKind, Outcome, RelationType, Utterance

_SPOKEN = frozenset(
    {EventKind.MESSAGE, EventKind.EDIT, EventKind.POLL, EventKind.MEDIA, EventKind.UNKNOWN}
)
_ASKING = frozenset({Role.QUESTION, Role.PROPOSAL})


class Standing(StrEnum):
    """What an earlier message is worth to one that answers it."""

    KEPT = "kept"
    UNCLEAR = "unclear"
    TRIVIAL = "trivial"


_STANDINGS = {
    Outcome.CAPTURE: Standing.KEPT,
    Outcome.REVIEW: Standing.UNCLEAR,
    Outcome.DISCARD: Standing.TRIVIAL,
    None: Standing.UNCLEAR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Antecedent:
    """An earlier message. ``asks``: it puts a question or a proposal."""

    utterance: Utterance
    standing: Standing
    asks: bool

    @property
    def id(self) -> str:
        """Its platform id."""
        return self.utterance.upstream_id

    @property
    def is_open(self) -> bool:
        """A question or proposal that matters, whatever was judged of it before."""
        return self.asks and self.standing is Standing.KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a message most likely answers.

    ``explicit``: the platform says so. ``unknown``: the platform says so, and we do not have it.
    ``rival``: a question that matters and may be meant instead of a trivial ``antecedent``.
    """

    antecedent: Antecedent | None = None
    explicit: bool = False
    unknown: bool = False
    nearest: Antecedent | None = None
    rival: Antecedent | None = None


def assess(utterance: Utterance, policy: Policy) -> Antecedent:
    """The standing of an earlier message; one not yet decided is judged by its words alone."""
    means = policy.meanings.of(utterance.body, lambda body: _meaning(body, policy))
    asks = means.asks or utterance.kind is EventKind.POLL
    outcome = utterance.outcome
    standing = _STANDINGS[outcome]
    if standing is Standing.KEPT or not (asks or outcome is None):
        return Antecedent(utterance=utterance, standing=standing, asks=asks)
    if means.judged is Outcome.CAPTURE or (asks and means.counts):
        standing = Standing.KEPT
    elif outcome is None and means.judged is Outcome.DISCARD and utterance.attachments == 0:
        standing = Standing.TRIVIAL
    elif standing is Standing.UNCLEAR and means.proposes:
        standing = Standing.KEPT
    return Antecedent(utterance=utterance, standing=standing, asks=asks)


def _meaning(body: str, policy: Policy) -> Meaning:
    reading = policy.read(body)
    roles = roles_in(reading, policy, _ASKING)
    findings = find(reading, policy)
    return Meaning(
        asks=not roles.isdisjoint(_ASKING),
        proposes=Role.PROPOSAL in roles,
        judged=weigh(reading, findings, policy).outcome,
        counts=any(finding.outcome is Outcome.CAPTURE for finding in findings),
    )


def link(
    utterance: Utterance,
    context: Context,
    policy: Policy,
    *,
    vote: bool = False,
    deep: bool = True,
) -> Link:
    """What ``utterance`` answers. A ``vote`` may be on the voter's own proposal.

    Unless ``deep``, no further back than the nearest message of another person.
    """
    relation = utterance.relates_to
    target = referred(utterance, context)
    if utterance.kind is EventKind.EDIT:
        return _search(utterance, recent(utterance, context, policy), policy, vote=vote, deep=deep)
    if relation is not None and relation.type is RelationType.THREAD:
        thread = [u for u in recent(utterance, context, policy) if _is_of(u, relation.upstream_id)]
        found = _search(utterance, iter(thread), policy, vote=vote, deep=deep)
        if found.antecedent is not None:
            return found
    if target is not None:
        antecedent = assess(target, policy)
        return Link(antecedent=antecedent, explicit=True, nearest=antecedent)
    if relation is not None and relation.type is not RelationType.THREAD:
        return Link(explicit=True, unknown=True)
    return _search(utterance, recent(utterance, context, policy), policy, vote=vote, deep=deep)


def referred(utterance: Utterance, context: Context) -> Utterance | None:
    """The message that ``utterance`` names as its target, if we have it."""
    if context.target is not None or utterance.relates_to is None:
        return context.target
    wanted, own = utterance.relates_to.upstream_id, (utterance.upstream_id, utterance.revision)
    for earlier in reversed(context.before):
        if earlier.upstream_id == wanted and (earlier.upstream_id, earlier.revision) != own:
            return earlier
    return None


def recent(utterance: Utterance, context: Context, policy: Policy) -> Iterator[Utterance]:
    """Earlier messages within the window, newest first, the edited one and itself apart."""
    window = policy.window
    relation = utterance.relates_to
    passed_over = {utterance.upstream_id}
    if utterance.kind is EventKind.EDIT and relation is not None:
        passed_over.add(relation.upstream_id)
    for earlier in context.before[-window.messages :][::-1]:
        if earlier.upstream_id in passed_over:
            continue
        if utterance.sent_at - earlier.sent_at <= timedelta(minutes=window.minutes):
            yield earlier


def _is_of(utterance: Utterance, root: str) -> bool:
    relation = utterance.relates_to
    return utterance.upstream_id == root or (relation is not None and relation.upstream_id == root)


def _search(
    utterance: Utterance, earlier: Iterator[Utterance], policy: Policy, *, vote: bool, deep: bool
) -> Link:
    """The nearest message of another person, and the last open question behind it."""
    nearest: Antecedent | None = None
    unsettled: Antecedent | None = None
    for one in earlier:
        own = one.sender_id == utterance.sender_id
        if own and nearest is not None and "ANSWER" in one.codes:
            break  # what was asked before has been answered by this person already
        if (own and not vote) or one.kind not in _SPOKEN:
            continue
        candidate = assess(one, policy)
        if own and not candidate.asks:
            continue
        nearest = nearest or candidate
        if candidate.is_open or not deep:
            return _decide(nearest, candidate)
        if candidate.asks and candidate.standing is not Standing.TRIVIAL:
            unsettled = unsettled or candidate
    return _decide(nearest, unsettled)


def _decide(nearest: Antecedent | None, question: Antecedent | None) -> Link:
    if nearest is None or question is None or question is nearest:
        return Link(antecedent=nearest, nearest=nearest)
    if nearest.standing is Standing.TRIVIAL:
        return Link(antecedent=nearest, nearest=nearest, rival=question)
    if question.is_open or not nearest.asks:
        return Link(antecedent=question, nearest=nearest)
    return Link(antecedent=nearest, nearest=nearest)
