"""From the store to the journal: everything that stands there must be the journal's own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from bridge import keys
from bridge.protocols import Journal, ObjectStore
from bridge.reconcile.lineage import (
    FORMAT,
    ActDocument,
    Lineage,
    ManifestDocument,
    RecordDocument,
    SeenStream,
    decoded,
    moment,
)
from bridge.reconcile.own import own_acts
from bridge.reconcile.pace import Pace
from bridge.reconcile.receipts import Receipts
from bridge.reconcile.report import EXAMPLES, Findings, Found

PAGE = 500
STREAM = re.compile(r"[0-9a-f]{16}")
ACTS = "acts/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a record belongs: its stream, its number and its time."""

    stream: str
    n: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class StrangeAct:
    """An act that this journal does not know."""

    number: int
    key: str
    act: ActDocument


class Bucket:
    """Lists parts of the store; what the journal does not know is read until its stream is known.

    The journal is asked after the listing: it knows a key before the object is put, so that what
    the recorder puts meanwhile is never taken for a stranger's.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        store: ObjectStore,
        pace: Pace,
        findings: Findings,
        blind_key: bytes,
        receipts: Receipts | None = None,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """``receipts``: what the journal has a receipt for, where that was read before."""
        self._journal = journal
        self._store = store
        self._pace = pace
        self._findings = findings
        self._blind_key = blind_key
        self._receipts = receipts
        self._step = step
        self._acts: list[StrangeAct] = []
        self._folder = ""
        self._rows: dict[str, Spot] = {}
        self.lineage = Lineage()

    async def scan(self, prefix: str) -> None:
        """Look at every object below ``prefix``, once."""
        page: list[str] = []
        async for info in self._pace.listing(prefix):
            page.append(info.key)
            if len(page) == PAGE:
                await self._look(page)
                page = []
        await self._look(page)

    async def _look(self, page: Sequence[str]) -> None:
        shaped = {key: found for key in page if (found := FORMAT.fullmatch(key)) is not None}
        known = await self._journal.knows(list(shaped)) if shaped else frozenset()
        for key in page:
            self._findings.looked_at("objects")
            self._step()
            if key not in shaped:
                self._findings.add(Found.FOREIGN, key)
            elif key in known and shaped[key]["medium"] is None:
                self._check_receipt(key)
        strange = {key: found for key, found in shaped.items() if key not in known}
        folders = dict.fromkeys(found["folder"] for found in strange.values() if found["folder"])
        rows: dict[str, Spot] = {}
        for folder in folders:
            rows |= await self._rows_of(folder)
        await self._pace.over(strange.items(), lambda item: self._read(*item, rows))

    def _check_receipt(self, key: str) -> None:
        """What is sealed and put, but without receipt, is settled by the writer's next try."""
        area, _, rest = key.partition("/")
        is_copy = (
            area == keys.REVIEW and self._receipts and f"{keys.RECORDS}/{rest}" in self._receipts
        )
        if self._receipts is not None and key not in self._receipts and not is_copy:
            self._findings.add(Found.RECEIPT_PENDING, key)

    async def _read(self, key: str, found: re.Match[str], rows: dict[str, Spot]) -> None:
        if found["act"] is not None:
            ours = await self._read_act(key, int(found["act"]))
        elif found["manifest"] is not None:
            ours = await self._read_part(key, found["manifest"].partition("/")[0])
        else:
            ours = await self._read_record(key, found, rows)
        if not ours:
            self._findings.add(Found.FOREIGN, key)

    async def _get(self, key: str) -> bytes | None:
        return await self._pace.ask(lambda: self._store.get(key))

    async def _read_act(self, key: str, number: int) -> bool:
        act = decoded(await self._get(key), ActDocument)
        if act is None or act.v != 1:
            return False
        self.lineage.take(act, own=False)
        self._acts.append(StrangeAct(number, key, act))
        return True

    async def _read_part(self, key: str, gid: str) -> bool:
        part = decoded(await self._get(key), ManifestDocument)
        if part is None or part.gid != gid or not _is_whole(part):
            return False
        self._count(self._note_rows(part), key)
        return True

    def _note_rows(self, part: ManifestDocument) -> SeenStream:
        """Learn from a whole part; gives the stream of its last row."""
        for row in part.rows:
            seen = self.lineage.stream(row.s)
            seen.note(row.n, moment(row.sent_at))
            seen.gid, seen.group_id = seen.gid or part.gid, seen.group_id or part.group.id
            seen.platform = seen.platform or _platform(row.key)
        return seen

    async def _read_record(self, key: str, found: re.Match[str], rows: dict[str, Spot]) -> bool:
        """A record by its manifest row, or else by itself; a medium by its record."""
        area, platform, _ = key.split("/", 2)
        rest = f"{platform}/{found['folder']}/{found['stem']}.json"
        spot = rows.get(rest)
        if spot is None:
            spot = await self._read_itself(f"{area}/{rest}", platform, found["gid"])
        if spot is None or spot.n != int(found["n"]):
            return False
        seen = self.lineage.stream(spot.stream)
        seen.note(spot.n, spot.at)
        self._count(seen, key)
        return True

    async def _read_itself(self, key: str, platform: str, gid: str) -> Spot | None:
        record = decoded(await self._get(key), RecordDocument)
        if record is None or record.v != 1 or record.platform != platform:
            return None
        if not STREAM.fullmatch(record.stream):
            return None
        seen = self.lineage.stream(record.stream)
        seen.platform, seen.gid = seen.platform or platform, seen.gid or gid
        seen.group_id = seen.group_id or record.group.id
        if record.capture is not None:
            seen.connector = seen.connector or record.capture.connector
        return Spot(stream=record.stream, n=record.n, at=moment(record.sent_at))

    async def _rows_of(self, folder: str) -> dict[str, Spot]:
        """What the manifest of a group's day says of its records, by keys without area."""
        if folder == self._folder:
            return self._rows
        rows = {
            row.key.partition("/")[2]: Spot(stream=row.s, n=row.n, at=moment(row.sent_at))
            for part in await self._parts(folder)
            for row in part.rows
            if row.key
        }
        self._folder, self._rows = folder, rows  # the listing comes in order: one is enough
        return rows

    async def _parts(self, folder: str) -> list[ManifestDocument]:
        gid = folder.partition("/")[0]
        found = []
        async for info in self._pace.listing(f"{keys.MANIFESTS}/{folder}/"):
            part = decoded(await self._get(info.key), ManifestDocument)
            if part is not None and part.gid == gid and _is_whole(part):
                found.append(part)
        return found

    def _count(self, seen: SeenStream, key: str) -> None:
        seen.objects += 1
        if len(seen.examples) < EXAMPLES:
            seen.examples.append(key)

    async def note_days(self, gid: str, days: Iterable[str]) -> None:
        """Learn numbers and times of streams from the manifests of these days, ours or not."""
        for day in days:
            for part in await self._parts(f"{gid}/{day}"):
                self._note_rows(part)

    async def settle(self) -> tuple[SeenStream, ...]:
        """Say of every stranger what it is; gives the streams in which the store is ahead.

        Of a journal that was restored, these are all that it has open: what its other self gave
        numbers to need not have reached the store.
        """
        strange = [seen for seen in self.lineage.streams.values() if seen.objects]
        if not strange and not self._acts:
            return ()
        highest = await self._read_own_acts()
        ahead = self.lineage.opened_elsewhere()
        for seen in strange:
            kind = self._kind(seen)
            self._findings.add(kind, *seen.examples, count=seen.objects)
            if kind is Found.AHEAD and seen not in ahead:
                ahead.append(seen)
        is_new = highest < 0
        border = highest if ahead or not is_new else math.inf
        after = [each for each in self._acts if each.number > border]
        self._name(Found.AHEAD, after)
        self._name(Found.EARLIER, [each for each in self._acts if each.number <= border])
        if any(seen.own for seen in ahead) or (not is_new and await self._any_ours(after)):
            ahead += [seen for seen in self.lineage.own_open() if seen not in ahead]
        return tuple(ahead)

    def _name(self, kind: Found, acts: Sequence[StrangeAct]) -> None:
        if acts:
            self._findings.add(kind, *(each.key for each in acts[:EXAMPLES]), count=len(acts))

    async def _any_ours(self, acts: Sequence[StrangeAct]) -> bool:
        """Whether this journal's other self wrote one of them, and not another recorder.

        It names a stream of ours, or a group that we blind as it does, or one that we record.
        """
        mine = {(group.platform, group.group_id) for group in await self._journal.groups()}
        return any(self._is_our_act(each.act, mine) for each in acts)

    def _is_our_act(self, act: ActDocument, mine: AbstractSet[tuple[str, str]]) -> bool:
        if act.group is None:
            seen = self.lineage.streams.get(act.stream)
            return seen is not None and seen.own
        group_id = act.group.id
        if act.gid:
            return act.gid == keys.group_gid(self._blind_key, act.platform, group_id)
        return (act.platform, group_id) in mine

    def _kind(self, seen: SeenStream) -> Found:
        if self.lineage.is_over(seen):
            return Found.EARLIER
        ours = self.lineage.is_ours(seen, blind_key=self._blind_key)
        return Found.AHEAD if ours else Found.FOREIGN

    async def _read_own_acts(self) -> int:
        """Learn which streams are this journal's; gives the highest number of an act of its own."""
        own = await own_acts(self._journal)
        for act in own.streams:
            self.lineage.take(act, own=True)
        return own.highest


def _platform(key: str) -> str:
    """The platform in a record's key, if it is one."""
    found = FORMAT.fullmatch(key)
    return key.split("/")[1] if found is not None and found["folder"] else ""


def _is_whole(part: ManifestDocument) -> bool:
    return bool(part.rows) and all(STREAM.fullmatch(row.s) for row in part.rows)
