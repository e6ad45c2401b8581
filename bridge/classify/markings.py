"""Protective markings: told apart from talk about them by strict spelling and position.

A marking stands in capitals in a header or footer line, behind a label, in brackets, or opens the
message. A mention in running text is a matter for the rules and never restricts anything; what is
spelt like a marking and stands elsewhere is a matter for a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.classify.normalise import Reading
from bridge.classify.rules import Finding
from bridge.classify.terms import Form
from bridge.model import Outcome

_EDGE = r"[^\w\n!?]{0,8}"
_ALIKE = 0.5
_PLACES = ("line", "bracket", "head", "foot", "open")
_SEPARATOR = r"(?: ?//| ?[:.|/] | ?[:|]$| ?- |- )"
_BEFORE_CAVEAT = r"[ ,/(:-]{1,4}"
_NEVER = r"(?:(?!))"
_LABEL = r"(?:(?i:(?:(?:protective|security) )?(?:marking|classification)|classified)[ :=-]{1,3})?"
_SET_OFF = r"(?: ?// ?| ?: | - |- )[A-Z][A-Z /:-]{0,60}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A marking found. ``restricted``: this grade must not be on chat at all."""

    name: str
    restricted: bool
    finding: Finding


@dataclass(frozen=True, slots=True)
class Detector:
    """The forms of a policy, compiled. ``spelt``: any of their spellings, wherever it stands."""

    forms: tuple[tuple[Form, re.Pattern[str]], ...]
    spelt: re.Pattern[str]

    @classmethod
    def of(cls, forms: tuple[Form, ...], caveats: tuple[str, ...]) -> Detector:
        """Compile ``forms``; ``caveats`` may follow a marking on its line or in its brackets."""
        spellings = tuple(spelling for form in forms for spelling in form.spellings)
        return cls(
            forms=tuple((form, _pattern(form, caveats)) for form in forms),
            spelt=re.compile(rf"(?<!\w){_alternation(spellings)}(?!\w)" if spellings else _NEVER),
        )

    def find(self, reading: Reading) -> tuple[Marking, ...]:
        """The markings that ``reading`` bears, each form at most once."""
        found: list[Marking] = []
        for form, pattern in self.forms:
            match = pattern.search(reading.cased)
            if match is not None:
                found.append(_marking(reading, form, match))
        return tuple(found)

    def alike(self, reading: Reading) -> tuple[Finding, ...]:
        """What is only spelt like a marking: no alarm, and a ground not to discard."""
        match = self.spelt.search(reading.cased)
        if match is None:
            return ()
        reason = reading.reason("DOUBT", "marking-spelling", *match.span())
        return (Finding(reason=reason, outcome=Outcome.REVIEW, weight=_ALIKE),)


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
    caveat = rf"(?:{_BEFORE_CAVEAT}{_alternation(caveats)}(?!\w))" if caveats else _NEVER
    places = [
        rf"^{_EDGE}{_LABEL}(?P<line>{mark})(?!\w)(?={_EDGE}$|{_SEPARATOR}|{caveat})",
        # Behind a space alone only what is listed: "SECRET BALLOT" is no marking.
        rf"[\[(] ?{_LABEL}(?P<bracket>{mark})(?!\w)(?:{caveat}{{0,5}}|{_SET_OFF}) ?[\])]",
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
