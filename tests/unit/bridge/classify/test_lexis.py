from __future__ import annotations

import pytest

from bridge.classify.lexis import MOST_TOKENS, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see you at 14:20, or 5pm", ["see", "you", "at", "<time>", "or", "<time>"]),
        ("£1.2m for 2024?", ["<money>", "for", "<year>", "?"]),
        ("+1 @kim", ["<vote>", "<name>"]),
        ("it's 40% ... really!!", ["it's", "<percent>", "<dots>", "really", "!"]),
        ("https://example.org/x 12 cases", ["<link>", "<number2>", "cases"]),
        ("", []),
    ],
)
def test_what_varies_becomes_its_shape(text: str, words: list[str]) -> None:
    """Times, sums, numbers, names and links are one word each."""
    assert [token.word for token in tokens(text)] == words


def test_a_long_text_is_counted_up_to_a_bound() -> None:
    """A text of any length costs a bounded time."""
    assert len(tokens("word " * 10_000)) == MOST_TOKENS
