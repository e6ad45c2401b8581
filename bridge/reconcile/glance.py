"""A bounded look at the store: is it ahead of the journal? Made before anything is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from bridge import keys
from bridge.errors import JournalKeyError
from bridge.protocols import Clock, Journal, KeptObject
from bridge.reconcile.bucket import ACTS, Bucket
from bridge.reconcile.lineage import SeenStream
from bridge.reconcile.pace import Pace

DAY = timedelta(days=1)
NEWEST_DAYS = 3
"""Days of a group that are read for the highest number of a stream."""


class Glance:
    """Looks only at what a lost journal can have written after this one's last agreement.

    That is the time of the newest document that both have: while a journal and its store are in
    order, one is placed within a minute of any event. What was filed under an older day (fetched
    late, or dated back) is found by the whole comparison alone. A journal that never placed a
    document is new to this store: then the acts are read, and the newest days of each group.
    """

    def __init__(
        self, *, journal: Journal, bucket: Bucket, pace: Pace, clock: Clock, blind_key: bytes
    ) -> None:
        self._journal = journal
        self._bucket = bucket
        self._pace = pace
        self._clock = clock
        self._blind_key = blind_key

    async def take(self) -> tuple[SeenStream, ...]:
        """The streams in which the store is ahead."""
        last = await self._last_agreement()
        if last is None:
            await self._scan_as_new()
        else:
            await self._pace.over(await self._prefixes(last), self._bucket.scan)
        ahead = await self._bucket.settle()
        await self.complete(ahead)
        return ahead

    async def complete(self, ahead: Sequence[SeenStream]) -> None:
        """Learn the highest number of those streams in which nothing strange was seen."""
        for gid in {seen.gid for seen in ahead if seen.last_n < 0 and seen.gid}:
            days = [day async for day in self._newest_days(f"{keys.MANIFESTS}/{gid}/")]
            await self._bucket.note_days(gid, days)

    async def _scan_as_new(self) -> None:
        await self._bucket.scan(ACTS)
        for seen in self._bucket.lineage.opened_elsewhere():
            for folder in _folders(seen.platform, seen.gid):
                async for day in self._newest_days(f"{folder}/"):
                    await self._bucket.scan(f"{folder}/{day}/")

    async def _prefixes(self, last: datetime) -> list[str]:
        """A day more at both ends: an act tells of a day, records may be dated a day ahead."""
        now = self._clock.now()
        count = max((now.date() - last.date()).days, 0) + 3
        days = [f"{last + (i - 1) * DAY:%Y/%m/%d}" for i in range(count)]
        groups = await self._journal.groups()
        folders = ["acts"]
        for group in groups:
            gid = keys.group_gid(self._blind_key, group.platform, group.group_id)
            folders += _folders(group.platform, gid)
        return [f"{folder}/{day}/" for folder in dict.fromkeys(folders) for day in days]

    async def _last_agreement(self) -> datetime | None:
        """When the newest placed document was fixed, by halving: only a few rows are read."""
        newest = await self._placed_after(0)
        if newest is None:
            return None
        low, high = newest.seq, 2 * newest.seq
        while (found := await self._placed_after(high)) is not None:
            newest, low, high = found, found.seq, 2 * found.seq
        while low < high:
            middle = (low + high) // 2
            found = await self._placed_after(middle)
            if found is None:
                high = middle
            else:
                newest, low = found, found.seq
        return await self._fixed_at(newest)

    async def _placed_after(self, after: int) -> KeptObject | None:
        found = await self._journal.kept_documents(after=after, limit=1)
        return found[0] if found else None

    async def _fixed_at(self, kept: KeptObject) -> datetime:
        try:
            placement = await self._journal.document(kept.seq)
        except JournalKeyError:  # its day, which is the best that its key tells
            placement = None
        if placement is not None:
            return placement.at
        year, month, day = kept.key.split("/")[-4:-1]
        return datetime(int(year), int(month), int(day), tzinfo=UTC)

    async def _newest_days(self, folder: str) -> AsyncIterator[str]:
        """The last days below ``folder`` under which anything stands, newest first."""
        first = await self._first(folder)
        if first is None:
            return
        left = NEWEST_DAYS
        year = first.removeprefix(folder).partition("/")[0]
        now = self._clock.now()
        oldest = int(year) if year.isdecimal() else now.year
        for tried in range(now.year + 1, oldest - 1, -1):
            async for month in self._standing(folder, f"{tried}", 12):
                async for day in self._standing(folder, month, 31):
                    yield day
                    left -= 1
                    if not left:
                        return

    async def _standing(self, folder: str, above: str, count: int) -> AsyncIterator[str]:
        """Which numbered folders there are below ``above``, the highest first."""
        if await self._first(f"{folder}{above}/") is None:
            return
        for number in range(count, 0, -1):
            path = f"{above}/{number:02d}"
            if await self._first(f"{folder}{path}/") is not None:
                yield path

    async def _first(self, prefix: str) -> str | None:
        async for info in self._pace.listing(prefix):
            return info.key
        return None


def _folders(platform: str, gid: str) -> list[str]:
    """Where a group's manifests and records stand."""
    areas = (keys.RECORDS, keys.REVIEW)
    return [f"{keys.MANIFESTS}/{gid}", *(f"{area}/{platform}/{gid}" for area in areas)]
