"""Conformal risk control: the thresholds, what they promise, and how they are kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.classify import InForce, Policy, RuleClassifier, parse_policy
from bridge.classify.calibrate import (
    Calibration,
    Method,
    Sample,
    Threshold,
    decoded,
    encoded,
    least_n,
    threshold,
    thresholds,
    upper_bound,
)
from bridge.errors import ConfigError
from bridge.model import Context, Outcome
from tests.unit.bridge.classify.shipped import texts
from tests.unit.bridge.classify.talk import say

MODEL = RuleClassifier(parse_policy(texts()["uk-nccc-2023.1"])).model
ROOM = ("matrix", "!room:example.org")


def _samples(*scores: float, source: str = "") -> list[Sample]:
    return [Sample(score=score, significant=True, source=source) for score in scores]


def _calibration(
    value: float, *, source: str = "", model: str = MODEL, policy: str = "uk-nccc@2023.1"
) -> Calibration:
    found = Threshold(source=source, method=Method.EXPECTED, alpha=0.05, n=19, k=1, value=value)
    return Calibration(
        policy=policy, model=model, at="2026-03-01T09:00:00.000Z", thresholds=(found,)
    )


@pytest.mark.parametrize(
    ("n", "alpha", "k"),
    [(18, 0.05, 0), (19, 0.05, 1), (98, 0.01, 0), (99, 0.01, 1), (99, 0.29, 29)],
)
def test_the_kth_smallest_positive_is_the_threshold(n: int, alpha: float, k: int) -> None:
    """K is exactly floor(alpha (n + 1)); what was not significant does not count."""
    samples = [*_samples(*(i / n for i in range(n))), Sample(score=0.0, significant=False)]
    found = threshold(samples, alpha=alpha, method=Method.EXPECTED)
    assert (found.n, found.k, found.suffices) == (n, k, k > 0)
    assert found.value == ((k - 1) / n if k else 0.0)


@pytest.mark.parametrize(
    ("n", "alpha", "k"), [(58, 0.05, 0), (59, 0.05, 1), (298, 0.01, 0), (299, 0.01, 1)]
)
def test_confidence_needs_more(n: int, alpha: float, k: int) -> None:
    """With zero misses 95 % confidence needs 59 messages for 5 %, and 299 for 1 %."""
    found = threshold(_samples(*([0.5] * n)), alpha=alpha, method=Method.CONFIDENT)
    assert found.k == k


@pytest.mark.parametrize(
    ("alpha", "method", "n"),
    [(0.05, Method.EXPECTED, 19), (0.01, Method.EXPECTED, 99), (0.05, Method.CONFIDENT, 59)],
)
def test_the_least_number_is_named(alpha: float, method: Method, n: int) -> None:
    """It is the first with which a threshold is found, and the guarantee says so until then."""
    assert least_n(alpha, method) == n
    short = threshold(_samples(*([0.5] * (n - 1))), alpha=alpha, method=method)
    assert not short.suffices
    assert f"at least {n}" in short.guarantee
    assert threshold(_samples(*([0.5] * n)), alpha=alpha, method=method).suffices


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.randoms())
def test_the_order_of_samples_does_not_matter(scores: list[float], mixed: random.Random) -> None:
    """The same samples give the same threshold."""
    before = threshold(_samples(*scores), alpha=0.1, method=Method.EXPECTED)
    mixed.shuffle(scores)
    assert threshold(_samples(*scores), alpha=0.1, method=Method.EXPECTED) == before


@pytest.mark.parametrize("method", Method)
def test_the_guarantee_holds(method: Method) -> None:
    """Over many draws the share missed is at most alpha, on average or nearly always."""
    draw = random.Random(7)
    missed = []
    for _ in range(300):
        found = threshold(_samples(*(draw.random() for _ in range(100))), alpha=0.1, method=method)
        missed.append(found.value)  # scores are uniform: what lies below the value is missed
    if method is Method.EXPECTED:
        assert sum(missed) / len(missed) <= 0.1 + 2 * 0.03 / 300**0.5
    else:
        assert sum(share > 0.1 for share in missed) / len(missed) <= 0.05 + 2 * 0.0126


def test_each_source_has_one_of_its_own() -> None:
    """All together first, then each group; one that has too few follows all."""
    samples = [*_samples(*([0.3] * 20), source="a/x"), *_samples(0.1, 0.2, source="b/y")]
    pooled, first, second = thresholds(samples, alpha=0.05, method=Method.EXPECTED)
    assert (pooled.source, pooled.n, pooled.value) == ("", 22, 0.1)
    assert (first.source, first.value, second.source) == ("a/x", 0.3, "b/y")
    assert not second.suffices
    chosen = Calibration(policy="p", model="m", at="", thresholds=(pooled, first, second))
    assert chosen.threshold("a/x") == first
    assert chosen.threshold("b/y") == chosen.threshold("c/z") == pooled


@pytest.mark.parametrize(("misses", "n", "bound"), [(0, 59, 0.0495), (0, 0, 1.0), (1, 100, 0.0466)])
def test_the_upper_bound_is_exact(misses: int, n: int, bound: float) -> None:
    """The one-sided 95 % bound of Clopper and Pearson."""
    assert upper_bound(misses, n) == pytest.approx(bound, abs=5e-4)


def test_alpha_is_a_share() -> None:
    """Anything else is our own mistake."""
    with pytest.raises(ValueError, match="alpha"):
        threshold([], alpha=1.0, method=Method.EXPECTED)


def test_the_file_reads_back() -> None:
    """What was written is what is read, and the label is that of its bytes."""
    calibration = _calibration(0.1)
    assert decoded(encoded(calibration)) == calibration
    assert calibration.label.startswith("cal-")
    assert calibration.label != _calibration(0.11).label


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"v":2}', encoded(_calibration(2.0))])
def test_a_file_that_cannot_be_read_is_refused(data: bytes) -> None:
    """With the remedy, and never as if there were none."""
    with pytest.raises(ConfigError) as caught:
        decoded(data)
    assert "calibration.json" in caught.value.hint


def test_a_discard_above_the_threshold_is_reviewed(policy: Policy) -> None:
    """A calibration turns discards into reviews, says so, and touches nothing else."""
    plain = InForce(RuleClassifier, policy)
    lines = [say("amara", body) for body in ("thanks", "see you at 3", "We go with option B")]
    before = [plain.classify(line, Context(group=ROOM)) for line in lines]
    between = (before[0].score + before[1].score) / 2
    classifier = InForce(RuleClassifier, policy, calibration=_calibration(between))
    after = [classifier.classify(line, Context(group=ROOM)) for line in lines]
    assert [each.outcome for each in after] == [Outcome.REVIEW, Outcome.DISCARD, Outcome.CAPTURE]
    assert after[0].reasons[0].rule == "calibrated"
    assert after[0].reasons[1:] == before[0].reasons
    assert {each.model for each in after} == {classifier.model}
    assert classifier.model.startswith(f"{plain.model}+cal-")


def test_it_holds_for_its_own_group(policy: Policy) -> None:
    """A threshold of one group is not that of another."""
    calibration = _calibration(0.0, source="/".join(ROOM))
    classifier = InForce(RuleClassifier, policy, calibration=calibration)
    line = say("amara", "thanks")
    assert classifier.classify(line, Context(group=ROOM)).outcome is Outcome.REVIEW
    assert classifier.classify(line, Context()).outcome is Outcome.DISCARD


@pytest.mark.parametrize(("model", "name"), [("other-2", "uk-nccc@2023.1"), (MODEL, "ours@1")])
def test_one_of_another_policy_or_model_is_left_aside(
    policy: Policy, model: str, name: str
) -> None:
    """Scores of another model mean something else."""
    calibration = _calibration(0.0, model=model, policy=name)
    classifier = InForce(RuleClassifier, policy, calibration=calibration)
    assert not classifier.is_calibrated
    assert classifier.classify(say("amara", "thanks"), Context()).outcome is Outcome.DISCARD


def test_a_failure_of_a_stage_is_a_review(policy: Policy) -> None:
    """Whatever fails around the stages, a person decides."""

    class Broken:
        model = "broken"

        def classify(self, *_: object) -> None:
            raise ValueError

    classifier = InForce(lambda _: Broken(), policy)  # type: ignore[arg-type,return-value]
    verdict = classifier.classify(say("amara", "thanks"), Context())
    assert (verdict.outcome, verdict.reasons[0].rule) == (Outcome.REVIEW, "failed")
