"""Policies: what the shipped one holds, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.classify import Policy, RuleClassifier, parse_policy
from bridge.classify.gate import Gate
from bridge.classify.patterns import bare, compile_pattern, word_list
from bridge.errors import PolicyError
from bridge.model import CONTEXT_MESSAGES, Context, Outcome
from tests.unit.bridge.classify.talk import say

KEEP_CODES = (
    "DECISION",
    "COMMISSION",
    "ADVICE",
    "RATIONALE",
    "CHANGE",
    "COMMITMENT",
    "EXTERNAL",
    "CONCERN",
    "CITIZEN",
    "EVIDENCE",
    "ANSWER",
    "INTEGRITY",
    "HOLD",
    "CAPSTONE",
    "MARKING",
    "CONTEXT",
    "CAPTURE_ALL",
)
DROP_CODES = ("LOGISTICS", "ACK", "SOCIAL", "PERSONAL", "BROADCAST")


def test_shipped_policy_has_every_code(policy: Policy) -> None:
    """Every keep and don't-keep code is there, with its outcome and a description."""
    assert policy.label == "uk-nccc@2023.1"
    assert {policy.outcome(code) for code in KEEP_CODES} == {Outcome.CAPTURE}
    assert {policy.outcome(code) for code in DROP_CODES} == {Outcome.DISCARD}
    assert {policy.outcome(code) for code in ("COLOUR", "PARTY", "DOUBT")} == {Outcome.REVIEW}
    assert all(code.description for code in policy.codes.values())


def test_policy_is_frozen(policy: Policy) -> None:
    """A policy in force cannot be changed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.version = "2"  # type: ignore[misc]


def test_no_more_context_is_asked_for_than_there_is(policy_text: str) -> None:
    """A policy that looks further back than messages are at hand is refused, with the bound."""
    line = f"messages = {CONTEXT_MESSAGES}"
    assert line in policy_text
    with pytest.raises(PolicyError, match="at most 12"):
        parse_policy(policy_text.replace(line, f"messages = {CONTEXT_MESSAGES + 1}"))


def test_colour_can_be_switched(policy_text: str) -> None:
    """A department may decide to keep blunt comment, by one word of the policy."""
    changed = policy_text.replace(
        '[codes.COLOUR]\noutcome = "review"', '[codes.COLOUR]\noutcome = "capture"'
    ).replace(
        'id = "colour"\ncode = "COLOUR"\nweight = 0.5',
        'id = "colour"\ncode = "COLOUR"\nweight = 0.7',
    )

    verdict = RuleClassifier(parse_policy(changed)).classify(
        say("amara", "He is a liar and out of his depth"), Context()
    )

    assert verdict.outcome is Outcome.CAPTURE


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "uk-nccc"', 'name = ""', "name"),
        ('name = "uk-nccc"', 'name = "UK NCCC"', "name"),
        ('version = "2023.1"', "", "version"),
        ("capture_from = 0.6", "capture_from = 6", "capture_from"),
        ("capture_from = 0.6", "capture_from = true", "capture_from"),
        ("minutes = 30 ", "minutes = 0 ", "context.minutes"),
        ("minutes = 30 ", "minuets = 30 ", "context.minutes"),
        ("[context]", "[context]\nfoo = 1", "context.foo"),
        ("capstone = []", "capstone = [1]", "capstone"),
        ("capstone = []", 'capstone = []\nextra = "x"', "extra"),
        ('[codes.ACK]\noutcome = "discard"', '[codes.ACK]\noutcome = "capture"', "codes.ACK"),
        ('[codes.ACK]\noutcome = "discard"', '[codes.ACK]\noutcome = "drop"', "codes.ACK.outcome"),
        ("[codes.HOLD]", "[codes.OTHER]", "rules[foi-inquiry].code"),
        ('id = "party"\ncode = "PARTY"', 'id = "party"\ncode = "PARTEI"', "rules[party].code"),
        ('id = "party"', 'id = "colour"', "rules"),
        ('role = "question"', 'role = "quest"', "cues[question].role"),
        ("pattern = ['xx{1,6}']", "pattern = ['xx{1,}']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['x.*y']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['x+']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['(?:ab){1,6}']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['x{1,999}']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['XX']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['(xx']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['x?']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = ['{{drinks}}']", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = []", "rules[kisses].pattern"),
        ("pattern = ['xx{1,6}']", "pattern = 'xx'", "rules[kisses].pattern"),
        ('"cancel*", "scrap*"', '"Cancel*", "scrap*"', "words.drop"),
        ("longest_text = 20000", 'longest_text = "20000"', "doubt.longest_text"),
        ("bare = true", 'bare = "yes"', "markings.forms[1].bare"),
    ],
)
def test_wrong_policy_is_refused_by_name(policy_text: str, old: str, new: str, named: str) -> None:
    """A field that is wrong is named, with what to do about it."""
    assert old in policy_text

    with pytest.raises(PolicyError) as caught:
        parse_policy(policy_text.replace(old, new, 1))

    assert named in str(caught.value)
    assert named.split("[", maxsplit=1)[0] in caught.value.hint


@pytest.mark.parametrize("text", ["", "name = ", "[words]\n", "words = 3", "\x00"])
def test_no_policy_at_all_is_refused(text: str) -> None:
    """Anything that is no policy is refused with an error of ours."""
    with pytest.raises(PolicyError):
        parse_policy(text)


def test_word_list_takes_the_longest_word() -> None:
    """In a list a longer phrase wins over its beginning, and a star stands for any ending."""
    pattern = compile_pattern(("{{x}}",), {"x": word_list(("no", "no ten", "mend*"))}, where="x")

    assert [m[0] for m in pattern.finditer("no ten, no, mending nothing")] == [
        "no ten",
        "no",
        "mending",
    ]


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_gate_never_hides_a_match(policy: Policy, data: st.DataObject) -> None:
    """Whatever a rule matches, the gate lets through to it."""
    position = data.draw(st.integers(0, len(policy.rules) - 1))
    rule = policy.rules[position]
    text = data.draw(
        st.from_regex(rule.pattern, fullmatch=True, alphabet=st.characters(max_codepoint=126))
    )

    assert policy.gate.admits(text) >> position & 1


def test_gate_of_an_odd_pattern_is_always_open() -> None:
    """A pattern that the gate does not understand is always tried."""
    gate = Gate.of(["(?=lookahead)x", "(?P<name>alpha)", r"\x61lpha", "ab", "alpha beta"])

    assert gate.admits("") == 0b01111
    assert gate.admits("say alpha beta") == 0b11111


def test_bare_gives_back_what_was_written() -> None:
    """The whole-word fence is not part of the policy's own text."""
    assert bare(compile_pattern(("abc", "def"), {}, where="x")) == "abc|def"
