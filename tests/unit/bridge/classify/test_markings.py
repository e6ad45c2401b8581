"""Protective markings, and everything that only looks like one."""

from __future__ import annotations

import pytest

from bridge.classify import RuleClassifier
from bridge.classify.markings import Detector
from bridge.classify.normalise import read
from bridge.classify.terms import Form
from bridge.model import Context, Outcome
from tests.unit.bridge.classify.talk import codes, say


@pytest.mark.parametrize(
    "body",
    [
        "OFFICIAL-SENSITIVE",
        "OFFICIAL SENSITIVE draft lines follow",
        "[OFFICIAL SENSITIVE] see below",
        "see below (OFFICIAL-SENSITIVE)",
        "O-S: draft lines",
        "O-S - draft lines",
        "Official, Sensitive. Draft lines",
        "official-sensitive: draft lines",
        "Draft lines\nOFFICIAL-SENSITIVE",
        "**OFFICIAL-SENSITIVE**",
        "Draft lines to follow. OFFICIAL-SENSITIVE",
        "OFFICIAL\u2011SENSITIVE \u2013 draft lines",
        "OFFICIAL-SENSITIVE COMMERCIAL\nDraft lines",
    ],
)
def test_official_sensitive_is_captured(classifier: RuleClassifier, body: str) -> None:
    """Every way to write the marking is found, and captures."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert verdict.markings == ("OFFICIAL-SENSITIVE",)
    assert "MARKING" in codes(verdict)
    assert not verdict.restricted


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("SECRET", "SECRET - convoy leaves at dawn"),
        ("SECRET", "SECRET: convoy leaves at dawn"),
        ("SECRET", "[SECRET] convoy leaves at dawn"),
        ("SECRET", "convoy leaves at dawn (SECRET)"),
        ("SECRET", "convoy leaves at dawn\nSECRET"),
        ("SECRET", "UK SECRET UK EYES ONLY"),
        ("SECRET", "UK SECRET\nconvoy leaves at dawn"),
        ("SECRET", "\uff33\uff25\uff23\uff32\uff25\uff34 - convoy"),
        ("SECRET", "S\u200bECRET - convoy"),
        ("SECRET", "SECRET (UK EYES ONLY) convoy leaves at dawn"),
        ("SECRET", "SECRET, UK EYES ONLY"),
        ("SECRET", "SECRET/UK EYES ONLY"),
        ("SECRET", "Classification: SECRET"),
        ("SECRET", "convoy leaves at dawn\nSecurity classification - SECRET, UKEO"),
        ("SECRET", "convoy leaves at dawn [Classification: SECRET]"),
        ("SECRET", "convoy leaves at dawn (SECRET - REL NATO)"),
        ("TOP SECRET", "convoy leaves at dawn [TOP SECRET STRAP2, UKEO]"),
        ("TOP SECRET", "TOP SECRET//STRAP1 convoy"),
        ("TOP SECRET", "[TOP SECRET - UK EYES ONLY] convoy"),
        ("TOP SECRET", "TOP SECRET"),
    ],
)
def test_secret_and_above_is_restricted(classifier: RuleClassifier, name: str, body: str) -> None:
    """A marking that must not be on chat restricts the message; the outcome is review."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert verdict.restricted
    assert verdict.markings == (name,)
    assert verdict.reasons[0].code == "MARKING"
    assert body[verdict.reasons[0].start : verdict.reasons[0].end] == verdict.reasons[0].text


@pytest.mark.parametrize(
    "body",
    [
        "it was stamped official sensitive",
        "the annex is OFFICIAL-SENSITIVE by the way",
        "Somebody had marked it TOP SECRET",
        "is that classified as secret?",
    ],
)
def test_mention_is_kept_without_alarm(classifier: RuleClassifier, body: str) -> None:
    """Talk about a marking is kept, and marks nothing."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert "MARKING" in codes(verdict)
    assert verdict.markings == ()
    assert not verdict.restricted


@pytest.mark.parametrize(
    "body",
    [
        "the secret of my energy is porridge",
        "SECRET Santa list is by the kettle",
        "Secret santa - who is in?",
        "it is time sensitive",
        "let's make it official",
        "our SECRET weapon",
        "who is in? (SECRET SANTA)",
        "(SECRET BALLOT)",
        "Classification: SECRETARY",
        "SECRETARY - please call me",
        "TOP SECRET!!!",
        "top secret: I made a cake",
        "officially sensitive about my hair",
    ],
)
def test_ordinary_words_are_no_marking(classifier: RuleClassifier, body: str) -> None:
    """Ordinary use of the words marks nothing and restricts nothing."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.markings == ()
    assert not verdict.restricted
    assert "MARKING" not in codes(verdict)


@pytest.mark.parametrize(
    "body",
    [
        "who is in? (SECRET SANTA)",
        "SECRET REL NATO see you at 3",
        "lunch at 1, it is TOP-SECRET",
    ],
)
def test_the_spelling_of_a_marking_in_capitals_is_never_discarded(
    classifier: RuleClassifier, body: str
) -> None:
    """What is written like a marking where none stands is a matter for a person."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert not verdict.restricted
    assert "marking-spelling" in {reason.rule for reason in verdict.reasons}


def test_a_policy_may_have_no_markings_and_no_caveats() -> None:
    """Without forms nothing is found; without caveats a marking still is."""
    form = Form(name="SECRET", spellings=("SECRET",), restricted=True)
    reading = read("SECRET - convoy\n(SECRET)", longest=1000)

    assert Detector.of((), ()).find(reading) == ()
    assert Detector.of((), ()).alike(reading) == ()
    assert [marking.name for marking in Detector.of((form,), ()).find(reading)] == ["SECRET"]


def test_restriction_stands_over_capture_all(classifier: RuleClassifier) -> None:
    """Not even a group that keeps everything stores a message marked SECRET."""
    verdict = classifier.classify(
        say("amara", "SECRET - SoS has approved the raid"), Context(capture_all=True)
    )

    assert verdict.outcome is Outcome.REVIEW
    assert verdict.restricted
