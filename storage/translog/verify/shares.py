"""The records of a folder, a few files at a time, by as many processes as there are cores.

What the rest of the walk leans on (acts) is judged before; what leans on records (attachments) is
handed on with what was found.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from bridge.protocols.evidence import FileRead, Share, SharedEvidence, StoredVersion
from storage.translog.verify.contents import Contents, WantedMedia
from storage.translog.verify.holdings import Holding
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.names import record_of_media
from storage.translog.verify.objects import (
    FOUND,
    FOUND_IN_RECORDS,
    LARGEST_DOCUMENT,
    Look,
    Loose,
    ObjectWalk,
    Task,
)
from storage.translog.verify.report import Counts, Gathering
from storage.translog.verify.workers import Workers, can_fork

MOST_FILES = 128
MOST_TEXT = 1 << 13
"""Files of one share; letters of the names in one piece of work, more or less."""

BUFFER = 1 << 18
COUNTED = ("objects", "bytes", "records", "media", "acts", "manifests", "anchors")

WORTH_IT = 1000
"""With fewer objects in the log than this, forks cost more than they save."""

_sha256 = hashlib.sha256
Piece = tuple[Share, ...]


@dataclass(slots=True)
class Outcome:
    """What came of a piece.

    ``rows`` are those of the objects that were met, those under ``records/`` apart. ``media`` are
    attachments, to be judged when their record was.
    """

    found: Gathering
    counts: Counts
    rows: array[int] = field(default_factory=lambda: array("I"))
    in_records: array[int] = field(default_factory=lambda: array("I"))
    wanted: dict[str, WantedMedia] = field(default_factory=dict)
    anchors: list[tuple[int, str, bytes]] = field(default_factory=list)
    loose: list[Loose] = field(default_factory=list)
    media: list[tuple[FileRead, Look]] = field(default_factory=list)


class ShareWalk:
    """Walks a store that can be divided."""

    def __init__(
        self,
        evidence: SharedEvidence,
        leaves: Leaves,
        *,
        walk: Callable[[Contents, Gathering, Counts], ObjectWalk],
        contents: Contents,
        found: Gathering,
        counts: Counts,
        place: Callable[[str], bytes],
        step: Callable[[int], None],
        processes: int,
    ) -> None:
        """``walk`` makes a walk that judges one object at a time."""
        self._evidence = evidence
        self._leaves = leaves
        self._new = walk
        self._whole = walk(contents, found, counts)
        self._contents = contents
        self._found = found
        self._counts = counts
        self._place = place
        self._step = step
        self._processes = processes
        self._buffer = bytearray(BUFFER)

    def walk(self, log_keys: frozenset[str] | set[str]) -> ObjectWalk:
        """All of it; gives the walk that knows what is loose."""
        shares = self._evidence.shares(MOST_FILES)
        for is_records, some in groupby(shares, _is_records):
            if is_records:
                self._records(some)
            else:
                listed = (each for share in some for each in self._evidence.listed(share))
                self._whole.walk_some(listed, log_keys)
        return self._whole

    def _records(self, shares: Iterable[Share]) -> None:
        if self._processes < 2 or len(self._leaves.placed) < WORTH_IT or not can_fork():
            for piece in _pieces(shares):
                self._take(self.judge(piece))
            return
        workers = Workers(self.judge, self._processes)
        try:
            for outcome in workers.answers(_pieces(shares)):
                self._take(outcome)
        finally:
            workers.close()

    def judge(self, piece: Piece) -> Outcome:
        """In a fork, or here: read and judge some records."""
        found, counts = Gathering(), Counts()
        contents = self._contents.part(found)
        walk = self._new(contents, found, counts)
        outcome = Outcome(found, counts, wanted=contents.media, anchors=contents.anchors)
        for share in piece:
            if share.is_plain:
                self._files(share, walk, outcome)
            else:
                walk.walk_some(self._evidence.listed(share), frozenset())
        outcome.loose = walk.loose
        return outcome

    def _files(self, share: Share, walk: ObjectWalk, outcome: Outcome) -> None:
        counts, at, place = outcome.counts, self._leaves.placed.at, self._place
        met = outcome.in_records if share.folder.startswith("records/") else outcome.rows
        for file in self._evidence.read_share(share):
            counts.objects += 1
            rows = at(place(file.key))
            met.extend(rows)
            if rows and file.body is not None:
                counts.records += 1
                counts.bytes += file.size
                digest = _sha256(file.body).digest()
                walk.judge_bytes(file.key, rows[0], digest, file.body)
            elif not rows and record_of_media(file.key) is not None:
                look = self._look(file)
                outcome.media.append((file._replace(body=None), look))
            else:
                task = _task(file, rows)
                is_document = rows and file.size <= LARGEST_DOCUMENT
                walk.judge(task, walk.look(task) if is_document else self._look(file))

    def _look(self, file: FileRead) -> Look:
        """Its digest alone."""
        if file.body is not None:
            return Look(_sha256(file.body).digest(), file.size)
        digest, length, view = _sha256(), 0, memoryview(self._buffer)
        with self._evidence.open(_version(file)) as source:
            while count := source.readinto(view):  # type: ignore[attr-defined]
                digest.update(view[:count])
                length += count
        return Look(digest.digest(), length)

    def _take(self, outcome: Outcome) -> None:
        """Put what came of a piece to the rest, in the order of the walk."""
        self._found.take(outcome.found)
        for name in COUNTED:
            setattr(self._counts, name, getattr(self._counts, name) + getattr(outcome.counts, name))
        met = self._leaves.placed.found
        for row in outcome.rows:
            met[row] = FOUND
        for row in outcome.in_records:
            met[row] = FOUND_IN_RECORDS
        self._contents.media.update(outcome.wanted)
        self._contents.anchors += outcome.anchors
        self._whole.loose += outcome.loose
        for file, look in outcome.media:
            self._whole.judge(_task(file, ()), look)
        self._step(outcome.counts.objects)


def _is_records(share: Share) -> bool:
    return share.folder.startswith(("records/", "review/"))


def _pieces(shares: Iterable[Share]) -> Iterator[Piece]:
    """Shares, small ones together."""
    piece: list[Share] = []
    letters = 0
    for share in shares:
        piece.append(share)
        letters += len(share.folder) + sum(map(len, share.names))
        if letters >= MOST_TEXT:
            yield tuple(piece)
            piece, letters = [], 0
    if piece:
        yield tuple(piece)


def _version(file: FileRead) -> StoredVersion:
    at = datetime.fromtimestamp(file.modified_at, UTC)
    return StoredVersion(key=file.key, size=file.size, modified_at=at)


def _task(file: FileRead, rows: tuple[int, ...]) -> Task:
    holding = Holding(key=file.key, versions=(_version(file),), hidden=False, markers=0)
    return Task(holding, rows, read=True)
