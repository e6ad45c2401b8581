"""Conversations for the tests: a message is written as ``say("who", "text", minute)``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.classify import RuleClassifier
from bridge.model import (
    Context,
    EventKind,
    Relation,
    RelationType,
    Utterance,
    Verdict,
)

NINE = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)


def say(
    who: str,
    body: str,
    minute: float = 0,
    *,
    kind: EventKind = EventKind.MESSAGE,
    to: str | None = None,
    by: RelationType = RelationType.REPLY,
    attachments: int = 0,
) -> Utterance:
    """A message of ``who``, ``minute`` minutes after nine, related to the message ``to``."""
    return Utterance(
        upstream_id=f"{who}@{minute}",
        kind=kind,
        sender_id=who,
        sent_at=NINE + timedelta(minutes=minute),
        body=body,
        relates_to=None if to is None else Relation(type=by, upstream_id=to),
        attachments=attachments,
    )


def decided(utterance: Utterance, verdict: Verdict) -> Utterance:
    """``utterance`` as later messages see it."""
    return Utterance(
        upstream_id=utterance.upstream_id,
        kind=utterance.kind,
        sender_id=utterance.sender_id,
        sent_at=utterance.sent_at,
        body=utterance.body,
        relates_to=utterance.relates_to,
        attachments=utterance.attachments,
        outcome=verdict.outcome,
        score=verdict.score,
        codes=tuple(reason.code for reason in verdict.reasons),
    )


def hold(classifier: RuleClassifier, *utterances: Utterance) -> list[Verdict]:
    """The verdicts on a conversation, each message judged with those before it."""
    before: list[Utterance] = []
    verdicts: list[Verdict] = []
    for utterance in utterances:
        relation = utterance.relates_to
        target = next(
            (u for u in before if relation and u.upstream_id == relation.upstream_id), None
        )
        verdict = classifier.classify(utterance, Context(before=tuple(before), target=target))
        verdicts.append(verdict)
        before.append(decided(utterance, verdict))
    return verdicts


def codes(verdict: Verdict) -> set[str]:
    """The codes of a verdict."""
    return {reason.code for reason in verdict.reasons}


def rules(verdict: Verdict) -> set[str]:
    """The rules of a verdict."""
    return {reason.rule for reason in verdict.reasons}
