"""Verbs on legal holds: their acts, and what they may have to keep."""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.protocols import Entry, Placement, PlacementKind
from bridge.protocols.hold_acts import StoreKnows
from storage.journal.committer import Transaction
from storage.journal.placements import PlacementVerbs
from storage.journal.rows import to_ms

TAKEN = {PlacementKind.HOLD: "holds_taken", PlacementKind.RELEASE: "releases_taken"}


class HoldVerbs(PlacementVerbs):
    """See :class:`bridge.protocols.hold_acts.HoldActs`."""

    async def take_act(self, act: Placement, *, number: int) -> None:
        """Take a hold or a release. Crash before: it is still in the office and taken again."""
        name = TAKEN[act.kind]

        async def work(transaction: Transaction) -> None:
            taken = next(iter(await transaction.rows("meta_get", int, name)), 0)
            if number > taken:
                await self._insert(transaction, act)
                await transaction.run("meta_set", name, number)

        await self._committer.run(work)

    async def acts_taken(self, kind: PlacementKind) -> int:
        """The last one taken."""
        return next(iter(await self._rows("meta_get", int, TAKEN[kind])), 0)

    async def store_told(self, hold: int, found: StoreKnows) -> None:
        """Remember it. Crash before: the store is asked again."""

        async def work(transaction: Transaction) -> None:
            await transaction.run("meta_set", f"hold-{hold}", msgspec.json.encode(found))

        await self._committer.run(work)

    async def store_knows(self, hold: int) -> StoreKnows | None:
        """What was remembered."""
        for found in await self._rows("meta_get", bytes, f"hold-{hold}"):
            return msgspec.json.decode(found, type=StoreKnows)
        return None

    async def forgettable(
        self, *, discarded_before: datetime, after: int = 0, limit: int
    ) -> tuple[int, ...]:
        """Old discards, page by page."""
        asked = (to_ms(discarded_before), after, limit)
        return tuple(await self._rows("entry_forgettable_after", int, *asked))

    async def under_review(self, *, after: int, limit: int) -> tuple[Entry, ...]:
        """What stands under ``review/`` alone."""
        return await self._page("entry_under_review", after, limit)

    async def stored(self, *, after: int, limit: int) -> tuple[Entry, ...]:
        """What is stored."""
        return await self._page("entry_stored_after", after, limit)

    async def _page(self, name: str, after: int, limit: int) -> tuple[Entry, ...]:
        """A page by ``seq``. Damaged entries are left out; a page of nothing else is passed by."""
        while True:
            seqs = await self._rows(name, int, after, limit)
            found = await self._entries(seqs)
            if found or not seqs:
                return tuple(sorted(found, key=lambda entry: entry.seq))
            after = seqs[-1]
