"""The policies that are shipped, each for what it is there for."""

from __future__ import annotations

import pytest

from bridge.classify import InForce, Policy, RuleClassifier, parse_policy
from bridge.model import Context, Outcome, Verdict
from tests.unit.bridge.classify.shipped import texts
from tests.unit.bridge.classify.talk import say

SHIPPED = texts()


@pytest.fixture(scope="module")
def scotland() -> Policy:
    """The emergency policy."""
    return parse_policy(SHIPPED["scotland-2025.1"], SHIPPED)


@pytest.fixture(scope="module")
def grs() -> Policy:
    """The policy of the United States."""
    return parse_policy(SHIPPED["us-grs-6.1"], SHIPPED)


def _of(policy: Policy, body: str) -> Verdict:
    return InForce(RuleClassifier, policy).classify(say("amara", body), Context())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_policy_is_what_its_file_says(name: str) -> None:
    """Name and version are those of the file, and each source is named in words."""
    policy = parse_policy(SHIPPED[name], SHIPPED)
    assert f"{policy.name}-{policy.version}" == name
    assert policy.label == f"{policy.name}@{policy.version}"
    assert len(policy.sources) >= 3
    assert not any("http" in source for source in policy.sources)


@pytest.mark.parametrize("body", ["thanks", "see you at 3", "", "Pizza?", "We go with option B"])
def test_scotland_captures_everything(scotland: Policy, body: str) -> None:
    """In an emergency every message is captured, and why it would have been still stands."""
    verdict = _of(scotland, body)
    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.reasons[0].code == "CAPTURE_ALL"
    assert verdict.policy == "scotland@2025.1"


def test_scotland_restricts_all_the_same(scotland: Policy) -> None:
    """A marking of SECRET keeps a message out of the store even then."""
    verdict = _of(scotland, "SECRET\nthe site list")
    assert verdict.restricted
    assert verdict.outcome is Outcome.REVIEW


def test_scotland_knows_its_offices(scotland: Policy) -> None:
    """What the rules find is told beside it."""
    verdict = _of(scotland, "off to Holyrood on Tuesday")
    assert ("DOUBT", "scottish-subject") in {(r.code, r.rule) for r in verdict.reasons}


@pytest.mark.parametrize(
    "body", ["thanks", "see you at 3", "Running late, 5 mins", "Pizza or curry for Friday?"]
)
def test_grs_lets_go_what_passes_both_parts(grs: Policy, body: str) -> None:
    """Needed for a short time, and for no duty or decision: transitory."""
    assert _of(grs, body).outcome is Outcome.DISCARD


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("running late for the option meeting, see you", "option"),
        ("see you at the audit", "audit"),
        ("meet you at the white house", "white house"),
    ],
)
def test_grs_second_part_stops_a_discard(grs: Policy, body: str, read: str) -> None:
    """A word of a duty or of a decision sends what would be let go to a person, and is quoted."""
    plain = RuleClassifier(grs).classify(say("amara", body), Context())
    verdict = _of(grs, body)
    assert verdict.outcome is Outcome.REVIEW
    if plain.outcome is Outcome.DISCARD:
        assert (verdict.reasons[0].rule, verdict.reasons[0].text) == (
            "needed-for-duty-or-decision",
            read,
        )
        assert verdict.reasons[1:] == plain.reasons


def test_grs_first_part_stops_a_discard(policy_text: str) -> None:
    """A code that is not needed for a short time only is none to let go by."""
    text = SHIPPED["us-grs-6.1"].replace('["LOGISTICS", "ACK",', '["ACK",')
    narrow = parse_policy(text, {"uk-nccc-2023.1": policy_text})
    verdict = _of(narrow, "see you at 3")
    assert (verdict.outcome, verdict.reasons[0].rule) == (Outcome.REVIEW, "not-short-term")


def test_grs_wants_a_decision_within_20_days_and_names_roles(grs: Policy) -> None:
    """The statutory period and the roles of GRS 6.1 are part of the policy."""
    assert grs.decide_within_days == 20
    assert "head-of-agency" in grs.capstone_roles


def test_grs_knows_markings_of_its_own(grs: Policy) -> None:
    """CUI is a marking there, and those of the base still are."""
    assert _of(grs, "CUI//SP-PRVCY\nthe list").markings == ("CUI",)
    assert _of(grs, "TOP SECRET//SI//NOFORN\nthe list").restricted


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("keep", Outcome.CAPTURE), ("help", Outcome.DISCARD), ("status", Outcome.DISCARD)],
)
def test_commands_are_messages_too(policy: Policy, word: str, outcome: Outcome) -> None:
    """Asking for a message to be kept is on the record; asking for help is not worth keeping."""
    assert _of(policy, f"!record {word}").outcome is outcome
