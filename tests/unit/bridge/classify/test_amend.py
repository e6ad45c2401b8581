"""What settings change of a policy, and that a verdict names it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from bridge.classify import InForce, Override, Policy, RuleClassifier, Seniors, amended
from bridge.classify.amend import for_group
from bridge.errors import PolicyError
from bridge.model import Context, Outcome
from tests.unit.bridge.classify.talk import say

ROTA = ("matrix", "!rota:example.org")
LOGISTICS = Override(
    code="LOGISTICS",
    outcome=Outcome.CAPTURE,
    reason="the duty officers' group is there for logistics",
    approver="Head of records",
    date=date(2026, 3, 1),
)


def test_what_changes_nothing_has_no_other_label(policy: Policy) -> None:
    """The same policy has the same label."""
    assert amended(policy, minutes=policy.window.minutes) is policy
    assert for_group(policy, ()) is policy


def test_a_change_has_a_label_of_its_own(policy: Policy) -> None:
    """Other people or another window are told by the label, the same ones by the same."""
    listed = amended(policy, capstone=["ada", "ada", "bo"])
    assert listed.capstone == ("ada", "bo")
    assert re.fullmatch(r"uk-nccc@2023\.1~[0-9a-f]{8}", listed.label)
    assert amended(policy, capstone=["bo", "ada"]).label == listed.label
    assert amended(policy, minutes=5).window.minutes == 5
    labels = {policy.label, listed.label, amended(policy, minutes=5).label}
    assert len(labels) == 3


def test_a_senior_role_counts_for_all_who_hold_it(policy: Policy) -> None:
    """Their messages are captured, and role and authority are pinned by the label."""
    role = Seniors(role="minister", ids=("amara", "bo"), authority="list of 2026")
    listed = amended(policy, seniors=[role])
    verdict = InForce(RuleClassifier, listed).classify(say("amara", "thanks"), Context())
    assert (verdict.outcome, verdict.reasons[0].code) == (Outcome.CAPTURE, "CAPSTONE")
    other = amended(policy, seniors=[replace(role, authority="list of 2027")])
    assert other.label != listed.label


def test_what_a_group_is_for_is_kept_there(policy: Policy) -> None:
    """In its group the code captures, and the verdict names the override; elsewhere it does not."""
    classifier = InForce(RuleClassifier, policy, groups={ROTA: [LOGISTICS]})
    line = say("amara", "Running late, 5 mins")
    verdict = classifier.classify(line, Context(group=ROTA))
    assert verdict.outcome is Outcome.CAPTURE
    assert ("LOGISTICS", "override-2026-03-01") in {(r.code, r.rule) for r in verdict.reasons}
    assert verdict.policy != classifier.policy
    elsewhere = classifier.classify(line, Context(group=("matrix", "!other:example.org")))
    assert elsewhere.outcome is Outcome.DISCARD
    assert elsewhere.policy == classifier.policy


def test_what_a_group_is_full_of_can_be_let_go(policy: Policy) -> None:
    """The other way round: what keeps elsewhere discards there, unless more speaks for it."""
    commission = replace(LOGISTICS, code="COMMISSION", outcome=Outcome.DISCARD)
    classifier = InForce(RuleClassifier, policy, groups={ROTA: [commission]})
    context = Context(group=ROTA)
    line = say("amara", "Could you prepare the table for us")
    assert classifier.classify(line, Context()).outcome is Outcome.CAPTURE
    assert classifier.classify(line, context).outcome is Outcome.DISCARD
    doubtful = classifier.classify(say("amara", "Please draft the note by Friday"), context)
    assert doubtful.outcome is Outcome.REVIEW
    assert doubtful.reasons[-1].rule == commission.rule
    more = say("amara", "Please draft the note, the minister has decided on option B")
    assert classifier.classify(more, context).outcome is Outcome.CAPTURE


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([replace(LOGISTICS, code="LOGISTIK")], "is no code"),
        ([replace(LOGISTICS, code="DECISION", outcome=Outcome.DISCARD)], "by the program itself"),
        ([LOGISTICS, replace(LOGISTICS, outcome=Outcome.REVIEW)], "stands twice"),
    ],
)
def test_an_override_that_cannot_hold_is_refused(
    policy: Policy, overrides: list[Override], said: str
) -> None:
    """Nothing is put in force that was not understood."""
    with pytest.raises(PolicyError, match=r"^\[\[overrides\]\] code") as caught:
        InForce(RuleClassifier, policy, groups={ROTA: overrides})
    assert said in str(caught.value)


def test_reason_approver_and_date_are_pinned(policy: Policy) -> None:
    """Another approval is another policy."""
    labels = {
        for_group(policy, [each]).label
        for each in (
            LOGISTICS,
            replace(LOGISTICS, approver="Somebody else"),
            replace(LOGISTICS, reason="other"),
            replace(LOGISTICS, date=date(2026, 3, 2)),
        )
    }
    assert len(labels) == 4
