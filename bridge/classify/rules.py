"""The rules of the policy, applied to one text. Context is another module's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.classify.normalise import Reading
from bridge.classify.policy import Policy
from bridge.classify.terms import Cue, Role, Rule
from bridge.model import Outcome, Reason

_WORD = re.compile(r"[^\W_](?:[\w']{0,30})")
_ADDRESS = re.compile(r"https?://\S+")
_MOST_SPANS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reason, the outcome it argues for, and how strongly (0 to 1)."""

    reason: Reason
    outcome: Outcome
    weight: float
    slack: int = 0
    segregate: bool = False


def find(reading: Reading, policy: Policy) -> tuple[Finding, ...]:
    """Every rule that speaks, with the span it read; of a discard rule every span."""
    findings: list[Finding] = []
    for position, rule in enumerate(policy.rules):
        if not reading.admitted >> position & 1:
            continue
        match = rule.pattern.search(reading.text)
        if match is None or (rule.unless is not None and rule.unless.search(reading.text)):
            continue
        findings.append(_finding(reading, policy, rule, match))
        if policy.outcome(rule.code) is Outcome.DISCARD:
            more = rule.pattern.finditer(reading.text, match.end())
            findings.extend(
                _finding(reading, policy, rule, another)
                for another, _ in zip(more, range(_MOST_SPANS), strict=False)
            )
    findings.extend(_laughter(reading, policy))
    return tuple(findings)


def roles_in(reading: Reading, policy: Policy, wanted: frozenset[Role]) -> frozenset[Role]:
    """Which of the ``wanted`` roles the text plays wherever the phrase stands."""
    roles: set[Role] = set()
    for position, cue in enumerate(policy.free_cues, len(policy.rules)):
        sought = cue.role in wanted and cue.role not in roles
        if sought and reading.admitted >> position & 1 and _says(cue, reading.text):
            roles.add(cue.role)
    if not reading.text.isascii() and not policy.emoji.irony.isdisjoint(reading.text):
        roles.add(Role.IRONY)
    if "?" in reading.text:
        roles.add(Role.QUESTION)
    return frozenset(roles & wanted)


def where_said(reading: Reading, policy: Policy, role: Role) -> tuple[int, int]:
    """Folded offsets of the first phrase of ``role``; (0, 0) where there is none."""
    for cue in policy.cues[role]:
        match = cue.pattern.search(reading.text)
        if match is not None:
            return match.span()
    return (0, 0)


def _says(cue: Cue, text: str) -> bool:
    if cue.pattern.search(text) is None:
        return False
    return cue.unless is None or cue.unless.search(text) is None


def words(text: str) -> list[tuple[int, int]]:
    """Where the words of ``text`` stand, web addresses apart."""
    addresses = [match.span() for match in _ADDRESS.finditer(text)] if "http" in text else []
    found = [match.span() for match in _WORD.finditer(text)]
    if not addresses:
        return found
    return [
        (start, end)
        for start, end in found
        if not any(first <= start < last for first, last in addresses)
    ]


def is_wordless(reading: Reading) -> bool:
    """Whether nothing in the text is a word: emoji, signs, full stops."""
    return _WORD.search(reading.text) is None


def unexplained(reading: Reading, policy: Policy, findings: Iterable[Finding]) -> int:
    """How many words no finding covers, the commonest words of the language apart."""
    covered = bytearray(len(reading.body) + 1)
    for finding in findings:
        start, end = finding.reason.start, finding.reason.end
        covered[start:end] = b"\1" * (end - start)
    count = 0
    for start, end in words(reading.text):
        first, _ = reading.span(start, end)
        if not covered[first] and not _is_common(reading.text[start:end], policy):
            count += 1
    return count


def is_strange(reading: Reading, policy: Policy) -> bool:
    """Whether the text is not in the language of the policy's patterns by its letters or words."""
    letters = [c for c in reading.text if c.isalpha()] if not reading.text.isascii() else []
    if letters:
        strange = sum(1 for c in letters if not ("a" <= c <= "z" or "\u00df" <= c <= "\u024f"))
        if strange > policy.doubt.foreign_letters * len(letters):
            return True
    spans = words(reading.text)
    if len(spans) < policy.doubt.foreign_words:
        return False
    return not any(_is_common(reading.text[start:end], policy) for start, end in spans)


def is_foreign(reading: Reading, policy: Policy, *, silent: bool) -> bool:
    """Whether the text may be in another language, though it has words that languages share.

    A short one is only where it is ``silent`` (no rule speaks) and has no word of the language.
    """
    spans = words(reading.text)
    written = [w for start, end in spans if not (w := reading.text[start:end]).isdigit()]
    known = sum(1 for word in written if word in policy.doubt.language_words)
    if len(spans) < policy.doubt.foreign_words:
        return silent and bool(written) and known == 0
    return bool(written) and (known == 0 or known < policy.doubt.foreign_share * len(written))


def _is_common(word: str, policy: Policy) -> bool:
    return word in policy.doubt.common_words or word.isdigit()


def _laughter(reading: Reading, policy: Policy) -> list[Finding]:
    if reading.text.isascii():
        return []
    known = policy.emoji.social | policy.emoji.irony
    return [
        Finding(
            reason=reading.reason("SOCIAL", "emoji", at, at + 1),
            outcome=Outcome.DISCARD,
            weight=0.5,
        )
        for at, character in enumerate(reading.text)
        if character in known
    ][:_MOST_SPANS]


def _finding(reading: Reading, policy: Policy, rule: Rule, match: re.Match[str]) -> Finding:
    code = policy.codes[rule.code]
    return Finding(
        reason=reading.reason(rule.code, rule.id, match.start(), match.end()),
        outcome=code.outcome,
        weight=rule.weight,
        slack=rule.slack,
        segregate=code.segregate,
    )
