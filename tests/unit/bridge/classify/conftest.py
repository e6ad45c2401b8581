"""The shipped policy, read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.classify import Policy, RuleClassifier, parse_policy

SHIPPED = Path(__file__).parents[4] / "config" / "policies" / "uk-nccc-2023.1.toml"


@pytest.fixture(scope="session")
def policy_text() -> str:
    """The policy file as it is shipped."""
    return SHIPPED.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def policy(policy_text: str) -> Policy:
    """The policy as it is shipped."""
    return parse_policy(policy_text)


@pytest.fixture(scope="session")
def classifier(policy: Policy) -> RuleClassifier:
    """The classifier with the shipped policy."""
    return RuleClassifier(policy)
