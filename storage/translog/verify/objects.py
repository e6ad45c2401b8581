"""Every object: which leaf names it, whether its bytes are those, and what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from bridge.protocols.evidence import Evidence, KeptUntil, StoredVersion
from storage.translog.verify.codes import Code
from storage.translog.verify.contents import Contents
from storage.translog.verify.holdings import Holding, holdings
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.names import record_of_media
from storage.translog.verify.pieces import judge_versions
from storage.translog.verify.reading import body_of, digest_of, in_order
from storage.translog.verify.report import Counts, Gathering
from storage.translog.verify.retentions import Retentions

BATCH = 32
"""Objects read in one go by one thread, if they are small."""

BATCH_BYTES = 4 << 20
LARGEST_DOCUMENT = 256 << 20
ALWAYS_READ = frozenset({"open", "close", "dispose"})
"""Acts without which others cannot be judged, however old they are."""

FOUND, FOUND_IN_RECORDS = 1, 2
_COUNTED = {
    "acts": "acts",
    "anchors": "anchors",
    "manifests": "manifests",
    "records": "records",
    "review": "records",
}


@dataclass(frozen=True, slots=True)
class Task:
    """An object to look at; ``rows`` are those of the leaves that name it."""

    holding: Holding
    rows: tuple[int, ...]
    read: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of it. Without a digest it was not read."""

    digest: bytes = b""
    length: int = 0
    body: bytes = field(default=b"", repr=False)
    kept: KeptUntil | None = None


@dataclass(frozen=True, slots=True)
class Loose:
    """An object that no leaf and no record names."""

    key: str
    digest: bytes
    modified_at: datetime


class ObjectWalk:
    """Walks everything but the log itself."""

    def __init__(
        self,
        evidence: Evidence,
        pool: ThreadPoolExecutor | None,
        leaves: Leaves,
        *,
        contents: Contents,
        retentions: Retentions,
        place: Callable[[str], bytes],
        since_ms: int | None,
        found: Gathering,
        counts: Counts,
        step: Callable[[int], None],
    ) -> None:
        self._evidence = evidence
        self._pool = pool
        self._leaves = leaves
        self._contents = contents
        self._retentions = retentions
        self._place = place
        self._since_ms = since_ms
        self._found = found
        self._counts = counts
        self._step = step
        self.loose: list[Loose] = []
        self.hidden: dict[int, str] = {}

    def walk(self, log_keys: frozenset[str] | set[str]) -> None:
        """All of it; ``log_keys`` are the tiles, bundles and checkpoint, judged already."""
        self.walk_some(self._evidence.walk(), log_keys)

    def walk_some(
        self, found: Iterable[StoredVersion], log_keys: frozenset[str] | set[str]
    ) -> None:
        """What a part of the walk gave."""
        batches = _batches(self._tasks(found, log_keys))
        for batch in in_order(self._pool, self._look_at, batches, window=64):
            for task, look in batch:
                self.judge(task, look)
            self._step(len(batch))

    def _tasks(
        self, found: Iterable[StoredVersion], log_keys: frozenset[str] | set[str]
    ) -> Iterator[Task]:
        for holding in holdings(found):
            self._counts.objects += bool(holding.versions)
            if holding.key in log_keys or not holding.versions:
                continue
            if not holding.is_plain:
                what = f"{holding.key} is no plain file, or its name is not UTF-8."
                self._found.add(Code.EXTRA, what, key=holding.key)
                continue
            rows = self._leaves.placed.at(self._place(holding.key))
            yield Task(holding, rows, self._is_read(holding, rows))

    def _is_read(self, holding: Holding, rows: tuple[int, ...]) -> bool:
        """Whether its bytes are looked at: with ``--since`` only what is as new as that."""
        if self._since_ms is None:
            return True
        if not rows and (record := record_of_media(holding.key)) is not None:
            rows = self._leaves.placed.at(self._place(record))
        placed, times = self._leaves.placed, self._leaves.table.times
        return not rows or any(
            times[placed.leaf[row]] >= self._since_ms or placed.kind_of(row) in ALWAYS_READ
            for row in rows
        )

    def _look_at(self, batch: list[Task]) -> list[tuple[Task, Look]]:
        return [(task, self.look(task)) for task in batch]

    def look(self, task: Task) -> Look:
        """In a thread: bytes, digest, retention."""
        record = task.holding.record
        digest, length, body = b"", 0, b""
        if task.read and task.rows and record.size <= LARGEST_DOCUMENT:
            body = body_of(self._evidence, record)
            digest, length = hashlib.sha256(body).digest(), len(body)
        elif task.read:
            digest, length = digest_of(self._evidence, record)
        keeps = self._evidence.keeps_retentions
        return Look(digest, length, body, self._evidence.retention(record) if keeps else None)

    def judge(self, task: Task, look: Look) -> None:
        """One object, as it was seen."""
        holding = task.holding
        area = holding.key.partition("/")[0]
        is_media = not task.rows and record_of_media(holding.key) is not None
        name = "media" if is_media else _COUNTED.get(area)
        if name is not None:
            setattr(self._counts, name, getattr(self._counts, name) + 1)
        self._counts.bytes += look.length
        if len(holding.versions) > 1 or holding.markers:
            judge_versions(self._evidence, holding, self._found, must_stand=False)
        if task.rows:
            self._judge_named(task, look, area)
        elif is_media and not holding.hidden:
            self._judge_media(task, look)
        elif not holding.hidden:
            self._loose(task, look)

    def _judge_named(self, task: Task, look: Look, area: str) -> None:
        holding, placed = task.holding, self._leaves.placed
        key, row = holding.key, task.rows[0]
        for each in task.rows:
            if holding.hidden:
                self.hidden[each] = key
            else:
                placed.found[each] = FOUND_IN_RECORDS if area == "records" else FOUND
        self._retentions.judge(holding, row, look.kept)
        if not task.read:
            return
        self.judge_bytes(key, row, look.digest, look.body)

    def judge_bytes(self, key: str, row: int, digest: bytes, body: bytes) -> None:
        """The bytes of an object that the leaf of ``row`` names."""
        placed = self._leaves.placed
        if digest != placed.digest_of(row):
            what = f"The bytes of {key} are not those whose digest stands in leaf"
            what += f" {placed.leaf[row]}."
            self._found.add(Code.OBJECT_MISMATCH, what, key=key, leaf=placed.leaf[row])
            return
        self._contents.judge(key, row, body)

    def _judge_media(self, task: Task, look: Look) -> None:
        key = task.holding.key
        wanted = self._contents.media.pop(key, None)
        if wanted is not None:
            self._retentions.judge_media(task.holding, wanted.row, look.kept)
            if look.digest != wanted.digest or wanted.size not in {None, look.length}:
                what = f"The bytes of {key} are not those that its record names."
                self._found.add(Code.MEDIA_MISMATCH, what, key=key)
        elif task.read:
            self._loose(task, look)

    def _loose(self, task: Task, look: Look) -> None:
        at = task.holding.record.modified_at
        self.loose.append(Loose(task.holding.key, look.digest, at))


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    batch: list[Task] = []
    total = 0
    for task in tasks:
        batch.append(task)
        total += task.holding.record.size
        if len(batch) >= BATCH or total >= BATCH_BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
