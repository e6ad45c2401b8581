"""Whether the store still keeps things for as long as the leaves say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.canonical import rfc3339
from bridge.protocols.evidence import Evidence, KeptUntil
from storage.translog.verify.codes import Code
from storage.translog.verify.holdings import Holding
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.report import Gathering
from storage.translog.verify.table import NONE

TOLERANCE_MS = 1000
"""Stores keep whole seconds."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(milliseconds: int) -> datetime:
    """A time of a leaf."""
    return EPOCH + timedelta(milliseconds=milliseconds)


class Retentions:
    """Compares what the store shows with ``ret`` of the leaves. ``now_ms`` is when it is asked."""

    def __init__(self, evidence: Evidence, leaves: Leaves, found: Gathering, now_ms: int) -> None:
        self._keeps = evidence.keeps_retentions
        self._leaves = leaves
        self._found = found
        self._now_ms = now_ms
        self._unlocked = 0
        self._first = ""

    def judge(self, holding: Holding, row: int, kept: KeptUntil | None) -> None:
        """The object that the leaf of ``row`` names."""
        if not self._keeps or holding.hidden:
            return
        placed = self._leaves.placed
        if placed.kind_of(row) == "stored":
            self._compare(holding.key, placed.until[row], placed.leaf[row], kept)
        else:
            self.judge_unstated(holding.key, kept)

    def judge_media(self, holding: Holding, row: int, kept: KeptUntil | None) -> None:
        """An attachment: it is kept as long as the record of ``row`` that names it."""
        if self._keeps and not holding.hidden:
            placed = self._leaves.placed
            self._compare(holding.key, placed.until[row], placed.leaf[row], kept)

    def judge_unstated(self, key: str, kept: KeptUntil | None) -> None:
        """An object whose retention stands in no leaf: that it has any is all one can ask."""
        if kept is None:
            self._unlocked += 1
            self._first = self._first or key

    def _compare(self, key: str, until: int, leaf: int, kept: KeptUntil | None) -> None:
        if until == NONE or until <= self._now_ms:
            return
        stated = rfc3339(moment(until))
        if kept is None:
            what = f"The store does not keep {key}, which leaf {leaf} says is kept until {stated}."
            self._found.add(Code.RETENTION_MISSING, what, key=key, leaf=leaf)
        elif (kept.until - EPOCH) / timedelta(milliseconds=1) < until - TOLERANCE_MS:
            what = (
                f"The store keeps {key} until {rfc3339(kept.until)};"
                f" leaf {leaf} says until {stated}."
            )
            self._found.add(Code.RETENTION_SHORTENED, what, key=key, leaf=leaf)

    def conclude(self) -> None:
        """What concerns the store as a whole."""
        stated = sum(until != NONE for until in self._leaves.placed.until)
        if not stated:
            return
        if not self._keeps:
            what = f"The store enforces none of the {stated} retentions that stand in the leaves."
            self._found.add(Code.RETENTION_NOT_ENFORCED, what)
        elif self._unlocked:
            what = f"{self._unlocked} acts, manifest parts or tiles have no lock."
            self._found.add(Code.NOT_LOCKED, what, key=self._first)
