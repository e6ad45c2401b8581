"""The classifier: stages in order, each of which may only raise the outcome.

Marking, then rules, then kind, then context. A statistical model joins as one more source of
findings beside :func:`bridge.classify.rules.find`; :func:`bridge.classify.weigh.weigh` combines.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.classify import events, markings
from bridge.classify.context import referred
from bridge.classify.conversation import Placed, Turn, place
from bridge.classify.normalise import Reading
from bridge.classify.policy import Policy
from bridge.classify.rules import Finding, find
from bridge.classify.weigh import weigh
from bridge.model import Context, EventKind, Outcome, Reason, Utterance, Verdict

MODEL = "rules-1"
"""Rises whenever the same policy could give another verdict on the same message."""


class RuleClassifier:
    """Implements :class:`bridge.protocols.classifier.Classifier` with a policy and its rules."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._markings = markings.Detector.of(policy.forms, policy.caveats)

    @property
    def policy(self) -> str:
        """``name@version`` of the policy in force."""
        return self._policy.label

    @property
    def model(self) -> str:
        """Name of the model in force: the rules alone."""
        return MODEL

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """The verdict on ``utterance``. MUST NOT raise for any text or context."""
        try:
            return self._classify(utterance, context)
        except Exception:
            # Whatever a stage could not cope with, a person can; a raise would stop the stream.
            return self._failed()

    def _classify(self, utterance: Utterance, context: Context) -> Verdict:
        reading = self._policy.read(utterance.body)
        turn = Turn(utterance=utterance, reading=reading, context=context, policy=self._policy)
        found = self._markings.find(reading)
        marked = tuple(marking.finding for marking in found)
        placed = self._judge(turn, marked)
        verdict = Verdict(
            outcome=placed.judgement.outcome,
            score=placed.judgement.score,
            reasons=placed.judgement.reasons,
            policy=self.policy,
            model=self.model,
            markings=tuple(marking.name for marking in found),
            context=_leaned_on(turn, placed),
        )
        if context.capture_all:
            verdict = _everything(reading, verdict)
        restricting = [mark.finding.reason for mark in found if mark.restricted]
        return _restricted(verdict, restricting) if restricting else verdict

    def _judge(self, turn: Turn, marked: tuple[Finding, ...]) -> Placed:
        kind = turn.utterance.kind
        if kind in events.INTEGRITY_KINDS:
            return events.integrity(turn)
        if kind in events.OPAQUE_KINDS:
            return events.opaque(turn)
        if kind is EventKind.REACTION:
            return events.reaction(turn)
        if kind is EventKind.POLL_ANSWER:
            return events.poll_answer(turn)
        findings = (
            *marked,
            *self._senior(turn),
            *find(turn.reading, self._policy),
            *events.evidence(turn),
        )
        placed = place(turn, weigh(turn.reading, findings, self._policy))
        for floor in (events.poll_floor, events.attachment_floor, events.edit_floor):
            placed = floor(turn, placed)
        return placed

    def _senior(self, turn: Turn) -> tuple[Finding, ...]:
        if turn.utterance.sender_id not in self._policy.capstone:
            return ()
        return (turn.finding("CAPSTONE", "sender", Outcome.CAPTURE, 0.9),)

    def _failed(self) -> Verdict:
        return Verdict(
            outcome=Outcome.REVIEW,
            score=self._policy.doubt.weight,
            reasons=(Reason(code="DOUBT", rule="failed"),),
            policy=self.policy,
            model=self.model,
        )


def _leaned_on(turn: Turn, placed: Placed) -> tuple[str, ...]:
    """The ids a verdict names. Its own means another revision, if that is what it refers to."""
    own, target = turn.utterance, referred(turn.utterance, turn.context)
    of_another = (
        target is not None
        and target.upstream_id == own.upstream_id
        and target.revision != own.revision
    )
    return tuple(id_ for id_ in dict.fromkeys(placed.ids) if of_another or id_ != own.upstream_id)


def _everything(reading: Reading, verdict: Verdict) -> Verdict:
    """The group's policy keeps all of it; why it would have been kept anyway still stands."""
    own = () if verdict.outcome is Outcome.DISCARD else verdict.reasons
    reason = reading.reason("CAPTURE_ALL", "group")
    return replace(verdict, outcome=Outcome.CAPTURE, score=1.0, reasons=(reason, *own))


def _restricted(verdict: Verdict, reasons: list[Reason]) -> Verdict:
    """SECRET and above stands over everything: a named role decides, nothing is stored."""
    own = tuple(reason for reason in verdict.reasons if reason not in reasons)
    return replace(verdict, outcome=Outcome.REVIEW, reasons=(*reasons, *own), restricted=True)
