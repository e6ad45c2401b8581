"""Protective markings: told apart from talk about them by strict spelling and position.

A marking stands in capitals in a header or footer line, in brackets, or opens the message. A
mention in running text is a matter for the rules and never restricts anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.classify.normalise import Reading
from bridge.classify.rules import Finding
from bridge.classify.terms import Form
from bridge.model import Outcome

_EDGE = r"[^\w\n!?]{0,8}"
_PLACES = ("line", "bracket", "head", "foot", "open")
_SEPARATOR = r"(?: ?//| ?[:.|/] | ?[:|]$| ?- |- )"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A marking found. ``restricted``: this grade must not be on chat at all."""

    name: str
    restricted: bool
    finding: Finding


@dataclass(frozen=True, slots=True)
class Detector:
    """The forms of a policy, compiled."""

    forms: tuple[tuple[Form, re.Pattern[str]], ...]

    @classmethod
    def of(cls, forms: tuple[Form, ...], caveats: tuple[str, ...]) -> Detector:
        """Compile ``forms``; ``caveats`` may follow a marking on its line."""
        return cls(tuple((form, _pattern(form, caveats)) for form in forms))

    def find(self, reading: Reading) -> tuple[Marking, ...]:
        """The markings that ``reading`` bears, each form at most once."""
        found: list[Marking] = []
        for form, pattern in self.forms:
            match = pattern.search(reading.cased)
            if match is not None:
                found.append(_marking(reading, form, match))
        return tuple(found)


def _marking(reading: Reading, form: Form, match: re.Match[str]) -> Marking:
    rule = "restricted" if form.restricted else "marking"
    outcome = Outcome.REVIEW if form.restricted else Outcome.CAPTURE
    place = next(name for name in _PLACES if match.groupdict().get(name))
    reason = reading.reason("MARKING", rule, *match.span(place))
    return Marking(
        name=form.name,
        restricted=form.restricted,
        finding=Finding(reason=reason, outcome=outcome, weight=1.0),
    )


def _pattern(form: Form, caveats: tuple[str, ...]) -> re.Pattern[str]:
    mark = _alternation(form.spellings)
    caveat = f"(?: {_alternation(caveats)}\\b)" if caveats else r"(?!)"
    places = [
        rf"^{_EDGE}(?P<line>{mark})(?!\w)(?={_EDGE}$|{_SEPARATOR}|{caveat})",
        rf"[\[(] ?(?P<bracket>{mark})(?!\w)(?: ?[-/:]{{0,2}} ?[A-Z][A-Z /:-]{{0,60}})? ?[\])]",
    ]
    if form.bare:
        places.append(rf"\A{_EDGE}(?P<head>{mark})(?!\w)")
        places.append(rf"[.!?)] (?P<foot>{mark})(?=[^\w\n]{{0,3}}\Z)")
    if form.openings:
        opening = _alternation(form.openings)
        places.append(rf"\A{_EDGE}(?P<open>(?i:{opening}))(?={_EDGE}$|[.:,]|{_SEPARATOR})")
    return re.compile("|".join(places), re.MULTILINE)


def _alternation(spellings: tuple[str, ...]) -> str:
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    return "(?:" + "|".join(re.escape(spelling) for spelling in longest_first) + ")"
