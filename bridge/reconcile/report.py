"""What a reconciliation found, in the shape that ``muniment reconcile --json`` prints.

Keys and ids stand in it, never content. What is found is counted; only the first of each kind are
named, so that a report stays small whatever the store holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

EXAMPLES = 10


class Found(StrEnum):
    """What an object, or an event of the source, can turn out to be."""

    RESTORED = "restored"
    LOST = "lost"
    CHANGED = "changed"
    MISSING_MEDIUM = "missing_medium"
    PAST_RETENTION = "past_retention"
    RECEIPT_PENDING = "receipt_pending"
    EARLIER = "earlier"
    AHEAD = "ahead"
    FOREIGN = "foreign"
    UNCHECKED = "unchecked"
    UNEXPLAINED = "unexplained"
    NOT_COMPARED = "not_compared"


SENTENCES: dict[Found, str] = {
    Found.RESTORED: "Was missing in the store and was put again from the journal.",
    Found.LOST: "Is missing in the store, and the journal has no bytes to put again.",
    Found.CHANGED: "Stands in the store with other bytes than were put; nothing was overwritten.",
    Found.MISSING_MEDIUM: "An attachment that a record names is missing, and no copy is left.",
    Found.PAST_RETENTION: "Is missing, and its retention has passed; it was not put again.",
    Found.RECEIPT_PENDING: "Stands in the store; its receipt is on its way into the journal.",
    Found.EARLIER: "Was written by an earlier journal, whose streams are ended or replaced.",
    Found.AHEAD: (
        "The store is ahead of this journal: the journal was lost, or restored from a back-up."
        " Each group that is registered goes on in a new stream."
    ),
    Found.FOREIGN: "Stands under this prefix, and no journal of this tenant wrote it.",
    Found.UNCHECKED: "The store or the journal did not answer for it.",
    Found.UNEXPLAINED: "The source holds it, the journal never had it, and no gap covers its time.",
    Found.NOT_COMPARED: "The source did not give the history of this group.",
}

IN_ORDER = frozenset({Found.PAST_RETENTION, Found.RECEIPT_PENDING, Found.EARLIER})
"""What is said and is no fault."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of finding. ``fault``: it makes the command exit 1."""

    kind: Found
    fault: bool
    count: int
    sentence: str
    examples: list[str]


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """A day of a group: ``upstream`` = ``journalled`` + ``excused`` + ``missing``.

    ``reasons`` counts why each event is not journalled: an excuse, the cause of a gap, or
    ``unexplained``.
    """

    day: str
    upstream: int
    journalled: int
    excused: int
    missing: int
    reasons: dict[str, int]


class GroupReport(msgspec.Struct, frozen=True, kw_only=True):
    """A group compared with its source, newest day first. ``trouble``: why it is incomplete."""

    connector: str
    id: str
    name: str | None
    days: list[DayReport]
    trouble: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``reconcile --json``. ``subject`` is ``store`` or ``source``.

    ``checked`` counts what was looked at; ``trouble`` says why the end was not reached.
    """

    subject: str
    began_at: str
    ended_at: str
    fits: bool
    complete: bool
    trouble: str
    checked: dict[str, int]
    findings: list[Finding]
    groups: list[GroupReport]


class Findings:
    """Counts what is found, and remembers the first of each kind."""

    def __init__(self) -> None:
        self._counts: dict[Found, int] = {}
        self._examples: dict[Found, list[str]] = {}
        self.checked: dict[str, int] = {}

    def add(self, kind: Found, *examples: str, count: int = 1) -> None:
        """``count`` more of a kind; ``examples`` are keys or ids."""
        self._counts[kind] = self._counts.get(kind, 0) + count
        shown = self._examples.setdefault(kind, [])
        shown += [_printable(each) for each in examples[: EXAMPLES - len(shown)]]

    def looked_at(self, what: str, count: int = 1) -> None:
        """``count`` more things of a sort were looked at."""
        self.checked[what] = self.checked.get(what, 0) + count

    def count(self, kind: Found) -> int:
        """How many of a kind there are."""
        return self._counts.get(kind, 0)

    def listed(self, sentences: Mapping[Found, str] | None = None) -> list[Finding]:
        """One line per kind that occurred; ``sentences`` take the place of the usual ones."""
        told = SENTENCES | dict(sentences or {})
        return [
            Finding(
                kind=kind,
                fault=kind not in IN_ORDER,
                count=self._counts[kind],
                sentence=told[kind],
                examples=self._examples.get(kind, []),
            )
            for kind in Found
            if kind in self._counts
        ]


def _printable(text: str) -> str:
    """Keys of others may hold what no terminal and no JSON takes."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain)
