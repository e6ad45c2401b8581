"""What is in somebody's hands. In memory alone: one process owns the journal, a crash frees all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager


class Leases:
    """Numbers that are held. Who looks for free ones reads the database while others go on."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._taken: set[int] = set()
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def choosing(self) -> AsyncIterator[set[int]]:
        """What was held at any moment while the caller chooses: none of it may be taken.

        A row that was read while its holder moved it and gave it back would else be taken once
        more. One at a time: callers that read together would all choose the same few.
        """
        async with self._one_at_a_time:
            self._taken = set(self._held)
            yield self._taken

    def take(self, numbers: Iterable[int]) -> None:
        """Hold these, chosen under :meth:`choosing`."""
        chosen = set(numbers)
        self._held |= chosen
        self._taken |= chosen

    def give_back(self, numbers: Iterable[int]) -> None:
        """Hold these no longer."""
        self._held.difference_update(numbers)
