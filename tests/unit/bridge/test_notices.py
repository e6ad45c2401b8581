"""What the recorder says to a group."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import ConfigError
from bridge.notices import (
    SENTENCES,
    TEXTS,
    NoticeFacts,
    degraded_text,
    interruption_text,
    notice_text,
    paused_text,
    recovered_text,
    resumed_text,
)


def _facts(
    department: str | None = "The Flood Office",
    contact: str | None = "records@example.org",
    retention_days: int | None = 2555,
) -> NoticeFacts:
    return NoticeFacts(
        department=department,
        contact=contact,
        retention_days=retention_days,
        discard_days=30,
    )


def test_the_notice_says_who_what_how_long_and_whom_to_ask() -> None:
    """The shipped text names the department, the retention, the discards and the contact."""
    text = notice_text(_facts())
    for said in (
        "This group is being recorded.",
        "The Flood Office",
        "for 2555 days",
        "destroyed after 30 days",
        "records@example.org",
        "deleting a message here does not remove the copy",
        "disappearing-message",
        "!record help",
    ):
        assert said in text
    assert "$" not in text
    assert "\n\n\n" not in text


def test_what_is_not_set_is_said_in_words() -> None:
    """Without department, contact or retention the notice is still a whole text."""
    text = notice_text(_facts(department=None, contact=None, retention_days=None))
    assert "The department responsible for this group" in text
    assert "ask the owner of this group" in text
    assert "for as long as its rules require" in text
    assert "None" not in text


def test_an_own_text_may_use_the_same_fields() -> None:
    """A department's text replaces the shipped one, trimmed."""
    own = "  ${department} records this; ask $contact. Costs $$5. ${retention}/${discard_days}\n"
    said = "The Flood Office records this; ask records@example.org. Costs $5. for 2555 days/30"
    assert notice_text(_facts(), own_text=own) == said
    assert notice_text(_facts(), language="xx", own_text="Recorded.") == "Recorded."


def test_a_field_is_not_read_again() -> None:
    """A department whose name looks like a field is written as it is."""
    text = notice_text(_facts(department="${contact}"), own_text="${department}")
    assert text == "${contact}"


@pytest.mark.parametrize("own", ["${who}", "$", "${"])
def test_an_unknown_field_is_refused_with_the_known_ones(own: str) -> None:
    """A mistake in the text names the setting and the fields there are."""
    with pytest.raises(ConfigError, match=r"^\[notice\] text_file") as refused:
        notice_text(_facts(), own_text=own)
    for field in ("department", "contact", "retention", "discard_days"):
        assert f"${{{field}}}" in refused.value.hint


def test_a_language_without_a_text_is_refused() -> None:
    """No language is replaced silently by another."""
    with pytest.raises(ConfigError, match=r'^\[notice\] language is "cy"') as refused:
        notice_text(_facts(), language="cy")
    assert "en" in refused.value.hint


NOON = datetime(2026, 3, 3, 14, 2, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "ended"),
    [
        (timedelta(minutes=38, seconds=1), "14:41 UTC on 3 March 2026"),
        (timedelta(seconds=2), "14:04 UTC on 3 March 2026"),
        (timedelta(hours=9, minutes=57, seconds=1), "00:00 UTC on 4 March 2026"),
    ],
)
def test_an_interruption_is_told_with_its_period(length: timedelta, ended: str) -> None:
    """In UTC words, widened to whole minutes, so that it is never told shorter than it was."""
    text = interruption_text(NOON, NOON + length)
    assert f"at most between 14:02 UTC on 3 March 2026 and {ended}." in text
    assert "may be missing from the record" in text


def test_the_other_sentences() -> None:
    """What a group is told of pauses and of a full spool."""
    assert paused_text(NOON).endswith("paused since 14:02 UTC on 3 March 2026.")
    assert resumed_text(NOON).endswith("taken up again at 14:02 UTC on 3 March 2026.")
    assert "75 %" in degraded_text(75)
    assert "Text messages go on being recorded" in degraded_text(75)
    assert "room for attachments again" in recovered_text()


def test_every_language_has_all_it_says() -> None:
    """A language is shipped whole; one without sentences, as of an own text, gets English."""
    assert SENTENCES.keys() == TEXTS.keys()
    assert all(len(words.months) == 12 for words in SENTENCES.values())
    assert paused_text(NOON, language="xx") == paused_text(NOON)
