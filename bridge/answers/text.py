"""The answers by language, and the one that is put together."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.answers import english, welsh
from bridge.answers.words import Answers
from bridge.model import Outcome

MOST_REASONS = 5
ANSWERS = {"en": english.ANSWERS, "cy": welsh.ANSWERS}
"""A language in which only a department's own notice is at hand gets English answers."""


def answers_in(language: str) -> Answers:
    """The answers in ``language``, or else in English."""
    return ANSWERS.get(language, english.ANSWERS)


def why_text(
    words: Answers, *, outcome: Outcome, reasons: Sequence[tuple[str, str]], policy: str
) -> str:
    """Why: the ``reasons`` as code and what the policy says of it. MUST NOT be given any quote."""
    lines = [
        f"- {code}: {description}" if description else f"- {code}"
        for code, description in list(dict.fromkeys(reasons))[:MOST_REASONS]
    ]
    return words.why.format(
        outcome=words.outcomes[outcome],
        reasons="\n".join(lines) or words.no_reason,
        by=words.decided_by.format(policy=policy),
    )
