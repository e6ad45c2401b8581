"""What ``verify`` says, in the shape that others read (``docs/formats.md``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from storage.translog.verify.codes import LISTED, Code

MOST_OF_A_CODE = 1000
"""So many of one code are named; the rest is counted."""

Verdict = Literal["intact", "tampered", "cannot_tell"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was found, in one sentence that names the object and what is wrong."""

    code: str
    what: str
    key: str | None = None
    leaf: int | None = None
    stream: str | None = None
    n: int | None = None


class Counts(msgspec.Struct, kw_only=True):
    """What was looked at. ``bytes`` are those of objects whose bytes were read."""

    leaves: int = 0
    records: int = 0
    acts: int = 0
    manifests: int = 0
    media: int = 0
    anchors: int = 0
    objects: int = 0
    bytes: int = 0
    streams: int = 0


class CheckpointReport(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint. ``at`` is the time of its newest leaf."""

    size: int
    root: str
    at: str | None = None


class Vouches(msgspec.Struct, kw_only=True):
    """How far the verdict reaches.

    ``size`` and ``time`` (that of the newest leaf): the log as its keeper signed it last.
    ``timestamped_*`` and ``witnessed_*``: as others can testify, with the keys that were given.
    ``known``: the sizes of the known checkpoints that it extends.
    """

    size: int = 0
    time: str | None = None
    timestamped_size: int = 0
    timestamped_at: str | None = None
    witnessed_size: int = 0
    witnessed_by: list[str] = []
    known: list[int] = []


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``verify --json``."""

    verdict: Verdict
    store: str
    origin: str
    checkpoint: CheckpointReport | None
    findings: list[Finding]
    listed: list[Finding]
    counts: Counts
    vouches: Vouches
    version: str


class Gathering:
    """Findings as they come. Of one code only the first are kept, and the rest counted."""

    def __init__(self) -> None:
        self._found: dict[Code, list[Finding]] = {}
        self._more: Counter[Code] = Counter()

    def add(
        self,
        code: Code,
        what: str,
        *,
        key: str | None = None,
        leaf: int | None = None,
        stream: str | None = None,
        n: int | None = None,
    ) -> None:
        """Take down one finding. ``what`` MUST name the object and what is wrong."""
        found = self._found.setdefault(code, [])
        if len(found) >= MOST_OF_A_CODE:
            self._more[code] += 1
            return
        found.append(Finding(code=code.value, what=what, key=key, leaf=leaf, stream=stream, n=n))

    def take(self, other: Gathering) -> None:
        """Take over what another one gathered."""
        for code, found in other._found.items():
            for one in found:
                self.add(code, one.what, key=one.key, leaf=one.leaf, stream=one.stream, n=one.n)
        self._more.update(other._more)

    def has(self, *codes: Code) -> bool:
        """Whether any of these was found."""
        return any(code in self._found for code in codes)

    def findings(self) -> list[Finding]:
        """What makes the archive tampered, in the order of the codes."""
        return self._of(code for code in Code if code not in LISTED)

    def listed(self) -> list[Finding]:
        """What is only told."""
        return self._of(code for code in Code if code in LISTED)

    def _of(self, codes: Iterable[Code]) -> list[Finding]:
        told: list[Finding] = []
        for code in codes:
            told += self._found.get(code, [])
            if self._more[code]:
                what = f"{self._more[code]} more of this kind are not named."
                told.append(Finding(code=code.value, what=what))
        return told
