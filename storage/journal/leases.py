"""What is in somebody's hands. In memory alone: one process owns the journal, a crash frees all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Leases:
    """Numbers that are held. Who looks for free ones reads the database while others go on."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._looking: list[set[int]] = []

    @contextmanager
    def looking(self) -> Iterator[set[int]]:
        """What was held at any moment while the caller looks: none of it may be taken.

        A row read while its holder moved it and gave it back would else be taken once more.
        """
        taken = set(self._held)
        self._looking.append(taken)
        try:
            yield taken
        finally:
            # By identity: two lookers may hold equal sets.
            self._looking = [each for each in self._looking if each is not taken]

    def take(self, numbers: Iterable[int]) -> None:
        """Hold these."""
        chosen = list(numbers)
        self._held.update(chosen)
        for taken in self._looking:
            taken.update(chosen)

    def give_back(self, numbers: Iterable[int]) -> None:
        """Hold these no longer."""
        self._held.difference_update(numbers)
