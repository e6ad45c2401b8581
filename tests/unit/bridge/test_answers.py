"""What the recorder answers: one text in each case, and never a quotation."""

from __future__ import annotations

import dataclasses

import pytest

from bridge.answers import ANSWERS, MOST_REASONS, answers_in, why_text
from bridge.asked import Ask
from bridge.model import GroupState, NoticeState, Outcome


@pytest.mark.parametrize("language", ANSWERS)
def test_every_outcome_and_command_has_words(language: str) -> None:
    """No language is half there, and no answer could be taken for a command."""
    words = ANSWERS[language]
    assert set(words.outcomes) == set(Outcome)
    assert set(words.states) == set(GroupState)
    assert set(words.notices) == set(NoticeState)
    for ask in (Ask.KEEP, Ask.WHY, Ask.STATUS, Ask.HELP):
        assert f"!record {ask.value}" in words.help
    for field in dataclasses.fields(words):
        text = getattr(words, field.name)
        texts = text.values() if isinstance(text, dict) else [text]
        assert all(each and not each.startswith("!") for each in texts), field.name


def test_a_language_without_answers_gets_english() -> None:
    """It is said all the same."""
    assert answers_in("xx") is ANSWERS["en"]


def test_reasons_are_few_and_told_once() -> None:
    """A long list is cut; codes that stand twice are told once; none at all is told too."""
    words = ANSWERS["en"]
    reasons = [("DECISION", "")] * 3 + [(f"CODE{i}", "what it means") for i in range(9)]
    text = why_text(words, outcome=Outcome.CAPTURE, reasons=reasons, policy="p@1")
    assert text.count("\n- ") == MOST_REASONS
    assert "\n- DECISION\n- CODE0: what it means\n" in text
    assert words.no_reason in why_text(words, outcome=Outcome.DISCARD, reasons=[], policy="p@1")
