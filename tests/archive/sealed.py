"""What events of an archive are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge import keys
from bridge.model import Event, EventKind, Outcome, Reason, RelationType, Verdict

WORDS = ("We", "agreed", "option B", "at noon", "£4,000", "Минск", "lunch?", "\u2028", "🗳")
PEOPLE = ("@t.whitfield:example.org", "@a.osei:example.org", "@m.lindqvist:example.org")
KINDS = (
    EventKind.MESSAGE,
    EventKind.MESSAGE,
    EventKind.MESSAGE,
    EventKind.EDIT,
    EventKind.REDACTION,
    EventKind.REACTION,
    EventKind.UNPARSED,
    EventKind.ROSTER,
)
RELATIONS = {
    EventKind.EDIT: RelationType.EDIT,
    EventKind.REDACTION: RelationType.REDACTION,
    EventKind.REACTION: RelationType.REACTION,
}
POLICY = "uk-nccc@2023.1"


@dataclass(slots=True, kw_only=True)
class Sealed:
    """An event with its record and where it stands."""

    n: int
    leaf: int
    event: Event
    body: bytes = field(repr=False)
    name: keys.RecordName
    verdict: Verdict
    media: dict[str, bytes] = field(default_factory=dict, repr=False)
    stored: bool = False
    decided: bool = False


def sent_at(observed: datetime, draw: float) -> datetime:
    """Mostly just before it was seen; sometimes a time that nobody can believe."""
    if draw < 0.03:
        return datetime(1980, 1, 1, tzinfo=observed.tzinfo)
    return observed - timedelta(milliseconds=int(draw * 2000))


def verdict_of(outcome: Outcome, *, restricted: bool, body: str | None) -> Verdict:
    """An outcome, with a reason that spans the first letter where there is a text."""
    reasons = (Reason(code="DECISION", rule="agreed", start=0, end=1 if body else 0),)
    return Verdict(
        outcome=outcome,
        score=0.75,
        reasons=reasons,
        policy=POLICY,
        model="rules-1",
        restricted=restricted,
    )
