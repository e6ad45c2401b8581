"""Manifest parts and acts: written down with fixed bytes, then put under the next free number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bridge import keys
from bridge.canonical import Leaf, ManifestRow, manifest_bytes
from bridge.errors import MunimentError, ObjectConflictError
from bridge.model import Digest, Outcome
from bridge.protocols import (
    Clock,
    Entry,
    Journal,
    ObjectBody,
    ObjectStore,
    Placement,
    PlacementKind,
)
from bridge.seal import fixed_date

log = structlog.get_logger(__name__)

PART_SECONDS = 60.0
"""At most one manifest part of a group's day in this time, while rows wait."""

ROUND_SECONDS = 1.0
ROWS_AT_ONCE = 2000
PLACED_AT_ONCE = 50
TRIES = 1000
"""Numbers tried one after the other before a document is left for the next round."""


class Scribe:
    """Makes manifest parts of what was sealed, and places parts and acts in the store."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: ObjectStore,
        clock: Clock,
        tenant: str,
        retention_days: int | None,
    ) -> None:
        """``retention_days``: the longest of all classes; None asks no retention."""
        self._journal = journal
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._retention_days = retention_days
        self._last_part: dict[tuple[str, str], float] = {}
        self.health = ""

    async def run(self) -> None:
        """Write and place until cancelled."""
        while True:
            await self.round()
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self, *, flush: bool = False) -> None:
        """One round; ``flush`` writes parts though the last one is fresh."""
        try:
            await self._write_parts(flush=flush)
            free: dict[str, int] = {}
            for placement in await self._journal.placements(limit=PLACED_AT_ONCE):
                # Read at once, all of a series have the same next number. The store cannot tell
                # them apart where the folder changes, at midnight.
                series = _series(placement)
                number = max(placement.number, free.get(series, 0))
                free[series] = await self._place(replace(placement, number=number)) + 1
        except MunimentError as error:
            if self.health != str(error):
                log.warning("not_placing", what=str(error), hint=error.hint)
            self.health = str(error)
        else:
            self.health = ""

    async def _write_parts(self, *, flush: bool) -> None:
        by_day: dict[tuple[str, str], list[Entry]] = {}
        for entry in await self._journal.manifest_due(limit=ROWS_AT_ONCE):
            by_day.setdefault((entry.stream.gid, _day(entry)), []).append(entry)
        now = self._clock.monotonic()
        for place, entries in by_day.items():
            last = self._last_part.get(place)
            if flush or last is None or now - last >= PART_SECONDS:
                await self._write_part(place, entries)
                self._last_part[place] = now
        self._last_part = {
            place: at for place, at in self._last_part.items() if now - at < PART_SECONDS
        }

    async def _write_part(self, place: tuple[str, str], entries: Sequence[Entry]) -> None:
        """Fix one part. Crash before: its rows are still due. Crash after: it waits its place."""
        gid, day = place
        stream = entries[0].stream
        ordered = sorted(entries, key=lambda entry: entry.n)
        rows = [await self._row(entry) for entry in ordered]
        placement = Placement(
            kind=PlacementKind.MANIFEST,
            folder=keys.manifest_folder(gid, day),
            body=manifest_bytes(
                gid=gid, group_id=stream.group_id, group_name=stream.group_name, rows=rows
            ),
            connector=stream.connector,
            group_id=stream.group_id,
            at=self._clock.now(),
        )
        named = [(entry.seq, row.verdict.outcome) for entry, row in zip(ordered, rows, strict=True)]
        await self._journal.queue(placement, rows=named)

    async def _row(self, entry: Entry) -> ManifestRow:
        if entry.verdict is None or entry.record is None or entry.seen_leaf is None:
            raise RuntimeError("only sealed entries stand in a manifest")
        found = [
            await self._journal.find(entry.stream.id, upstream_id)
            for upstream_id in entry.verdict.context
        ]
        kept = entry.verdict.outcome is not Outcome.DISCARD and not entry.verdict.restricted
        return ManifestRow(
            n=entry.n,
            stream=entry.stream.id,
            leaf=entry.seen_leaf,
            digest=entry.record.digest,
            sent_at=entry.event.sent_at,
            verdict=entry.verdict,
            context=tuple(other.n for other in found if other is not None),
            key=entry.record.key if kept else None,
            sender=entry.event.sender,
        )

    async def _place(self, placement: Placement) -> int:
        """Put the document under the next free number, then write its leaf; gives the number.

        Crash between: the same bytes are put again, from the journal's next number on; where
        they stand already the store answers so, and the leaf follows.
        """
        body = ObjectBody.of(placement.body)
        for number in range(placement.number, placement.number + TRIES):
            key = keys.placed_key(placement.folder, number)
            try:
                await self._store.put(key, body, retain_until=self._retain_until(placement))
            except ObjectConflictError:
                continue  # another document has this number; the following one is ours
            leaf = Leaf.placed(
                kind=placement.kind.value,
                at=self._clock.now(),
                key=keys.absolute(self._tenant, key),
                digest=Digest.of(placement.body),
                stream=placement.stream,
                total=placement.total,
            )
            await self._journal.place(placement, number=number, leaf=leaf)
            return number
        log.error("no_free_number", folder=placement.folder)
        return placement.number - 1

    def _retain_until(self, placement: Placement) -> datetime | None:
        if self._retention_days is None:
            return None
        date = placement.at + timedelta(days=self._retention_days)
        return fixed_date(date, now=self._clock.now())


def _day(entry: Entry) -> str:
    filed_at = keys.filed_at(sent_at=entry.event.sent_at, observed_at=entry.event.observed_at)
    return filed_at.strftime("%Y/%m/%d")


def _series(placement: Placement) -> str:
    """Within what numbers are free or taken: the parts of one folder, or all acts."""
    return placement.folder if placement.kind is PlacementKind.MANIFEST else "acts"
