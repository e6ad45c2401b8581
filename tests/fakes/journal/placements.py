"""Verbs on manifest parts and acts: fixed first, numbered before they are put, then placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.canonical import Leaf
from bridge.model import NoticeState, Outcome
from bridge.protocols import Entry, ManifestPlace, Placement, PlacementKind
from tests.fakes.journal.leaves import LeafVerbs
from tests.fakes.journal.rows import EntryRow, PlacementRow, to_millisecond


class PlacementVerbs(LeafVerbs):
    """See :class:`bridge.protocols.Journal`."""

    def _due(self) -> list[tuple[ManifestPlace, EntryRow]]:
        return [(row.place, row) for row in self._rows.values() if row.manifest_due]

    async def manifest_places(self) -> tuple[ManifestPlace, ...]:
        """Where rows wait."""
        self._require_open()
        found = sorted({(place.gid, place.day) for place, _ in self._due()})
        await self._turn()
        return tuple(ManifestPlace(gid=gid, day=day) for gid, day in found)

    async def manifest_due(self, place: ManifestPlace, *, limit: int) -> tuple[Entry, ...]:
        """Entries of one place that no manifest part names yet."""
        self._require_open()
        rows = [row for where, row in self._due() if where == place][:limit]
        found = tuple(sorted(self._values(rows), key=lambda entry: (entry.safe_by, entry.seq)))
        await self._turn()
        return found

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """Fix a document; its rows are named now."""
        self._require_open()
        audited = placement.kind is PlacementKind.AUDIT and self._is_audited(placement.folder)
        if not audited:
            self._add_placement(placement)
        for seq, outcome in rows:
            verdict = self._rows[seq].verdict
            if verdict is not None and verdict.outcome is outcome:
                self._rows[seq].manifest_due = False
        await self._turn()

    async def placements(self, *, limit: int) -> tuple[Placement, ...]:
        """Documents waiting for their place."""
        self._require_open()
        waiting = [row for row in self._placements if row.leaf is None and self._may_go(row)]
        found = tuple(row.value() for row in waiting[:limit])
        await self._turn()
        return found

    def _may_go(self, row: PlacementRow) -> bool:
        placement = row.placement
        if placement.kind in {PlacementKind.AUDIT, PlacementKind.HOLD, PlacementKind.RELEASE}:
            return True
        group = self._register.get((placement.connector, placement.group_id))
        if group is None:
            return False
        return placement.kind is PlacementKind.STEP or group.notice is not NoticeState.DUE

    async def document(self, id_: int) -> Placement | None:
        """One document, placed or not."""
        self._require_open()
        found = next((row.value() for row in self._placements if row.id == id_), None)
        await self._turn()
        return found

    def _row_of(self, placement: Placement) -> PlacementRow | None:
        return next((row for row in self._placements if row.id == placement.id), None)

    async def number(self, placement: Placement, *, after: int | None = None) -> Placement:
        """Fix the number."""
        self._require_open()
        row = self._row_of(placement)
        if row is None:
            raise RuntimeError("only a document that was queued is numbered")
        if row.number is None or (row.leaf is None and row.number == after):
            taken = [
                other.number
                for other in self._placements
                if other.series == row.series and other.number is not None
            ]
            row.number = max([-1 if after is None else after, *taken]) + 1
        number = row.number
        await self._turn()
        return replace(placement, number=number)

    async def place(self, placement: Placement, *, leaf: Leaf) -> None:
        """The store has it: one leaf, once."""
        self._require_open()
        if placement.number is None:
            raise RuntimeError("a document is numbered before it is placed")
        row = self._row_of(placement)
        if row is not None and row.leaf is None:
            if row.number != placement.number:
                raise RuntimeError("a document is placed under the number that it was given")
            row.leaf = self._published_or_added(self._about(placement, leaf))
        await self._turn()

    def _about(self, placement: Placement, leaf: Leaf) -> Leaf:
        """A decision's leaf names its entry's seen leaf, wherever that stands by now."""
        for row in self._decisions.values():
            if placement.kind is PlacementKind.DECISION and row.act == placement.id:
                ref = self._rows[row.decision.seq].seen_leaf
                assert ref is not None
                return leaf.referring(ref)
        return leaf

    def _add_placement(self, placement: Placement) -> None:
        kept = replace(placement, at=to_millisecond(placement.at))
        self._placements.append(PlacementRow(id=len(self._placements) + 1, placement=kept))
