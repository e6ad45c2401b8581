"""The classifier: stages in order, each of which may only raise the outcome.

Normalise, rules, markings, kind, context, then the model, whose thresholds decide what the rules
left open (:mod:`.opinion`), and last who sent it. Whatever fails is a matter for a person.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.classify import events, markings
from bridge.classify.context import referred
from bridge.classify.conversation import Placed, Turn, place
from bridge.classify.model import Model
from bridge.classify.normalise import Reading
from bridge.classify.opinion import Judge
from bridge.classify.policy import Policy
from bridge.classify.rules import Finding, find
from bridge.classify.weigh import raise_to, weigh
from bridge.model import Context, EventKind, Outcome, Reason, Utterance, Verdict

RULES_ALONE = "rules-1"
"""The name that verdicts carry where no model is in force."""


class RuleClassifier:
    """Implements :class:`bridge.protocols.classifier.Classifier`: a policy and a model.

    ``fault``: why there is no model although there should be one. Then nothing is discarded.
    """

    def __init__(self, policy: Policy, model: Model | None = None, *, fault: str = "") -> None:
        self._policy = policy
        self._markings = markings.Detector.of(policy.forms, policy.caveats)
        self._judge_of_words = None if model is None else Judge(model)
        self._fault = fault

    @property
    def policy(self) -> str:
        """``name@version`` of the policy in force."""
        return self._policy.label

    @property
    def model(self) -> str:
        """Name of the model in force; without one, of the rules alone."""
        return RULES_ALONE if self._judge_of_words is None else self._judge_of_words.label

    @property
    def alarm(self) -> str:
        """What is wrong with the model, in words; empty where nothing is."""
        if not self._fault:
            return ""
        return f"The model cannot be used ({self._fault}): the rules decide, nothing is discarded."

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
        marked = tuple(marking.finding for marking in found) or self._markings.alike(reading)
        placed = self._judge(turn, marked)
        if self._fault:
            placed = self._unaided(turn, placed)
        placed = self._senior(turn, placed)
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
        findings = (*marked, *find(turn.reading, self._policy), *events.evidence(turn))
        placed = place(turn, weigh(turn.reading, findings, self._policy))
        for floor in (events.poll_floor, events.attachment_floor, events.edit_floor):
            placed = floor(turn, placed)
        if self._judge_of_words is not None:
            return self._judge_of_words.place(turn, placed)
        return placed

    def _unaided(self, turn: Turn, placed: Placed) -> Placed:
        """Without the model that should be there a discard is in doubt."""
        finding = turn.finding("DOUBT", "no-model", Outcome.REVIEW, self._policy.doubt.weight)
        if placed.judgement.outcome is not Outcome.DISCARD:
            return placed
        return replace(placed, judgement=raise_to(placed.judgement, finding, self._policy))

    def _senior(self, turn: Turn, placed: Placed) -> Placed:
        """All that a listed person sends, of any kind; last, so that nothing holds it back."""
        if turn.utterance.sender_id not in self._policy.capstone:
            return placed
        finding = turn.finding("CAPSTONE", "sender", Outcome.CAPTURE, 0.9)
        target = referred(turn.utterance, turn.context)
        return turn.raised(placed, finding, *([] if target is None else [target.upstream_id]))

    def _failed(self) -> Verdict:
        return Verdict(
            outcome=Outcome.REVIEW,
            score=self._policy.doubt.weight,
            reasons=(Reason(code="DOUBT", rule="failed"),),
            policy=self.policy,
            model=self.model,
        )


def _leaned_on(turn: Turn, placed: Placed) -> tuple[str, ...]:
    """The ids a verdict names: none of a discard, which nobody needs to understand.

    Its own means another revision, if that is what it refers to.
    """
    if placed.judgement.outcome is Outcome.DISCARD:
        return ()
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
