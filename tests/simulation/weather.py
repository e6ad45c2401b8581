"""Which faults are on, at a moment of virtual time or over a stretch of it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.plan import MOMENTARY, Fault, FaultKind

HARMLESS = frozenset({FaultKind.REPLAY, FaultKind.SPOOL})
"""What stands in no message's way to the store."""


class Weather:
    """The faults of a plan, and those that came of themselves."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = {
            kind: [fault for fault in faults if fault.kind is kind] for kind in FaultKind
        }
        self._storms = [
            (fault.at, fault.end) for fault in faults if fault.kind not in HARMLESS | MOMENTARY
        ]

    def on(self, kind: FaultKind, at: float) -> float | None:
        """When a fault of this kind that is on will end; None where none is on."""
        faults = self._faults[kind]
        if not faults:
            return None
        return max((fault.end for fault in faults if fault.at <= at < fault.end), default=None)

    def begins(self, kind: FaultKind, at: float, seconds: float) -> bool:
        """Whether a fault of this kind is on, or begins within so many seconds."""
        return any(f.at <= at + seconds and at < f.end for f in self._faults[kind])

    def storm(self, begin: float, end: float) -> None:
        """For this time, too, nobody could expect anything."""
        self._storms.append((begin, end))

    def longest_calm(self, begin: float, end: float) -> float:
        """The longest stretch without any fault between two moments."""
        longest, at = 0.0, begin
        for start, stop in sorted(self._storms):
            if start >= end:
                break
            longest = max(longest, start - at)
            at = max(at, stop)
        return max(longest, end - at)
