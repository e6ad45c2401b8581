"""Whatever is sent: a verdict, with reasons that point into the text, and twice the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.classify import RuleClassifier
from bridge.classify.normalise import read
from bridge.model import Context, EventKind, Outcome, RelationType, Utterance, Verdict
from tests.unit.bridge.classify.talk import codes, decided, hold, say

WORDS = st.sampled_from(
    [
        "yes",
        "no",
        "+1",
        "SECRET",
        "-",
        "[SECRET]",
        "OFFICIAL-SENSITIVE",
        "approved",
        "SoS",
        "lunch",
        "see you at 3",
        "👍🏽",
        "😂",
        "\n",
        "?",
        "scrap that",
        "ignore my last",
        "do the second one",
        "\u202e",
        "\ud800",
        "\x00",
        "ﬁne",
        "Ａgreed",
        "e\u0301\u0301\u0301",
        "https://x.example",
        "But",
        "İ",
    ],
)
BODIES = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(WORDS, max_size=12).map(" ".join),
)


def is_sound(utterance: Utterance, verdict: Verdict) -> bool:
    """Whether a verdict keeps the promises that hold for any text."""
    size = len(utterance.body)
    return (
        len(verdict.reasons) >= 1
        and 0 <= verdict.score <= 1
        and utterance.upstream_id not in verdict.context
        and len(set(verdict.context)) == len(verdict.context)
        and all(0 <= r.start <= r.end <= size for r in verdict.reasons)
        and all(utterance.body[r.start : r.end] == r.text for r in verdict.reasons)
        and not (verdict.restricted and verdict.outcome is not Outcome.REVIEW)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=BODIES,
    earlier=BODIES,
    kind=st.sampled_from(EventKind),
    by=st.sampled_from(RelationType),
    related=st.booleans(),
    files=st.integers(0, 2),
    capture_all=st.booleans(),
)
def test_any_message_has_a_sound_and_stable_verdict(
    classifier: RuleClassifier,
    *,
    body: str,
    earlier: str,
    kind: EventKind,
    by: RelationType,
    related: bool,
    files: int,
    capture_all: bool,
) -> None:
    """Any text of any kind in any context gives reasons within the text, and twice the same."""
    first = say("amara", earlier)
    before = (decided(first, classifier.classify(first, Context())),)
    target = "amara@0" if related else None
    utterance = say("bo", body, 1, kind=kind, to=target, by=by, attachments=files)
    context = Context(before=before, target=before[0] if related else None, capture_all=capture_all)

    verdict = classifier.classify(utterance, context)

    assert is_sound(utterance, verdict)
    assert not any(reason.rule == "failed" for reason in verdict.reasons)
    assert classifier.classify(utterance, context) == verdict


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "yes ",
        "\n",
        "not ",
        "https://",
        "because ",
        "[SECRET ",
        "OFFICIAL",
        "e\u0301\u0316",
        "x" * 200 + " ",
        "👍",
        "1. ",
    ],
)
def test_64_kib_of_one_thing_is_reviewed(classifier: RuleClassifier, unit: str) -> None:
    """A huge message is read at both ends and never discarded."""
    body = unit * (65536 // len(unit))
    utterance = say("amara", body, 1)

    verdict = classifier.classify(utterance, Context(before=(say("bo", "lunch at 1?"),)))

    assert verdict.outcome is not Outcome.DISCARD
    assert is_sound(utterance, verdict)


def test_signal_at_the_end_of_a_huge_message_is_found(classifier: RuleClassifier) -> None:
    """What stands at the very end of a huge message counts, at its own place."""
    body = "petunia " * 9000 + "SoS has approved the draft"

    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert "DECISION" in codes(verdict)
    assert max(reason.end for reason in verdict.reasons) > len(body) - 30


def test_huge_message_of_trivia_is_reviewed(classifier: RuleClassifier) -> None:
    """However trivial both ends are, the middle was not read."""
    verdict = classifier.classify(say("amara", "see you at 3. " * 3000), Context())

    assert verdict.outcome is Outcome.REVIEW
    assert {reason.rule for reason in verdict.reasons} == {"too-long"}


@pytest.mark.parametrize("body", ["😂😂😂", "🎉", "🍕🍕🍕", "🦔🧿", "👍", "🎉!!", "...", "?"])
def test_emoji_alone(classifier: RuleClassifier, body: str) -> None:
    """What has no word is a matter for a person, known emoji or not."""
    assert classifier.classify(say("amara", body), Context()).outcome is Outcome.REVIEW


def test_emoji_that_answer_inherit(classifier: RuleClassifier) -> None:
    """Approval with a cheer answers a question about lunch as a word would."""
    lunch = say("amara", "Pizza for lunch?")

    assert hold(classifier, lunch, say("bo", "👍🎉", 1))[1].outcome is Outcome.DISCARD


@pytest.mark.parametrize(
    "disguise", ["ａｐｐｒｏｖｅｄ", "ap\u200bproved", "\u2066approved", "APPROVED"]
)
def test_disguised_words_are_read(classifier: RuleClassifier, disguise: str) -> None:
    """Full-width letters, zero-width characters and controls do not hide a word."""
    body = f"SoS  has\n{disguise} it"

    verdict = classifier.classify(say("amara", body), Context())

    assert verdict.outcome is Outcome.CAPTURE
    assert any(disguise.strip("\u2066") in reason.text for reason in verdict.reasons)


@given(body=BODIES)
@settings(deadline=None)
def test_folded_text_maps_back(body: str) -> None:
    """Every folded character has its place in the original, in order, and both readings align."""
    reading = read(body, longest=40)

    assert len(reading.text) == len(reading.cased)
    spans = [reading.span(at, at + 1) for at in range(len(reading.text))]
    assert all(0 <= start < end <= len(body) for start, end in spans)
    assert spans == sorted(spans)
    assert "  " not in reading.text


def test_plain_text_is_read_as_it_is() -> None:
    """Tidy ASCII keeps its offsets, with line ends as spaces in the lower-case reading."""
    reading = read("Hello\nWorld", longest=1000)

    assert (reading.cased, reading.text) == ("Hello\nWorld", "hello world")
    assert reading.starts is None
