"""A line that people typed for others to read: a name, an owner, a purpose."""

from __future__ import annotations

import unicodedata

LONGEST_LINE = 500
_TURNING = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
"""Characters that show nothing, and turn the direction of what follows them."""


def unfit_line(text: str) -> str | None:
    """Why ``text`` is no line to put on record, as the rest of a sentence; None where it is one."""
    if not text.strip():
        return "is empty"
    if len(text) > LONGEST_LINE:
        return f"is longer than {LONGEST_LINE} characters"
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} for c in text):
        return "holds a control character"
    if not _TURNING.isdisjoint(text):
        return "holds a character that turns the direction of text"
    return None
