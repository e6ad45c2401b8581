"""The classifier as it is in force: what the policy, its groups and a calibration add to it.

Around the stages proper (:mod:`.classifier`) stands what concerns no single text: a policy that
captures everything, another policy for a group with overrides, the test of :mod:`.transitory`, and
a calibrated threshold. Overrides apart, which people approved, each may only raise an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bridge.classify.amend import Override, for_group
from bridge.classify.calibrate import Calibration
from bridge.classify.policy import Policy
from bridge.classify.rules import find
from bridge.model import Context, Outcome, Reason, Utterance, Verdict

GroupKey = tuple[str, str]
"""Connector and group id, as :class:`bridge.model.Context` has them."""


class Stages(Protocol):
    """What is put in force: see :class:`bridge.protocols.classifier.Classifier`."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def alarm(self) -> str:
        """What is wrong with the model, in words; empty where nothing is."""

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """The verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What decides in a group."""

    policy: Policy
    stages: Stages
    overrides: tuple[Override, ...] = ()


class InForce:
    """Implements :class:`bridge.protocols.classifier.Classifier`."""

    def __init__(
        self,
        build: Callable[[Policy], Stages],
        policy: Policy,
        *,
        groups: Mapping[GroupKey, Sequence[Override]] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """``build`` makes the stages of a policy; another's ``calibration`` is left aside.

        Raises:
            PolicyError: an override cannot be put in force.
        """
        self._own = _Chosen(policy=policy, stages=build(policy))
        self._groups: dict[GroupKey, _Chosen] = {}
        for key, overrides in (groups or {}).items():
            if overrides:
                changed = for_group(policy, overrides)
                self._groups[key] = _Chosen(
                    policy=changed, stages=build(changed), overrides=tuple(overrides)
                )
        applies = calibration is not None and calibration.applies_to(
            policy.label, self._own.stages.model
        )
        self._calibration = calibration if applies else None

    @property
    def alarm(self) -> str:
        """What is wrong with the model, in words; empty where nothing is."""
        return self._own.stages.alarm

    @property
    def is_calibrated(self) -> bool:
        """Whether a calibration is in force."""
        return self._calibration is not None

    @property
    def policy(self) -> str:
        """``name@version`` of the policy in force; a group's own is named in its verdicts."""
        return self._own.policy.label

    @property
    def model(self) -> str:
        """Name of the model in force, with the calibration's where there is one."""
        name = self._own.stages.model
        return name if self._calibration is None else f"{name}+{self._calibration.label}"

    @property
    def digest(self) -> str:
        """Digest of the texts that the policy is made of."""
        return self._own.policy.digest

    def describe(self, code: str) -> str:
        """What the policy says of a code; empty where it does not know it."""
        found = self._own.policy.codes.get(code)
        return "" if found is None else found.description

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """The verdict on ``utterance``. MUST NOT raise for any text or context."""
        chosen = self._groups.get(context.group, self._own)
        try:
            return self._classify(chosen, utterance, context)
        except Exception:
            # Whatever failed here, a person can decide; a raise would stop the stream.
            return self._failed(chosen)

    def _classify(self, chosen: _Chosen, utterance: Utterance, context: Context) -> Verdict:
        policy = chosen.policy
        if policy.capture_all and not context.capture_all:
            context = replace(context, capture_all=True)
        verdict = chosen.stages.classify(utterance, context)
        if policy.transitory is not None and verdict.outcome is Outcome.DISCARD:
            reading = policy.read(utterance.body)
            verdict = policy.transitory.test(verdict, reading, score=policy.doubt.weight)
        verdict = self._calibrated(verdict, context)
        if chosen.overrides:
            verdict = _told(verdict, chosen, utterance)
        return replace(verdict, model=self.model)

    def _calibrated(self, verdict: Verdict, context: Context) -> Verdict:
        """A discard that scores as high as significant messages did is reviewed."""
        if self._calibration is None or verdict.outcome is not Outcome.DISCARD:
            return verdict
        found = self._calibration.threshold("/".join(context.group))
        if found is None or verdict.score < found.value:
            return verdict
        reason = Reason(code="DOUBT", rule="calibrated")
        return replace(verdict, outcome=Outcome.REVIEW, reasons=(reason, *verdict.reasons))

    def _failed(self, chosen: _Chosen) -> Verdict:
        return Verdict(
            outcome=Outcome.REVIEW,
            score=chosen.policy.doubt.weight,
            reasons=(Reason(code="DOUBT", rule="failed"),),
            policy=chosen.policy.label,
            model=self.model,
        )


def _told(verdict: Verdict, chosen: _Chosen, utterance: Utterance) -> Verdict:
    """The verdict, naming each override of a code that it gives, or that a rule spoke for."""
    found = find(chosen.policy.read(utterance.body), chosen.policy)
    given = {reason.code for reason in (*verdict.reasons, *(each.reason for each in found))}
    named = tuple(
        Reason(code=each.code, rule=each.rule) for each in chosen.overrides if each.code in given
    )
    return replace(verdict, reasons=(*verdict.reasons, *named))
