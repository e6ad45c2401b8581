"""What the recorder says to a group."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import ConfigError
from bridge.notices import (
    FIELDS,
    SENTENCES,
    TEXTS,
    Notice,
    NoticeFacts,
    Template,
    degraded_text,
    interruption_text,
    newcomers_text,
    paused_text,
    recovered_text,
    resumed_text,
    shown_name,
)

FACTS = NoticeFacts(
    department="The Flood Office",
    contact="records@example.org",
    retention_days=2555,
    discard_days=30,
    group="Flood response",
    policy="uk-nccc@2023.1",
)
BARE = replace(FACTS, department=None, contact=None, retention_days=None, group=None)


def _notice(facts: NoticeFacts = FACTS, language: str = "en", own: str | None = None) -> Notice:
    return Template.of(language, own).filled(facts)


def _text(facts: NoticeFacts = FACTS, language: str = "en", own: str | None = None) -> str:
    return _notice(facts, language, own).text


def test_the_notice_says_who_what_how_long_and_whom_to_ask() -> None:
    """The shipped text names who records, what is kept, for how long, and the way to object."""
    text = _text()
    for said in (
        "This group is being recorded.",
        "The Flood Office",
        "the group “Flood response”",
        "under the policy uk-nccc@2023.1",
        "for 2555 days",
        "a person decides",
        "destroyed after 30 days",
        "deleting a message here does not remove the copy",
        "disappearing-message",
        "you may object to being recorded",
        "Questions or objections: records@example.org.",
        "!record help",
    ):
        assert said in text


def test_the_welsh_notice_says_the_same() -> None:
    """Welsh is shipped whole, with its own words for every field."""
    text = _text(replace(FACTS, timer=172_800, overrides=(("discard", "LOGISTICS"),)), "cy")
    for said in (
        "Mae'r grŵp hwn yn cael ei gofnodi.",
        "Y corff cyfrifol: The Flood Office.",
        "y grŵp “Flood response”",
        "o dan y polisi uk-nccc@2023.1",
        "am 2555 diwrnod",
        "ar ôl 30 diwrnod",
        "wedi'i osod i 2 ddiwrnod",
        "nid yw'r rhain yn cael eu cadw: LOGISTICS",
        "chewch wrthwynebu",
        "records@example.org",
        "!record help",
    ):
        assert said in text


@pytest.mark.parametrize("language", sorted(TEXTS))
@pytest.mark.parametrize("capture_all", [False, True])
@pytest.mark.parametrize("facts", [FACTS, BARE])
def test_every_notice_is_a_whole_text(
    language: str, facts: NoticeFacts, *, capture_all: bool
) -> None:
    """Whatever is not set is said in words: no field is left, and no line is empty twice."""
    text = _text(replace(facts, capture_all=capture_all, timer=90), language)
    for left in ("$", "{", "}", "None", "  ", "\n\n\n", " .", ".."):
        assert left not in text
    assert all(line[:1] == line[:1].upper() for line in text.splitlines())


def test_what_is_not_set_is_said_in_words() -> None:
    """Without department, contact or retention the notice is still a whole text."""
    text = _text(BARE)
    assert "The department responsible for this group" in text
    assert "ask the owner of this group" in text
    assert "for as long as its rules require" in text
    assert "ask Head of Floods, who answers for this group" in _text(
        replace(BARE, owner="Head of Floods")
    )


def test_a_group_that_is_kept_whole_is_told_so() -> None:
    """Where everything is kept, the notice says that all messages are, and speaks of no rule."""
    text = _text(replace(FACTS, capture_all=True, overrides=(("discard", "LOGISTICS"),)))
    assert "All messages are kept" in text
    assert "significant" not in text
    assert "LOGISTICS" not in text
    assert "Mae pob neges yn cael ei chadw" in _text(replace(FACTS, capture_all=True), "cy")


def test_what_was_ordered_for_the_group_alone_is_told() -> None:
    """Codes that lead elsewhere in this group stand in its notice, by where they lead."""
    overrides = (("capture", "SOCIAL"), ("discard", "LOGISTICS"), ("capture", "ACK"))
    text = _text(replace(FACTS, overrides=overrides))
    assert "In this group these are kept in any case: SOCIAL, ACK." in text
    assert "In this group these are not kept: LOGISTICS." in text
    assert "a person decides about these" not in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "No such timer is set in this group."),
        (0.2, "set to 1 second."),
        (90, "set to 90 seconds."),
        (60, "set to 1 minute."),
        (7200, "set to 2 hours."),
        (86_400, "set to 1 day."),
        (604_800, "set to 7 days."),
    ],
)
def test_the_timer_is_told_in_words(seconds: float | None, said: str) -> None:
    """In the largest unit that tells it exactly."""
    assert said in _text(replace(FACTS, timer=seconds))


def test_an_own_text_may_use_the_same_fields() -> None:
    """A department's text replaces the shipped one, trimmed."""
    own = "  ${department} records this; ask $contact. Costs $$5. ${retention}/${discard_days}\n"
    said = "The Flood Office records this; ask records@example.org. Costs $5. for 2555 days/30"
    assert _text(own=own) == said
    assert _text(language="xx", own="Recorded.") == "Recorded."
    every = " ".join(f"${{{field}}}" for field in FIELDS)
    assert "$" not in _text(own=every)


