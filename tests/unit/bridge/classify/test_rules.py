"""Single messages: what each code keeps, what only looks like it, what may be discarded."""

from __future__ import annotations

import pytest

from bridge.classify import RuleClassifier
from bridge.model import Context, Outcome
from tests.unit.bridge.classify.talk import codes, rules, say

KEPT = [
    ("DECISION", "Minister is content with option C, go ahead"),
    ("DECISION", "Don't publish the figures until the Chancellor has seen them"),
    ("DECISION", "Cabinet has agreed to extend the scheme to March"),
    ("DECISION", "Perm Sec has signed off the business case"),
    ("DECISION", "We are scrapping the pilot: cancel the contract"),
    ("COMMISSION", "Please draft a submission on port closures by Thursday"),
    ("COMMISSION", "Could you get me a note on the costs before the Treasury meeting"),
    ("COMMISSION", "Ask Legal to check whether we need consent"),
    ("ADVICE", "Counsel thinks we would lose on the second ground"),
    ("ADVICE", "My advice is to wait: it is £12m dearer than the alternative"),
    ("ADVICE", "There are three options on the table for the levy"),
    ("RATIONALE", "We ruled out a ban because enforcement data comes too late"),
    ("CHANGE", "The caterer for the detention centre has gone into administration"),
    ("CHANGE", "Admissions have doubled since Sunday"),
    ("CHANGE", "There has been a data breach at the agency"),
    ("COMMITMENT", "We will underwrite the first £3m of their losses"),
    ("COMMITMENT", "I've promised them an answer on the grant"),
    ("EXTERNAL", "The chief executive of Norwell Steel rang, wants the levy dropped"),
    ("EXTERNAL", "Agreed line to take: we do not comment on leaks"),
    ("EXTERNAL", "Select committee wants the correspondence by noon"),
    ("CONCERN", "I'm not comfortable with this, it bypasses the Accounting Officer"),
    ("CONCERN", "I have serious reservations and want them on record"),
    ("CITIZEN", "Refuse the visa for the applicant in case 4417"),
    ("HOLD", "Remember this is all discoverable under FOI"),
    ("INTEGRITY", "Delete these messages at the end of the day please"),
    ("INTEGRITY", "Let's turn on disappearing messages"),
    ("MARKING", "That annex was stamped official sensitive"),
]

TRIVIAL = [
    ("LOGISTICS", "Can you call me?"),
    ("LOGISTICS", "Train is delayed, 15 mins"),
    ("LOGISTICS", "I'd catch the 8:40, less crowded"),
    ("LOGISTICS", "Running late, see you at 3"),
    ("LOGISTICS", "Is the call still on?"),
    ("LOGISTICS", "Are you in the office tomorrow?"),
    ("LOGISTICS", "Did you get my voicemail?"),
    ("LOGISTICS", "You're on mute"),
    ("LOGISTICS", "On my way, be there in 5 minutes"),
    ("ACK", "thanks"),
    ("ACK", "Many thanks Priya"),
    ("ACK", "Good morning all"),
    ("ACK", "haha brilliant"),
    ("SOCIAL", "Decided on the lasagne and a salad for lunch"),
    ("SOCIAL", "I'll bring the cake"),
    ("SOCIAL", "Not happy with the coffee here"),
    ("SOCIAL", "Happy birthday!! 🎂🎉"),
    ("SOCIAL", "Did you see the football last night"),
    ("SOCIAL", "So sorry to hear, thinking of you"),
    ("PERSONAL", "Need to collect the kids from the school run"),
    ("PERSONAL", "My mum is feeling better"),
    ("BROADCAST", "https://news.example/story/1234"),
]

UNCLEAR = [
    "The blue folder is behind the second cabinet door",
    "Morning! Reactor rods withdrawn overnight",
    "Thanks. Harkness wept",
    "See you at 3, and the borehole has run dry by the way, village affected",
    "That man is a complete clown",
    "https://docs.example.gov.uk/annex",
]


