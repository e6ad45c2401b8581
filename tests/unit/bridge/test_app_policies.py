"""The policy in force, as settings and files make it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.app.policies import (
    DEFAULT,
    classifier_of,
    idle_calibration,
    policy_in,
    policy_of,
    shipped_policy,
)
from bridge.app.rules import descriptions, review_time
from bridge.classify.calibrate import Calibration, Method, Threshold, encoded
from bridge.errors import ConfigError, PolicyError
from bridge.model import Context, Outcome
from config.settings import Settings, parse
from tests.unit.bridge.classify.talk import say
from tests.unit.config.samples import GROUP, MATRIX

US = '[policy]\nname = "us-grs"\nversion = "6.1"\n'
SENIOR = '[[capstone]]\nrole = "{}"\nids = ["amara"]\n'
OVERRIDE = """
[[overrides]]
connector = "matrix"
group = "!room:example.org"
code = "{}"
outcome = "capture"
reason = "It is there for logistics"
approver = "Head of records"
date = 2026-03-01
"""
OURS = """\
extends = "{}"
name = "ours"
version = "1"
title = "Ours"
sources = ["Us"]
"""


def _settings(folder: Path, text: str) -> Settings:
    return parse(text, folder / "muniment.toml", {})


def test_the_default_is_the_shipped_policy(tmp_path: Path) -> None:
    """Settings that change nothing give the same label as none."""
    assert classifier_of(_settings(tmp_path, "")).policy == classifier_of(None).policy
    assert policy_of(_settings(tmp_path, "")) is shipped_policy(DEFAULT)


def test_an_unknown_policy_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """The hint names what is shipped."""
    with pytest.raises(ConfigError) as caught:
        policy_of(_settings(tmp_path, '[policy]\nname = "other"\n'))
    for name in ("uk-nccc-2023.1", "scotland-2025.1", "us-grs-6.1"):
        assert name in caught.value.hint


def test_a_base_is_looked_for_beside_the_file_first(tmp_path: Path) -> None:
    """A department may keep its own base; without one the shipped ones are there."""
    (tmp_path / "ours-1.toml").write_text(OURS.format("base-1"))
    with pytest.raises(PolicyError, match="extends"):
        policy_in(tmp_path / "ours-1.toml")
    shipped = Path(__file__).parents[3] / "config" / "policies" / "uk-nccc-2023.1.toml"
    (tmp_path / "base-1.toml").write_text(shipped.read_text("utf-8"))
    assert policy_in(tmp_path / "ours-1.toml").extends == "base-1"
    (tmp_path / "ours-1.toml").write_text(OURS.format("uk-nccc-2023.1"))
    assert policy_in(tmp_path / "ours-1.toml").label == "ours@1"


def test_a_role_is_one_that_the_policy_names(tmp_path: Path) -> None:
    """Where the policy names roles; where it names none, any will do."""
    listed = policy_of(_settings(tmp_path, US + SENIOR.format("director")))
    assert listed.capstone == ("amara",)
    assert listed.label.startswith("us-grs@6.1~")
    with pytest.raises(PolicyError, match=r"^\[\[capstone\]\] role") as caught:
        policy_of(_settings(tmp_path, US + SENIOR.format("boss")))
    assert "head-of-agency" in caught.value.hint
    assert policy_of(_settings(tmp_path, SENIOR.format("boss"))).capstone == ("amara",)


def test_an_override_reaches_its_group(tmp_path: Path) -> None:
    """And one that cannot hold stops the start."""
    settings = _settings(tmp_path, MATRIX + GROUP + OVERRIDE.format("LOGISTICS"))
    context = Context(group=("matrix", "!room:example.org"))
    verdict = classifier_of(settings).classify(say("amara", "Running late, 5 mins"), context)
    assert verdict.reasons[-1].rule == "override-2026-03-01"
    with pytest.raises(PolicyError, match=r"^\[\[overrides\]\] code"):
        classifier_of(_settings(tmp_path, MATRIX + GROUP + OVERRIDE.format("DECISION")))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("", 30),
        (US, 27),
        (US + "[store]\nreview_days = 21\n", 21),
        ("[store]\nreview_days = 90", 90),
    ],
)
def test_reviews_are_left_to_people_as_long_as_the_policy_says(
    tmp_path: Path, text: str, days: int
) -> None:
    """The last week is not theirs: 20 days under the law of the United States, or less."""
    assert review_time(_settings(tmp_path, text)) == timedelta(days=days)


def test_codes_are_described_by_the_policy_in_force(tmp_path: Path) -> None:
    """A code it does not know has no description."""
    describe = descriptions(_settings(tmp_path, US))
    assert describe("LOGISTICS").startswith("Transitory")
    assert describe("NONE") == ""


def test_a_calibration_holds_for_its_model_alone(tmp_path: Path) -> None:
    """Another's is left aside, and that is told."""
    settings = _settings(tmp_path, "")
    plain = classifier_of(settings)
    assert idle_calibration(settings, plain) == ""
    found = Threshold(method=Method.EXPECTED, alpha=0.05, n=19, k=1, value=0.0)
    file = tmp_path / "var" / "calibration.json"
    file.parent.mkdir()
    for model, holds in ((plain.model, True), ("older-1", False)):
        calibration = Calibration(policy=plain.policy, model=model, at="", thresholds=(found,))
        file.write_bytes(encoded(calibration))
        classifier = classifier_of(settings)
        assert classifier.is_calibrated is holds
        assert (idle_calibration(settings, classifier) == "") is holds
        outcome = classifier.classify(say("amara", "thanks"), Context()).outcome
        assert outcome is Outcome.REVIEW or not holds
