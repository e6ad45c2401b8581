"""A policy that extends another: what it takes over, replaces, adds and leaves out."""

from __future__ import annotations

import pytest

from bridge.classify import Policy, parse_policy
from bridge.classify.inherit import resolve
from bridge.errors import PolicyError
from bridge.model import Digest, Outcome

BASE = "uk-nccc-2023.1"
HEAD = f'extends = "{BASE}"\nname = "ours"\nversion = "1"\ntitle = "Ours"\nsources = ["us"]\n'


def _policy(base: str, more: str = "") -> Policy:
    return parse_policy(HEAD + more, {BASE: base})


def test_what_is_not_said_is_taken_over(policy: Policy, policy_text: str) -> None:
    """Rules, cues, codes, words and markings are the base's; what it says of itself is not."""
    ours = _policy(policy_text)
    assert (ours.label, ours.title, ours.sources) == ("ours@1", "Ours", ("us",))
    assert ours.extends == BASE
    assert [rule.id for rule in ours.rules] == [rule.id for rule in policy.rules]
    assert (ours.codes, ours.forms, ours.cues) == (policy.codes, policy.forms, policy.cues)


def test_a_table_is_laid_over_key_by_key(policy: Policy, policy_text: str) -> None:
    """One key of a table changes; the others stay."""
    ours = _policy(policy_text, '[codes.COLOUR]\noutcome = "capture"\n[context]\nminutes = 5\n')
    assert ours.outcome("COLOUR") is Outcome.CAPTURE
    assert ours.codes["COLOUR"].description == policy.codes["COLOUR"].description
    assert ours.window.minutes == 5
    assert ours.window.messages == policy.window.messages


def test_a_rule_of_the_same_name_takes_the_place(policy: Policy, policy_text: str) -> None:
    """A rule with an id of the base replaces it where it stands; a new one comes last."""
    rule = '[[rules]]\nid = "{}"\ncode = "CHANGE"\nweight = 0.9\npattern = ["drawbridge"]\n'
    ours = _policy(policy_text, rule.format("approval") + rule.format("bridge"))
    ids = [each.id for each in ours.rules]
    assert ids == [each.id for each in policy.rules] + ["bridge"]
    (changed,) = [each for each in ours.rules if each.id == "approval"]
    assert (changed.code, changed.weight) == ("CHANGE", 0.9)


def test_rules_and_cues_can_be_left_out(policy: Policy, policy_text: str) -> None:
    """`without` takes rules and cues of the base away."""
    text = f'without = ["party", "question"]\n{HEAD}'
    ours = parse_policy(text, {BASE: policy_text})
    assert len(ours.rules) == len(policy.rules) - 1
    assert sum(map(len, ours.cues.values())) == sum(map(len, policy.cues.values())) - 1


def test_a_list_of_words_is_replaced(policy_text: str) -> None:
    """A plain list is not a list of tables: it takes the other's place, and rules read the new."""
    ours = _policy(policy_text, '[words]\nfood = ["haggis"]\n')
    (rule,) = [each for each in ours.rules if each.id == "go-ahead"]
    assert rule.unless is not None
    assert rule.unless.search("haggis")
    assert not rule.unless.search("pizza")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD.replace(BASE, "other-1"), "extends"),
        (HEAD.replace(f'"{BASE}"', "3"), "extends"),
        (f'without = ["nothing"]\n{HEAD}', "without"),
        (HEAD.replace('title = "Ours"\n', ""), "title"),
        (HEAD.replace('sources = ["us"]\n', ""), "sources"),
        (HEAD + "[codes.HOLD]\nfoo = 1\n", "codes.HOLD.foo"),
        (HEAD + "[words]\ncommon = 3\n", "words.common"),
    ],
)
def test_what_is_wrong_is_named(policy_text: str, text: str, named: str) -> None:
    """The field and the remedy are told."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, {BASE: policy_text})
    assert named in str(caught.value)
    assert named.split(".", maxsplit=1)[0] in caught.value.hint


def test_a_base_stands_on_its_own(policy_text: str) -> None:
    """There is no chain: what a policy means is seen in two files at most."""
    bases = {BASE: policy_text, "ours-1": HEAD}
    with pytest.raises(PolicyError, match="extends another policy itself"):
        parse_policy(HEAD.replace(BASE, "ours-1").replace('"ours"', '"more"'), bases)


def test_without_needs_a_base(policy_text: str) -> None:
    """A policy of its own has nothing to leave out."""
    with pytest.raises(PolicyError, match=r"^without"):
        parse_policy('without = ["party"]\n' + policy_text)


def test_a_base_that_is_no_toml_is_named(policy_text: str) -> None:
    """The text that cannot be read is told from the other."""
    with pytest.raises(PolicyError, match=f"^{BASE}: not TOML"):
        parse_policy(HEAD, {BASE: policy_text + "\n["})


def test_the_digest_is_that_of_every_text(policy_text: str) -> None:
    """A change anywhere in what makes a policy is seen in its digest."""
    alone = parse_policy(policy_text).digest
    assert alone == Digest.of(policy_text.encode()).hex
    ours = _policy(policy_text).digest
    assert ours == _policy(policy_text).digest
    assert len({alone, ours, _policy(policy_text + "\n").digest}) == 3
    assert resolve(HEAD, {BASE: policy_text}).digest == ours