@pytest.mark.parametrize(("code", "body"), KEPT)
def test_captures_what_matters(classifier: RuleClassifier, code: str, body: str) -> None:
    """A message of a keep category is captured with that code, and the span quotes the text."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert code in codes(verdict)
    for reason in verdict.reasons:
        assert body[reason.start : reason.end] == reason.text


@pytest.mark.parametrize(("code", "body"), TRIVIAL)
def test_discards_what_is_plainly_trivial(classifier: RuleClassifier, code: str, body: str) -> None:
    """A message with evidence of a don't-keep category and nothing else is discarded."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.DISCARD
    assert code in codes(verdict)
    assert verdict.score <= 0.2
    assert verdict.context == ()


@pytest.mark.parametrize("body", UNCLEAR)
def test_reviews_what_is_neither(classifier: RuleClassifier, body: str) -> None:
    """Without a keep signal and without enough evidence a person decides."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert 0.2 <= verdict.score < 0.6


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("no-evidence", "Harkness wept over the petunias"),
        ("unexplained", "Thanks, Harkness wept over the petunias"),
        ("unknown-language", "Wir treffen uns heute Abend zum Fussball"),
        ("unknown-language", "спасибо всем"),
        ("too-long", "see you at 3 " * 2000),
        ("too-much", "see you at 3 " * 30),
        ("empty", ""),
        ("empty", " \n\t "),
        ("damaged", "see you at 3\ud800"),
        ("damaged", "see you \u202eat 3"),
        ("damaged", "see you\x00 at 3"),
    ],
)
def test_doubt_keeps_and_says_why(classifier: RuleClassifier, rule: str, body: str) -> None:
    """Each kind of doubt gives a review whose reason names it."""
    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert codes(verdict) == {"DOUBT"}
    assert rules(verdict) == {rule}


def test_party_business_is_reviewed(classifier: RuleClassifier) -> None:
    """Party business is no public record, but only a person may say so."""
    verdict = classifier.classify(say("amara", "Canvassing on Saturday, bring leaflets"), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert "PARTY" in codes(verdict)


def test_party_mixed_with_official_is_segregated(classifier: RuleClassifier) -> None:
    """Where party and official business stand together, a person separates them."""
    body = "Minister has approved the grant. Also canvassing on Saturday with the activists"

    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert {"PARTY", "DECISION", "DOUBT"} <= codes(verdict)


def test_blunt_comment_is_reviewed_as_colour(classifier: RuleClassifier) -> None:
    """A blunt remark on people goes to review with a code of its own."""
    verdict = classifier.classify(say("amara", "He is a liar and out of his depth"), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert "COLOUR" in codes(verdict)


def test_trivia_beside_a_keep_signal_are_kept(classifier: RuleClassifier) -> None:
    """A discard reason never outweighs a keep signal, and is not shown as a reason."""
    body = "Running late, but SoS has approved the statement"

    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert "LOGISTICS" not in codes(verdict)


def test_official_subject_blocks_a_discard(classifier: RuleClassifier) -> None:
    """The mere mention of official business is enough not to discard by rule."""
    verdict = classifier.classify(say("amara", "See you at 3 about the tender"), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert "official-subject" in rules(verdict)


def test_stronger_evidence_scores_higher(classifier: RuleClassifier) -> None:
    """The score rises with the rules that speak for a message, and orders the outcomes."""
    weak = classifier.classify(say("amara", "See you at 3"), Context())
    unclear = classifier.classify(say("amara", "Harkness wept over the petunias"), Context())
    strong = classifier.classify(say("amara", "SoS has approved the draft"), Context())
    stronger = classifier.classify(
        say("amara", "SoS has approved the grant of £3m because counsel advised it"), Context()
    )

    assert weak.score < unclear.score < strong.score < stronger.score <= 1