def test_a_field_is_not_read_again() -> None:
    """A department whose name looks like a field is written as it is."""
    assert _text(replace(FACTS, department="${contact}"), own="${department}") == "${contact}"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("${who} records", r"the field \$\{who\}, which does not exist"),
        ("ask $Contact", r"the field \$\{Contact\}"),
        ("$", r"a \$ that begins no field"),
        ("${", r"a \$ that begins no field"),
        (" \n", "is empty"),
        ("Recorded.\x07", "control character"),
    ],
)
def test_an_unfit_text_is_refused_by_its_fault(own: str, said: str) -> None:
    """A mistake in the text is named, with the fields there are where it is one of fields."""
    with pytest.raises(ConfigError, match=rf"^\[notice\] text_file .*{said}") as refused:
        Template.of("en", own)
    if "$" in own:
        for field in FIELDS:
            assert f"${{{field}}}" in refused.value.hint


def test_a_language_without_a_text_is_refused() -> None:
    """No language is replaced silently by another."""
    with pytest.raises(ConfigError, match=r'^\[notice\] language is "gd"') as refused:
        Template.of("gd")
    assert "cy, en" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Flood\nresponse", "Flood response"),
        ("a\u202eb\u2066c\x1b[31m", "a b c [31m"),
        ("x" * 101, "x" * 100 + "…"),
        ("\u200b \n", None),
        (None, None),
        ("Llifogydd ŵ ŷ", "Llifogydd ŵ ŷ"),
    ],
)
def test_a_strangers_name_moves_no_text(name: str | None, shown: str | None) -> None:
    """A group's name stands in the notice on one line, short, and turns nothing around."""
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    "changed",
    [
        replace(FACTS, timer=60),
        replace(FACTS, group="Flood recovery"),
        replace(FACTS, policy="uk-nccc@2024.1"),
        replace(FACTS, capture_all=True),
        replace(FACTS, contact="dpo@example.org"),
        replace(FACTS, retention_days=365),
        replace(FACTS, overrides=(("capture", "SOCIAL"),)),
    ],
)
def test_the_version_changes_with_what_is_said(changed: NoticeFacts) -> None:
    """Timer, name, policy and every fact make another version; the same facts the same one."""
    assert _notice(changed).version != _notice().version
    assert _notice(replace(FACTS)).version == _notice().version


@pytest.mark.parametrize(
    "changed",
    [
        replace(FACTS, timer=60),
        replace(FACTS, group="Flood recovery"),
        replace(FACTS, policy="uk-nccc@2024.1"),
        replace(FACTS, capture_all=True),
    ],
)
def test_a_text_without_fields_has_versions_all_the_same(changed: NoticeFacts) -> None:
    """What changed in the group makes a version even where an own text does not speak of it."""
    assert _notice(changed, own="Recorded.").version != _notice(own="Recorded.").version
    assert _notice(own="Recorded!").version != _notice(own="Recorded.").version


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


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_newcomers_are_told_where_the_notice_is(language: str) -> None:
    """By the time of the notice, with whom to ask."""
    text = newcomers_text(NOON, "dpo@example.org", language=language)
    assert "14:02 UTC" in text
    assert "dpo@example.org" in text
    assert "!record help" in text


def test_welsh_sentences_have_welsh_months() -> None:
    """No English word stands in a Welsh sentence."""
    said = interruption_text(NOON, NOON + timedelta(minutes=2), language="cy")
    assert "14:02 UTC ar 3 Mawrth 2026; 14:05 UTC ar 3 Mawrth 2026." in said
    assert paused_text(NOON, language="cy").endswith("ers 14:02 UTC ar 3 Mawrth 2026.")
    assert "75 %" in degraded_text(75, language="cy")


def test_every_language_has_all_it_says() -> None:
    """A language is shipped whole; one without sentences, as of an own text, gets English."""
    assert SENTENCES.keys() == TEXTS.keys()
    assert all(len(words.months) == 12 for words in SENTENCES.values())
    assert paused_text(NOON, language="xx") == paused_text(NOON)
