"""How far a request is, and what became of it, for whoever asked: ``request.json``.

It stands beside the journal. It is written whole or not at all, for its owner alone, since keys
of objects, ids of groups and paths stand in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from bridge.reconcile.report import Report
from bridge.whole_file import replace_whole

FILE = "request.json"


@dataclass(slots=True)
class Advance:
    """What is being done, and how much of it is done. ``total``: None where nobody knows.

    ``resting``: it waits, since the recorder has too much to do, and goes on by itself.
    """

    phase: str = ""
    done: int = 0
    total: int | None = None
    resting: bool = False

    def begin(self, phase: str, total: int | None = None) -> None:
        """The next phase."""
        self.phase, self.done, self.total = phase, 0, total

    def step(self) -> None:
        """One more."""
        self.done += 1


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request, in a sentence; where it is not ``done``, with the remedy."""

    done: bool
    sentence: str
    hint: str = ""


Outcome: TypeAlias = Report | Answer
"""Comparisons end with a report, everything else with an answer."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The same for another process. ``number`` is that of the request; ``at`` is RFC 3339.

    ``earlier``: how the requests before it ended, since somebody may not have read that yet.
    """

    number: int
    at: str
    phase: str = ""
    done: int = 0
    total: int | None = None
    resting: bool = False
    finished: bool = False
    report: Report | None = None
    answer: Answer | None = None
    earlier: tuple[Progress, ...] = ()

    def of(self, number: int, *, since: str) -> Progress | None:
        """What stands here of one request, asked ``since`` then; None where nothing does.

        A file of before the question is of another office, whose numbers began anew.
        """
        for each in (self, *self.earlier):
            if each.number == number and each.at >= since:
                return each
        return None


def write_progress(file: Path, progress: Progress) -> None:
    """Replace the file.

    Raises:
        OSError: it cannot be written.
    """
    replace_whole(file, msgspec.json.encode(progress), durable=False)


def read_progress(file: Path) -> Progress | None:
    """What was written last, or None."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Progress)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
