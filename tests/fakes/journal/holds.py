"""Verbs on legal holds: their acts, and what they may have to keep."""

from __future__ import annotations

from datetime import datetime

from bridge.lifecycle import EntryState
from bridge.protocols import Entry, Placement, PlacementKind
from bridge.protocols.hold_acts import StoreKnows
from tests.fakes.journal.placements import PlacementVerbs
from tests.fakes.journal.rows import EntryRow, to_millisecond


class HoldVerbs(PlacementVerbs):
    """See :class:`bridge.protocols.hold_acts.HoldActs`."""

    async def take_act(self, act: Placement, *, number: int) -> None:
        """Have an act wait for its place, once."""
        self._require_open()
        assert act.kind in {PlacementKind.HOLD, PlacementKind.RELEASE}
        if number > self._acts_taken[act.kind]:
            self._add_placement(act)
            self._acts_taken[act.kind] = number
        await self._turn()

    async def acts_taken(self, kind: PlacementKind) -> int:
        """The last one taken."""
        self._require_open()
        taken = self._acts_taken[kind]
        await self._turn()
        return taken

    async def store_told(self, hold: int, found: StoreKnows) -> None:
        """Remember it."""
        self._require_open()
        self._store_knows[hold] = found
        await self._turn()

    async def store_knows(self, hold: int) -> StoreKnows | None:
        """What was remembered."""
        self._require_open()
        found = self._store_knows.get(hold)
        await self._turn()
        return found

    async def forgettable(
        self, *, discarded_before: datetime, after: int = 0, limit: int
    ) -> tuple[int, ...]:
        """Old discards, page by page."""
        self._require_open()
        waiting = {
            each.decision.seq for each in self._decisions.values() if each.state == "waiting"
        }
        old = sorted(
            (row.received_at, row.seq)
            for row in self._rows.values()
            if row.state is EntryState.DISCARDED
            and row.received_at < to_millisecond(discarded_before)
            and row.seq not in waiting
        )
        last = self._rows.get(after)
        found = [seq for at, seq in old if last is None or (at, seq) > (last.received_at, last.seq)]
        await self._turn()
        return tuple(found[:limit])

    async def under_review(self, *, after: int, limit: int) -> tuple[Entry, ...]:
        """What stands under ``review/`` alone."""
        rows = [row for row in self._after(after) if row.key.startswith("review/")]
        return await self._some(rows, limit)

    async def stored(self, *, after: int, limit: int) -> tuple[Entry, ...]:
        """What is stored."""
        return await self._some(self._after(after), limit)

    def _after(self, seq: int) -> list[EntryRow]:
        self._require_open()
        rows = [row for row in self._rows.values() if row.state is EntryState.STORED]
        return sorted((row for row in rows if row.seq > seq), key=lambda row: row.seq)

    async def _some(self, rows: list[EntryRow], limit: int) -> tuple[Entry, ...]:
        found = tuple(self._values(rows)[:limit])
        await self._turn()
        return found
