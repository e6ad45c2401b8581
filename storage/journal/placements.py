"""Verbs on manifest parts and acts: fixed first, numbered before they are put, then placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from bridge.canonical import Leaf
from bridge.errors import JournalKeyError
from bridge.model import Digest, Outcome
from bridge.protocols import Entry, ManifestPlace, Placement, PlacementKind
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore
from storage.journal.leaf_rows import NamedObject
from storage.journal.rows import PlacementAt, PlacementRow, from_ms, to_ms

ACTS = "acts"
"""All acts are numbered in one series, whatever their day."""


class PlacementVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def manifest_places(self) -> tuple[ManifestPlace, ...]:
        """Where rows wait."""
        found = (place.partition("/") for place in await self._rows("entry_manifest_places", str))
        return tuple(ManifestPlace(gid=gid, day=day) for gid, _, day in found)

    async def manifest_due(self, place: ManifestPlace, *, limit: int) -> tuple[Entry, ...]:
        """Entries of one place that no manifest part names yet."""
        where = f"{place.gid}/{place.day}"
        return await self._entries(await self._rows("entry_manifest_due", int, where, limit))

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """Fix a document. Crash before: its rows are still due and another part is made."""

        async def work(transaction: Transaction) -> None:
            if placement.kind is PlacementKind.AUDIT:
                (there,) = await transaction.rows("placement_audited", int, placement.folder)
                if there:
                    return
            await self._insert(transaction, placement)
            await transaction.many(
                "entry_manifest_done", [(seq, outcome.value) for seq, outcome in rows]
            )

        await self._committer.run(work)

    async def _insert(self, transaction: Transaction, placement: Placement) -> None:
        acts = placement.kind is not PlacementKind.MANIFEST
        await transaction.run(
            "placement_insert",
            placement.kind.value,
            placement.folder,
            ACTS if acts else placement.folder,
            self._cipher.seal_bytes(placement.body, column="placement", row=b""),
            Digest.of(placement.body).value,
            placement.connector,
            placement.group_id,
            to_ms(placement.at),
            placement.stream,
            placement.total,
        )

    async def placements(self, *, limit: int) -> tuple[Placement, ...]:
        """Documents waiting for their place; one that is damaged costs its neighbours nothing."""
        known = len(self._damaged_documents)
        found: list[Placement] = []
        for row in await self._rows("placement_waiting", PlacementRow, limit + known):
            try:
                found.append(self._placement(row))
            except JournalKeyError:
                self._damaged_documents.add(row.id)
        return tuple(found[:limit])

    async def document(self, id_: int) -> Placement | None:
        """One document."""
        rows = await self._rows("placement_one", PlacementRow, id_)
        return self._placement(rows[0]) if rows else None

    def _placement(self, row: PlacementRow) -> Placement:
        return Placement(
            id=row.id,
            kind=PlacementKind(row.kind),
            folder=row.folder,
            number=row.number,
            body=self._cipher.open_bytes(row.body, column="placement", row=b""),
            connector=row.connector,
            group_id=row.group_id,
            at=from_ms(row.at),
            stream=row.stream,
            total=row.total,
        )

    async def number(self, placement: Placement, *, after: int | None = None) -> Placement:
        """Fix the number. Crash after: the next try puts the same bytes under the same number."""

        async def work(transaction: Transaction) -> int:
            rows = await transaction.rows("placement_at", PlacementAt, placement.id)
            if not rows:
                raise RuntimeError("only a document that was queued is numbered")
            (row,) = rows
            if row.number is not None and (row.placed or row.number != after):
                return row.number
            (highest,) = await transaction.rows("placement_highest", int, row.series)
            number = max(highest, -1 if after is None else after) + 1
            await transaction.run("placement_number", number, placement.id)
            return number

        return replace(placement, number=await self._committer.run(work))

    async def place(self, placement: Placement, *, leaf: Leaf) -> None:
        """The store has it. Crash before: the PUT is repeated and answers 412 with our bytes."""
        if placement.number is None:
            raise RuntimeError("a document is numbered before it is placed")

        async def work(transaction: Transaction) -> None:
            for row in await transaction.rows("placement_at", PlacementAt, placement.id):
                if row.placed:
                    return  # every document has exactly one leaf
                if row.number != placement.number:
                    raise RuntimeError("a document is placed under the number that it was given")
                named = msgspec.json.decode(leaf.body, type=NamedObject)
                published = await transaction.rows("grafted_at", int, named.p, named.o)
                current = await self._about(transaction, placement, leaf)
                (index,) = published or await transaction.add_leaves([current])
                await transaction.run("placement_place", index, placement.id)

        await self._committer.run(work)

    async def _about(self, transaction: Transaction, placement: Placement, leaf: Leaf) -> Leaf:
        """A decision's leaf names the seen leaf of its entry, wherever that stands by now."""
        if placement.kind is not PlacementKind.DECISION:
            return leaf
        (ref,) = await transaction.rows("decision_seen_leaf", int, placement.id)
        return leaf.referring(ref)
