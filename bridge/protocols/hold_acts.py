"""What the journal promises of legal holds: their acts, and what they may have to keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.protocols.journal_values import Entry, Placement, PlacementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKnows:
    """How many objects of a hold the store itself holds, as read back, and how many it does not.

    ``at``: when the first of them was read, of those that no later look asked of. Of a hold that
    was released, ``held`` are those that stand under another one or were not let go.
    """

    held: int
    unheld: int
    at: datetime


class HoldActs(Protocol):
    """A part of :class:`bridge.protocols.Journal`, whose promises hold here too."""

    async def take_act(self, act: Placement, *, number: int) -> None:
        """Have the act of a hold or a release of the office wait for its place.

        ``number`` is the office's; one that is not above :meth:`acts_taken` changes nothing.
        """

    async def acts_taken(self, kind: PlacementKind) -> int:
        """The number of the last hold, or the last release, taken from the office."""

    async def store_told(self, hold: int, found: StoreKnows) -> None:
        """Remember what the store knows of a hold, by the hold's number."""

    async def store_knows(self, hold: int) -> StoreKnows | None:
        """What it last was; None: it was never told."""

    async def forgettable(
        self, *, discarded_before: datetime, after: int = 0, limit: int
    ) -> tuple[int, ...]:
        """Discards that :meth:`Journal.forget` would destroy, by ``seq``, oldest first.

        ``after``: the last one of the page before.
        """

    async def under_review(self, *, after: int, limit: int) -> tuple[Entry, ...]:
        """Stored entries that stand under ``review/`` and nowhere else, by ``seq``.

        Whatever was decided of them: ciphertexts and what a person discarded are among them.
        """

    async def stored(self, *, after: int, limit: int) -> tuple[Entry, ...]:
        """Stored entries with a ``seq`` above ``after``, in order."""
