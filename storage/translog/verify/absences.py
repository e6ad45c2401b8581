"""What is named and not there, and what is there and not named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from storage.translog.verify.codes import Code
from storage.translog.verify.contents import Contents
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.names import record_of_media, twin
from storage.translog.verify.objects import FOUND_IN_RECORDS, Loose
from storage.translog.verify.report import Gathering
from storage.translog.verify.table import DISCARD, NONE

WINDOW = timedelta(minutes=10)
"""An object without a leaf may be so much older than the checkpoint."""


class Absences:
    """Judges absences once everything was seen. ``place`` gives ``p`` of a key."""

    def __init__(
        self,
        leaves: Leaves,
        contents: Contents,
        found: Gathering,
        *,
        place: Callable[[str], bytes],
        now_ms: int,
    ) -> None:
        self._leaves = leaves
        self._contents = contents
        self._found = found
        self._place = place
        self._now_ms = now_ms

    def judge_missing(self, hidden: dict[int, str]) -> None:
        """Objects that leaves name; ``hidden`` are those behind a delete marker."""
        placed = self._leaves.placed
        for row, found in enumerate(placed.found):
            if not found:
                self._missing(row, hidden.get(row))

    def _missing(self, row: int, hidden: str | None) -> None:
        placed, seen = self._leaves.placed, self._leaves.seen
        leaf, kind, of = placed.leaf[row], placed.kind_of(row), placed.seen[row]
        stream = n = None
        name = f"The object of leaf {leaf} ({kind})"
        if of != NONE:
            stream, n = self._leaves.streams[seen.stream[of]].id, seen.n[of]
            name = f"The object of leaf {leaf} ({kind}, number {n} of stream {stream})"
        if self.in_order(row):
            code, what = Code.ABSENT_IN_ORDER, f"{name} is gone, as the log allows."
        elif hidden is not None:
            code, what = Code.HIDDEN, f"{hidden} is hidden by a delete marker."
        else:
            code, what = Code.OBJECT_MISSING, f"{name} is not in the store."
        self._found.add(code, what, key=hidden, leaf=leaf, stream=stream, n=n)

    def in_order(self, row: int) -> bool:
        """Whether the log allows that the object of this row is not there."""
        placed, seen = self._leaves.placed, self._leaves.seen
        leaf = placed.leaf[row]
        if any(first <= leaf <= last for first, last in self._contents.disposed):
            return True
        until, of = placed.until[row], placed.seen[row]
        if placed.kind_of(row) != "stored" or NONE in (of, until) or until > self._now_ms:
            return False
        return seen.outcome[of] == DISCARD or self._has_record(of)

    def _has_record(self, seen: int) -> bool:
        """Whether a copy of what was seen stands under ``records/``."""
        placed = self._leaves.placed
        row = self._leaves.seen.stored[seen]
        while row != NONE:
            if placed.found[row] == FOUND_IN_RECORDS:
                return True
            row = placed.before[row]
        return False

    def judge_media(self) -> None:
        """Attachments that records name and that were not met."""
        placed = self._leaves.placed
        for key, wanted in self._contents.media.items():
            leaf = placed.leaf[wanted.row]
            if self.in_order(wanted.row):
                what = f"{key} is gone, as the log allows for its record."
                self._found.add(Code.ABSENT_IN_ORDER, what, key=key, leaf=leaf)
            else:
                what = f"{key}, which the record of leaf {leaf} names, is not in the store."
                self._found.add(Code.MEDIA_MISSING, what, key=key, leaf=leaf)

    def judge_loose(self, loose: Sequence[Loose], checkpoint_at: datetime) -> None:
        """Objects that nothing names."""
        copies = self._named_digests({one.digest for one in loose})
        for one in sorted(loose, key=lambda each: each.key):
            key = one.key
            original = copies.get(one.digest)
            if original is not None and not self._is_copy_of_review(one):
                what = f"{key} is named by no leaf and has the bytes that leaf {original} names."
                self._found.add(Code.EXTRA_COPY, what, key=key, leaf=original)
            elif self._is_left(key):
                what = f"{key} still stands; its record is gone in order."
                self._found.add(Code.MEDIA_LEFT, what, key=key)
            elif one.modified_at < checkpoint_at - WINDOW:
                what = f"{key} is named by no leaf and is older than the checkpoint."
                self._found.add(Code.EXTRA, what, key=key)
            else:
                what = f"{key} is newer than the checkpoint and named by no leaf yet."
                self._found.add(Code.UNLOGGED, what, key=key)

    def _named_digests(self, digests: set[bytes]) -> dict[bytes, int]:
        """Which of these stand in a leaf, and in which."""
        placed = self._leaves.placed
        if not digests:
            return {}
        rows = range(len(placed))
        return {
            digest: placed.leaf[row]
            for row in reversed(rows)
            if (digest := placed.digest_of(row)) in digests
        }

    def _is_copy_of_review(self, one: Loose) -> bool:
        """Whether it is the copy under ``records/`` of what stands under ``review/``."""
        other = twin(one.key)
        if other is None or not one.key.startswith("records/"):
            return False
        rows = self._leaves.placed.at(self._place(other))
        return any(self._leaves.placed.digest_of(row) == one.digest for row in rows)

    def _is_left(self, key: str) -> bool:
        record = record_of_media(key)
        if record is None:
            return False
        rows = self._leaves.placed.at(self._place(record))
        return any(not self._leaves.placed.found[row] and self.in_order(row) for row in rows)
