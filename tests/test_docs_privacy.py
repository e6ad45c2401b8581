"""The privacy pack quotes what groups are told, word by word."""

from __future__ import annotations

import pytest

from bridge.notices import FIELDS, SENTENCES, TEXTS
from bridge.notices.text import WORDS
from tests.pages import page


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_the_quoted_texts_are_those_that_are_posted(language: str) -> None:
    """Notice, its two rules, and the sentence for newcomers, in every language that is shipped."""
    quoted = {kind: body.removesuffix("\n") for kind, body in page("docs/privacy.md").blocks()}
    assert quoted[f"text notice-{language}"] == TEXTS[language]
    assert quoted[f"text some-{language}"] == WORDS[language].kept_some
    assert quoted[f"text all-{language}"] == WORDS[language].kept_all
    assert quoted[f"text newcomers-{language}"] == SENTENCES[language].newcomers


def test_the_fields_of_a_notice_are_documented() -> None:
    """The operator's manual names every field that a text may use, and no other."""
    told = {span for span in page("docs/operations.md").spans() if span.startswith("${")}
    assert told == {f"${{{field}}}" for field in FIELDS}
