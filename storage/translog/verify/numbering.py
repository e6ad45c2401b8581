"""Completeness: no number of a stream is missing or used twice, and totals are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from storage.translog.verify.codes import Code
from storage.translog.verify.leaves import Leaves, StreamLeaves
from storage.translog.verify.report import Gathering
from storage.translog.verify.table import DISCARD, NONE, RESTRICTED

OPEN_MS = 10 * 60 * 1000
"""So much older than the newest leaf the first leaf above a number is, and it is missing."""

UNSTORED_MS = 24 * 3600 * 1000
"""So much older than the newest leaf a seen leaf without a stored one is, and it is a finding."""


class Numbering:
    """Judges the numbers of every stream. ``superseded``: streams whose journal was lost."""

    def __init__(self, leaves: Leaves, found: Gathering, superseded: frozenset[str]) -> None:
        self._leaves = leaves
        self._found = found
        self._superseded = superseded
        self._newest = leaves.table.newest

    def judge(self) -> None:
        """Every stream, then what was never stored."""
        for stream in self._leaves.streams:
            self._opening(stream)
            self._numbers(stream)
        self._unstored()

    def _age(self, leaf: int) -> int:
        return self._newest - self._leaves.table.times[leaf]

    def _opening(self, stream: StreamLeaves) -> None:
        if stream.opened or not stream.leaves:
            return
        first = min(stream.leaves)
        late = self._age(first) > UNSTORED_MS
        code = Code.STREAM_UNOPENED if late else Code.STREAM_OPENING
        what = f"Stream {stream.id} has events from leaf {first} on, and no open leaf."
        self._found.add(code, what, stream=stream.id, leaf=first)

    def _numbers(self, stream: StreamLeaves) -> None:
        order = sorted(range(len(stream.ns)), key=stream.ns.__getitem__)
        totals = {total for _, total in stream.closed}
        if len(totals) > 1:
            what = f"Stream {stream.id} is closed with the totals {sorted(totals)}."
            self._found.add(Code.TOTAL_MISMATCH, what, stream=stream.id)
        above = _lowest_from(order, stream)
        expected = 0
        for at, row in enumerate(order):
            n = stream.ns[row]
            if n < expected:
                self._repeated(stream, row, n)
                continue
            if n > expected:
                self._hole(stream, expected, n - 1, above(at))
            expected = n + 1
        for leaf, total in stream.closed[:1]:
            if expected > total:
                what = f"Stream {stream.id} is closed with {total} events and has {expected}."
                self._found.add(Code.TOTAL_MISMATCH, what, stream=stream.id, leaf=leaf)
            elif expected < total:
                self._hole(stream, expected, total - 1, leaf)

    def _repeated(self, stream: StreamLeaves, row: int, n: int) -> None:
        excused = stream.id in self._superseded
        code = Code.NUMBER_REPEATED_EXCUSED if excused else Code.NUMBER_REPEATED
        what = f"Leaf {stream.leaves[row]} has number {n} of stream {stream.id} again."
        self._found.add(code, what, stream=stream.id, n=n, leaf=stream.leaves[row])

    def _hole(self, stream: StreamLeaves, first: int, last: int, leaf: int) -> None:
        """Numbers without a leaf, ``leaf`` being the first one above them."""
        numbers = f"number {first}" if first == last else f"numbers {first} to {last}"
        if self._age(leaf) < OPEN_MS:
            what = f"Stream {stream.id} has no leaf for {numbers} yet."
            self._found.add(Code.NUMBER_OPEN, what, stream=stream.id, n=first)
        else:
            what = f"Stream {stream.id} has no leaf for {numbers}."
            self._found.add(Code.NUMBER_MISSING, what, stream=stream.id, n=first, leaf=leaf)

    def _unstored(self) -> None:
        seen = self._leaves.seen
        for row in _without_stored(self._leaves):
            stream = self._leaves.streams[seen.stream[row]]
            leaf, n = seen.leaf[row], seen.n[row]
            explained = self._explained(row)
            if explained or self._age(seen.since[row]) <= UNSTORED_MS:
                why = "the log says why" if explained else "it may still come"
                what = f"Number {n} of stream {stream.id} is to be kept and not stored: {why}."
                self._found.add(Code.UNSTORED, what, stream=stream.id, n=n, leaf=leaf)
            else:
                what = f"Number {n} of stream {stream.id} was to be kept and was never stored."
                self._found.add(Code.NEVER_STORED, what, stream=stream.id, n=n, leaf=leaf)

    def _explained(self, row: int) -> bool:
        seen, gaps = self._leaves.seen, self._leaves.gaps
        stream, n = seen.stream[row], seen.n[row]
        return (
            bool(seen.flags[row] & RESTRICTED)
            or (stream, n) in gaps
            or (stream, n - 1) in gaps
            or self._leaves.streams[stream].id in self._superseded
        )


def _without_stored(leaves: Leaves) -> Iterator[int]:
    """Rows of what is to be kept and has no stored leaf; restricted ones are not to be stored."""
    seen = leaves.seen
    for row, (stored, outcome) in enumerate(zip(seen.stored, seen.outcome, strict=True)):
        if stored == NONE and outcome != DISCARD:
            yield row


def _lowest_from(order: list[int], stream: StreamLeaves) -> Callable[[int], int]:
    """The lowest leaf index from a place of ``order`` on; worked out when it is first asked."""
    lowest: list[int] = []

    def from_(at: int) -> int:
        if not lowest:
            low = 2**63
            for row in reversed(order):
                low = min(low, stream.leaves[row])
                lowest.append(low)
            lowest.reverse()
        return lowest[at]

    return from_
