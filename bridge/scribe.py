"""Manifest parts and acts: fixed bytes, then a number of their own, then a place in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

import structlog

from bridge import keys
from bridge.canonical import Leaf, ManifestRow, manifest_bytes
from bridge.errors import (
    JournalError,
    JournalKeyError,
    MunimentError,
    ObjectConflictError,
    ObjectStoreError,
)
from bridge.model import Digest, Outcome
from bridge.protocols import (
    Clock,
    Entry,
    Journal,
    ManifestPlace,
    ObjectBody,
    ObjectStore,
    Placement,
    PlacementKind,
)
from bridge.seal import fixed_date

log = structlog.get_logger(__name__)

PART_SECONDS = 60.0
"""Manifest parts of a group's day are written at most once in this time, while rows wait."""

ROUND_SECONDS = 1.0
ROWS_AT_ONCE = 2000
"""Rows in one part."""

PARTS_AT_ONCE = 25
"""Parts of one place in a round that is not a flush: acts must not wait for a busy group."""

PLACED_AT_ONCE = 50
TRIES = 1000
"""Numbers tried one after the other before a document is left for the next round."""

FAILURES = 3
"""Puts that fail one after the other before a round takes the store to be down."""

REMEMBERED = 200
"""Documents that come behind the others because they failed; their bodies are read each round."""


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
        self._last_part: dict[ManifestPlace, float] = {}
        self._failed: set[int] = set()
        self._trouble: MunimentError | None = None
        self.health = ""

    async def run(self) -> None:
        """Write and place until cancelled."""
        while True:
            await self.round()
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self, *, flush: bool = False) -> None:
        """One round; ``flush`` writes parts though the last ones are fresh, and places all."""
        self._trouble = None
        try:
            await self._write_parts(flush=flush)
            await self._place_waiting(everything=flush)
        except MunimentError as error:
            self._trouble = error
        health = str(self._trouble) if self._trouble else ""
        if self._trouble is not None and self.health != health:
            log.warning("not_placing", what=health, hint=self._trouble.hint)
        self.health = health

    async def _write_parts(self, *, flush: bool) -> None:
        """Drain each place whose time is over, one part of each after the other.

        Only then is a row opened; until then a place costs one look at the index.
        """
        now = self._clock.monotonic()
        self._last_part = {
            place: at for place, at in self._last_part.items() if now - at < PART_SECONDS
        }
        places = await self._journal.manifest_places()
        due = [place for place in places if flush or place not in self._last_part]
        self._last_part |= dict.fromkeys(due, now)
        for i in count():
            due = [place for place in due if await self._write_some(place)]
            if not due or (i + 1 >= PARTS_AT_ONCE and not flush):
                break
        for place in due:  # more than a round's share: it goes on in the next one
            self._last_part.pop(place, None)

    async def _write_some(self, place: ManifestPlace) -> bool:
        """Fix the next rows of a place. False: no more wait, or none can be read now."""
        try:
            entries = await self._journal.manifest_due(place, limit=ROWS_AT_ONCE)
            by_connector: dict[str, list[Entry]] = {}
            for entry in entries:
                by_connector.setdefault(entry.stream.connector, []).append(entry)
            for found in by_connector.values():
                await self._write_part(place, found)
        except JournalError as error:
            self._trouble = error
            self._last_part.pop(place, None)
            return False
        return len(entries) == ROWS_AT_ONCE

    async def _write_part(self, place: ManifestPlace, entries: Sequence[Entry]) -> None:
        """Fix one part. Crash before: its rows are still due. Crash after: it waits its place."""
        stream = entries[0].stream
        ordered = sorted(entries, key=lambda entry: entry.n)
        rows = [await self._row(entry) for entry in ordered]
        placement = Placement(
            kind=PlacementKind.MANIFEST,
            folder=keys.manifest_folder(place.gid, place.day),
            body=manifest_bytes(
                gid=place.gid, group_id=stream.group_id, group_name=stream.group_name, rows=rows
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
        context = [
            await self._number_of(entry.stream.id, upstream_id)
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
            context=tuple(n for n in context if n is not None),
            key=entry.record.key if kept else None,
            sender=entry.event.sender,
        )

    async def _number_of(self, stream: str, upstream_id: str) -> int | None:
        try:
            found = await self._journal.find_open(stream, upstream_id)
        except JournalKeyError:  # what does not open must not keep the others out
            return None
        return None if found is None else found.n

    async def _place_waiting(self, *, everything: bool) -> None:
        """Place what waits: a document that failed comes behind those that have not been tried.

        The newest row of an entry holds, so of one folder's parts none goes before an earlier one:
        that would be given a higher number if its own were taken. Several failures of the store in
        a row end the round; a number that is not free does not.
        """
        if len(self._failed) > REMEMBERED:
            self._failed.clear()  # with so many, all take turns
        tried: set[int] = set()
        stuck: set[str] = set()
        failures = 0
        while True:
            limit = PLACED_AT_ONCE + len(self._failed | tried)
            waiting = await self._journal.placements(limit=limit)
            fresh = [each for each in waiting if each.id not in tried]
            for placement in self._in_turn(fresh):
                tried.add(placement.id)
                try:
                    placed = _line(placement) not in stuck and await self._place(placement)
                except ObjectStoreError as error:
                    self._trouble = error
                    failures, placed = failures + 1, False
                else:
                    failures = failures if _line(placement) in stuck else 0
                if placed:
                    tried.discard(placement.id)
                    self._failed.discard(placement.id)
                else:
                    stuck.add(_line(placement))
                    self._failed.add(placement.id)
                if failures >= FAILURES:
                    return
            if not fresh or not everything:
                return

    def _in_turn(self, fresh: Sequence[Placement]) -> list[Placement]:
        """What failed comes last, and so do the parts that stand behind one that failed."""
        slow = {_line(each) for each in fresh if each.id in self._failed}
        return sorted(fresh, key=lambda each: _line(each) in slow)

    async def _place(self, placement: Placement) -> bool:
        """Number a document, put it, then write its leaf. False: no number was free.

        Crash before the put: it keeps its number. Crash after: the same bytes are put again under
        the same number, the store says that they stand there already, and the leaf follows.
        """
        body = ObjectBody.of(placement.body)
        numbered = await self._journal.number(placement)
        for _ in range(TRIES):
            if numbered.number is None:
                raise RuntimeError("the journal gave no number")
            key = keys.placed_key(numbered.folder, numbered.number)
            try:
                await self._store.put(key, body, retain_until=self._retain_until(placement))
            except ObjectConflictError as error:
                conflict = error  # another document has this number; the following one is ours
                numbered = await self._journal.number(numbered, after=numbered.number)
                continue
            await self._journal.place(numbered, leaf=await self._leaf(numbered, key))
            return True
        self._trouble = conflict
        log.error("no_free_number", folder=placement.folder)
        return False

    async def _leaf(self, placement: Placement, key: str) -> Leaf:
        at, absolute = self._clock.now(), keys.absolute(self._tenant, key)
        digest = Digest.of(placement.body)
        if placement.kind is PlacementKind.DECISION:
            facts = await self._journal.decided(placement.id)
            if facts is None:
                raise RuntimeError("an act of a decision is written with its decision")
            return Leaf.ruling(
                at=at,
                ref=facts.ref,
                outcome=facts.outcome,
                classifier=facts.classifier,
                key=absolute,
                digest=digest,
            )
        return Leaf.placed(
            kind=placement.kind.value,
            at=at,
            key=absolute,
            digest=digest,
            stream=placement.stream,
            total=placement.total,
        )

    def _retain_until(self, placement: Placement) -> datetime | None:
        if self._retention_days is None:
            return None
        date = placement.at + timedelta(days=self._retention_days)
        return fixed_date(date, now=self._clock.now())


def _line(placement: Placement) -> str:
    """What a document stands in line with: parts with those of their folder, acts with nobody."""
    manifest = placement.kind is PlacementKind.MANIFEST
    return placement.folder if manifest else f"{placement.id}"
