"""What is wrong with a setting, in one sentence an operator can act on."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class SettingsError(Exception):
    """A setting that cannot be used.

    ``message`` is one sentence: ``field`` as the operator wrote it (``[store] url``), ``fact``
    (what is wrong with it) and ``remedy`` (what to do).
    """

    def __init__(self, field: str, fact: str, remedy: str) -> None:
        self.field = field
        self.fact = fact
        self.remedy = remedy
        self.message = f"{field} {fact}: {remedy}."
        super().__init__(self.message)


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that ``word`` was most likely meant to be, or None."""
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return found[0] if found else None
