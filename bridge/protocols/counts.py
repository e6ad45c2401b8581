"""What the journal counts at any size without reading what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there ever was, and how much waits now.

    ``seen``, ``stored``, ``late`` and ``gaps`` are the sums of :class:`bridge.protocols.Tally` over
    all groups; ``restricted`` is how many entries ever became so.
    """

    seen: int
    stored: int
    late: int
    gaps: int
    restricted: int
    leaves: int
    waiting: tuple[tuple[str, int], ...]
    """Entries by state, of those that are on their way: ``received``, ``judged``, ``sealed``."""
    overdue: int
    downloads: int
    """Download orders still to be fetched."""
    reviews: int
    """Stored entries that wait for a person."""
    oldest_review: datetime | None
    """When the oldest of them was received."""
    encrypted: int
    """Entries that wait for their key."""
    oldest_encrypted: datetime | None
    """When the oldest of them was received."""
    undecryptable: int
    """Entries that became a gap for want of a key, and are still closed."""
    unsplit: int
    """Responses of a platform that could not be split."""


class Counting(Protocol):
    """Counts for those who ask often."""

    async def counts(self, *, now: datetime) -> Counts:
        """The counts of this moment. They MUST cost no more than what waits, however much was."""
