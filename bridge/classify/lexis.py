"""The words of a text as the model counts them: plain words, and shapes of what varies.

Sums of money, times and numbers become their shape, so that "14:20" and "9:05" are one word.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_TOKENS = 400
"""A text's words beyond these are not counted: what matters in a message stands before."""

_TOKEN = re.compile(
    r"https?://[^\s]{1,300}"
    r"|[@#]?[^\W\d_][\w']{0,30}"
    r"|[£$€] ?\d[\d,.]{0,12} ?(?:bn|m|k|million|billion)?\b"
    r"|\d{1,2}[:.]\d\d(?: ?[ap]m)?\b|\d{1,2} ?[ap]m\b"
    r"|[+-] ?\d(?:\.\d)?(?!\w)"
    r"|\d[\d,.]{0,12}%?"
    r"|\?{1,9}|!{1,9}|\.{2,9}|\u2026"
)
_CLOCK = re.compile(r"\d{1,2}[:.]\d\d|.*m\Z")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")


class Token(NamedTuple):
    """A word of a text, with its folded offsets."""

    word: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of folded (lower-case) ``text``, at most :data:`MOST_TOKENS`."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        found.append(Token(_shape(match.group()), match.start(), match.end()))
        if len(found) == MOST_TOKENS:
            break
    return found


def is_shape(word: str) -> bool:
    """Whether ``word`` stands for many spellings."""
    return word[0] == "<"


def _shape(found: str) -> str:
    first = found[0]
    if first.isalpha():
        return "<link>" if found.startswith(("http://", "https://")) else found
    if first in "@#":
        return "<name>" if first == "@" else found
    if first in "?!":
        return first
    if first in ".\u2026":
        return "<dots>"
    if first in "£$€":
        return "<money>"
    if first in "+-":
        return "<vote>"
    return _number(found)


def _number(found: str) -> str:
    if found.endswith("%"):
        return "<percent>"
    if _CLOCK.match(found):
        return "<time>"
    if _YEAR.match(found):
        return "<year>"
    return f"<number{min(len(found.strip('.,')), 5)}>"
