"""Verbs on manifest parts and acts: fixed first, numbered when the store takes them."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.canonical import Leaf
from bridge.model import Outcome
from bridge.protocols import Entry, Placement, PlacementKind
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore
from storage.journal.rows import PlacementRow, from_ms, to_ms


class PlacementVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def manifest_due(self, *, limit: int) -> tuple[Entry, ...]:
        """Entries no manifest part names yet."""
        return await self._entries(await self._rows("entry_manifest_due", int, limit))

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """Fix a document. Crash before: its rows are still due and another part is made."""

        async def work(transaction: Transaction) -> None:
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
            "acts" if acts else placement.folder,
            self._cipher.seal_bytes(placement.body, column="placement", row=b""),
            placement.connector,
            placement.group_id,
            to_ms(placement.at),
            placement.stream,
            placement.total,
        )

    async def placements(self, *, limit: int) -> tuple[Placement, ...]:
        """Documents waiting for their place."""
        rows = await self._rows("placement_waiting", PlacementRow, limit)
        return tuple(self._placement(row) for row in rows)

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

    async def place(self, placement: Placement, *, number: int, leaf: Leaf) -> None:
        """The store has it. Crash before: the PUT is repeated and answers 412 with our bytes."""

        async def work(transaction: Transaction) -> None:
            if not await transaction.rows("placement_open", int, placement.id):
                return  # every document has exactly one leaf
            (index,) = await transaction.add_leaves([leaf])
            await transaction.run("placement_place", number, index, placement.id)

        await self._committer.run(work)
