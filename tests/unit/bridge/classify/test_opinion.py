from __future__ import annotations

from pathlib import Path

import pytest

from bridge.classify import Policy, RuleClassifier
from bridge.classify.lexis import tokens
from bridge.classify.model import Model, digest, read_model
from bridge.classify.opinion import RULE
from bridge.model import Context, EventKind, Outcome, RelationType
from tests.unit.bridge.classify.talk import decided, hold, rules, say

FILE = Path(__file__).parents[4] / "config" / "models" / "heads-and-trees-1.bin"


@pytest.fixture(scope="module")
def model() -> Model:
    """The model as it is shipped."""
    data = FILE.read_bytes()
    return read_model(data, sha256=digest(data))


@pytest.fixture(scope="module")
def judged(policy: Policy, model: Model) -> RuleClassifier:
    """The shipped policy with the shipped model."""
    return RuleClassifier(policy, model)


def test_verdicts_carry_the_name_of_the_model(judged: RuleClassifier, model: Model) -> None:
    """Name and version of the model stand on each verdict."""
    assert judged.classify(say("a", "Hello"), Context()).model == model.label


def test_the_model_never_lowers_what_a_rule_captures(
    judged: RuleClassifier, classifier: RuleClassifier
) -> None:
    """A capture by the rules stays one."""
    text = "The Secretary of State has decided on option B, please go ahead."
    assert classifier.classify(say("a", text), Context()).outcome is Outcome.CAPTURE
    assert judged.classify(say("a", text), Context()).outcome is Outcome.CAPTURE


def test_an_assent_scores_by_what_it_answers(judged: RuleClassifier) -> None:
    """The same words count for more after a question of substance than after a trivial one."""
    serious = hold(
        judged,
        say("a", "The Treasury want us to cut the hospital budget by £40m. Do you agree?", 0),
        say("b", "Yes, agreed", 1),
    )
    trivial = hold(
        judged, say("a", "Can you print this and call me at 5pm?", 0), say("b", "Yes, agreed", 1)
    )
    assert serious[1].score > trivial[1].score


def test_what_follows_counts_too(judged: RuleClassifier) -> None:
    """A message judged once more is judged with its answers."""
    question = say("a", "Thoughts?", 0)
    answer = say("b", "Legal advice is that the sanctions breach the treaty; minister informed.", 1)
    alone = judged.classify(question, Context())
    answered = judged.classify(question, Context(after=(answer,)))
    assert alone.score != answered.score


def test_cited_words_stand_in_the_text(judged: RuleClassifier) -> None:
    """Reasons of the model quote whole words."""
    body = "Gaddafi\u2019s envoy wants to negotiate a cease-fire through the embassy in Tunis"
    verdict = judged.classify(say("a", body), Context())
    cited = [reason for reason in verdict.reasons if reason.rule == RULE]
    assert cited
    for reason in cited:
        assert body[reason.start : reason.end] == reason.text
        assert reason.text.lower() in [body[t.start : t.end].lower() for t in tokens(body.lower())]


@pytest.mark.parametrize(
    "body", ["", "\x00", "😀😀", "🎉", "...", "x" * 65_536, "\ud800", "это вопрос решён"]
)
def test_what_cannot_be_read_is_a_matter_for_a_person(judged: RuleClassifier, body: str) -> None:
    """Empty, wordless, damaged, foreign, overlong: never discarded for want of a signal."""
    verdict = judged.classify(say("a", body), Context())
    assert verdict.outcome is Outcome.REVIEW
    assert verdict.reasons


@pytest.mark.parametrize(
    "body",
    [
        "Stop y cynllun, a phaid a dweud i neb",
        "Iawn, gwna hynny a dweud wrth y tim",
        "Be am fory am 3?",
        "Bore da bawb",
        "Tha am modail sin airson an sgioba",
        "Cha deach dad a lorg",
        "Is maith liom an smaoineamh sin",
        "On se voit a midi",
        "Das will ich am Montag in Ruhe lesen",
        "No to do jutra",
        "Zgoda",
    ],
)
def test_another_language_is_not_settled_by_the_model(judged: RuleClassifier, body: str) -> None:
    """Words that English shares with a language do not make it English."""
    verdict = judged.classify(say("a", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert "unknown-language" in rules(verdict)


@pytest.mark.parametrize(
    "body",
    ["Nothing much wat bout u", "On my way home now, u want pizza?", "see u by the bus stop"],
)
def test_chatty_english_is_still_settled(judged: RuleClassifier, body: str) -> None:
    """English that is short of common words is English all the same."""
    assert judged.classify(say("a", body), Context()).outcome is Outcome.DISCARD


def test_without_the_model_nothing_is_discarded(policy: Policy) -> None:
    """A missing or changed model raises every discard to review, and says so."""
    lame = RuleClassifier(policy, None, fault="gone")
    verdict = lame.classify(say("a", "Thanks!"), Context())
    assert verdict.outcome is Outcome.REVIEW
    assert "no-model" in rules(verdict)
    assert "gone" in lame.alarm
    lunch = decided(say("a", "Lunch?", 0), lame.classify(say("a", "Lunch?", 0), Context()))
    thumb = say("b", "👍", 1, kind=EventKind.REACTION, to="a@0")
    assert lame.classify(thumb, Context(before=(lunch,), target=lunch)).outcome is not (
        Outcome.DISCARD
    )


def test_a_fault_inside_the_model_is_a_review(policy: Policy, model: Model) -> None:
    """A stage that fails costs a person's time, never a message."""

    class Broken(Model):
        def score(self, row: tuple[float, ...]) -> float:
            raise ZeroDivisionError

    broken = Broken(
        name="broken",
        version="1",
        lines=model.lines,
        official=model.official,
        meeting=model.meeting,
        curve=model.curve,
        capture_from=model.capture_from,
        discard_below=model.discard_below,
    )
    verdict = RuleClassifier(policy, broken).classify(say("a", "Thanks!"), Context())
    assert verdict.outcome is Outcome.REVIEW
    assert rules(verdict) == {"failed"}


def test_the_same_text_is_judged_the_same_again(policy: Policy, model: Model) -> None:
    """What was heard before makes no difference."""
    fresh, used = RuleClassifier(policy, model), RuleClassifier(policy, model)
    for number in range(700):
        used.classify(say("a", f"Message number {number} about the bridge", number), Context())
    last = say("a", "The bridge is closed because of the flood", 900)
    assert fresh.classify(last, Context()) == used.classify(last, Context())


def test_an_assent_to_nothing_known_stays_a_matter_for_a_person(judged: RuleClassifier) -> None:
    """Whatever the model makes of the words, what they answer is not known."""
    assert judged.classify(say("a", "Yes, agreed"), Context()).outcome is Outcome.REVIEW


def test_c7_the_model_does_not_settle_an_edit_of_a_reviewed_message(judged: RuleClassifier) -> None:
    """C7: an edit into nothing of what a person is to look at is for that person too."""
    first = say("a", "Thorpe wants the figures looked at again")
    nothing = "Nothing much wat bout u"
    edit = say("a", nothing, 5, kind=EventKind.EDIT, to="a@0", by=RelationType.EDIT)

    before, after = hold(judged, first, edit)

    assert judged.classify(say("a", nothing), Context()).outcome is Outcome.DISCARD
    assert before.outcome is after.outcome is Outcome.REVIEW
    assert "edit-of-reviewed" in rules(after)
    assert after.context == (first.upstream_id,)
