"""A second test before a discard: is it transitory, and needed for nothing?

GRS 5.2 of the United States calls a message transitory only if both hold: it is needed for a short
time, and it is not needed for a legal or fiscal duty nor to start, continue, assess or evidence
decision-making. A policy with a ``[transitory]`` table asks both of whatever would be discarded;
where one fails, a person decides. It can only raise an outcome.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bridge.classify.normalise import Reading
from bridge.classify.patterns import compile_pattern
from bridge.classify.table import Table
from bridge.errors import PolicyError
from bridge.model import Outcome, Reason, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitory:
    """The two parts. ``short_term``: codes of what is needed for a short time only.

    ``needed``: words that speak of a duty or of a decision; ``score`` is that of the review.
    """

    title: str
    short_term: frozenset[str]
    needed: re.Pattern[str]

    def test(self, verdict: Verdict, reading: Reading, *, score: float) -> Verdict:
        """``verdict``, or a review where it is a discard that does not pass."""
        if verdict.outcome is not Outcome.DISCARD:
            return verdict
        failed = self._failed(verdict, reading)
        if failed is None:
            return verdict
        return replace(
            verdict,
            outcome=Outcome.REVIEW,
            score=max(verdict.score, score),
            reasons=(failed, *verdict.reasons),
        )

    def _failed(self, verdict: Verdict, reading: Reading) -> Reason | None:
        if any(reason.code not in self.short_term for reason in verdict.reasons):
            return reading.reason("DOUBT", "not-short-term")
        match = self.needed.search(reading.text)
        if match is None:
            return None
        return reading.reason("DOUBT", "needed-for-duty-or-decision", match.start(), match.end())


def transitory_of(
    table: Table, codes: Mapping[str, Outcome], lists: Mapping[str, str]
) -> Transitory:
    """The test that a ``[transitory]`` table describes.

    Raises:
        PolicyError: naming the field and the remedy.
    """
    short_term = table.strings("short_term")
    for code in short_term:
        if codes.get(code) is not Outcome.DISCARD:
            raise PolicyError(
                f"{table.at('short_term')}: {code!r} is not a code that discards",
                hint=f"Name codes with outcome discard in {table.at('short_term')}.",
            )
    test = Transitory(
        title=table.text("title"),
        short_term=frozenset(short_term),
        needed=compile_pattern(table.strings("needed"), lists, where=table.at("needed")),
    )
    table.close()
    return test
