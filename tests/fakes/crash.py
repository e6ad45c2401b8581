"""A process that dies at a chosen point: before or after an effect, at its first or later time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from bridge.canonical import Leaf
from bridge.model import (
    Batch,
    Group,
    NoticeState,
    ObjectReceipt,
    Outcome,
    SpooledFile,
    Verdict,
)
from bridge.protocols import (
    Appended,
    Clock,
    DownloadOrder,
    ObjectBody,
    Placement,
    Sealing,
    StoredProof,
)
from storage.journal import SqliteJournal
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.spool import MemorySpool


class Crash:
    """Cancels whoever reaches ``point`` for the ``nth`` time, once. ``reached`` counts all."""

    def __init__(self, point: str = "", nth: int = 1) -> None:
        self.point = point
        self.nth = nth
        self.happened = False
        self.reached: Counter[str] = Counter()

    def at(self, point: str) -> None:
        """The process is here."""
        self.reached[point] += 1
        if not self.happened and point == self.point and self.reached[point] == self.nth:
            self.happened = True
            raise asyncio.CancelledError(point)


class CrashingJournal(SqliteJournal):
    """The journal of a process that dies around one of its commits."""

    crash = Crash()

    async def append(self, batch: Batch) -> Appended:
        """Step 2."""
        self.crash.at("before append")
        appended = await super().append(batch)
        self.crash.at("after append")
        return appended

    async def judge(self, verdicts: Sequence[tuple[int, Verdict]]) -> None:
        """Step 4."""
        self.crash.at("before judge")
        await super().judge(verdicts)
        self.crash.at("after judge")

    async def seal(self, sealings: Sequence[Sealing]) -> None:
        """Step 5."""
        self.crash.at("before seal")
        await super().seal(sealings)
        self.crash.at("after seal")

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Step 5, for what a later message leans on."""
        self.crash.at("before promote")
        done = await super().promote(seq, verdict, key=key, safe_by=safe_by, leaf=leaf)
        self.crash.at("after promote")
        return done

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Step 6, the receipt."""
        self.crash.at("before store")
        await super().store(proofs)
        self.crash.at("after store")

    async def downloaded(self, order: DownloadOrder, file: SpooledFile, *, at: datetime) -> bool:
        """A medium is in the spool."""
        self.crash.at("before downloaded")
        wanted = await super().downloaded(order, file, at=at)
        self.crash.at("after downloaded")
        return wanted

    async def media_stored(self, seq: int) -> tuple[str, ...]:
        """Step 6, after the receipt."""
        self.crash.at("before media_stored")
        names = await super().media_stored(seq)
        self.crash.at("after media_stored")
        return names

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """A manifest part is fixed."""
        self.crash.at("before queue")
        await super().queue(placement, rows=rows)
        self.crash.at("after queue")

    async def place(self, placement: Placement, *, number: int, leaf: Leaf) -> None:
        """A document has its number."""
        self.crash.at("before place")
        await super().place(placement, number=number, leaf=leaf)
        self.crash.at("after place")

    async def settle_notice(
        self, group: Group, *, notice: NoticeState, note: str, act: Placement
    ) -> None:
        """The group was told, or could not be."""
        self.crash.at("before settle_notice")
        await super().settle_notice(group, notice=notice, note=note, act=act)
        self.crash.at("after settle_notice")

    async def forget(self, *, discarded_before: datetime, limit: int) -> tuple[str, ...]:
        """Step 9."""
        self.crash.at("before forget")
        names = await super().forget(discarded_before=discarded_before, limit=limit)
        self.crash.at("after forget")
        return names


class CrashingStore(FakeObjectStore):
    """The store as a process sees it that dies around one of its puts."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.crash = Crash()

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Points are named after what is put: media, records, review, manifests or acts."""
        what = "media" if "/media/" in key else key.partition("/")[0]
        self.crash.at(f"before put {what}")
        receipt = await super().put(key, body, retain_until=retain_until, content_type=content_type)
        self.crash.at(f"after put {what}")
        return receipt


class CrashingSpool(MemorySpool):
    """The spool of a process that dies around a removal."""

    def __init__(self) -> None:
        super().__init__()
        self.crash = Crash()

    async def remove(self, names: frozenset[str]) -> None:
        """Files that are no longer needed."""
        self.crash.at("before remove")
        await super().remove(names)
        self.crash.at("after remove")
