"""How far a reconciliation is, for whoever asked for it: ``reconcile.json`` beside the journal.

It is written whole or not at all, for its owner alone, since keys and ids of groups stand in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from bridge.reconcile.report import Report

FILE = "reconcile.json"


@dataclass(slots=True)
class Advance:
    """What is being done, and how much of it is done. ``total``: None where nobody knows."""

    phase: str = ""
    done: int = 0
    total: int | None = None

    def begin(self, phase: str, total: int | None = None) -> None:
        """The next phase."""
        self.phase, self.done, self.total = phase, 0, total

    def step(self) -> None:
        """One more."""
        self.done += 1


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The same for another process. ``number`` is that of the request; ``at`` is RFC 3339."""

    number: int
    at: str
    phase: str = ""
    done: int = 0
    total: int | None = None
    finished: bool = False
    report: Report | None = None


def write_progress(file: Path, progress: Progress) -> None:
    """Replace the file.

    Raises:
        OSError: it cannot be written.
    """
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.encode(progress))
    fresh.replace(file)


def read_progress(file: Path) -> Progress | None:
    """What was written last, or None."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Progress)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
