"""What people marked as sensitive: found once, and again whenever somebody decided.

A mark is on one entry and holds for the message: for its versions, its late attachments, and its
content where it came encrypted. What quotes it is another message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.protocols import Office
from bridge.protocols.catalog import Catalog, Listing, MessageId

Place = tuple[str, int]
"""Stream and number of an entry."""

_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The entries that are marked, and the messages that they are or belong to."""

    places: frozenset[Place] = frozenset()
    messages: frozenset[MessageId] = frozenset()

    def on(self, listing: Listing) -> bool:
        """Whether it is marked, or belongs to what is."""
        return (listing.stream, listing.n) in self.places or listing.message in self.messages


class KnownMarks:
    """The marks as they were last found. They MUST be asked for anew in each visit."""

    def __init__(self) -> None:
        self._known = Marks()
        self._by: tuple[Office, Catalog, int] | None = None

    async def now(self, office: Office, catalog: Catalog) -> Marks:
        """The marks after the newest decision.

        Raises:
            CatalogError: the catalog, which knows what belongs together, cannot be read.
            JournalUnavailableError: the office cannot be read.
        """
        by = (office, catalog, await office.newest_decision())
        if self._by == by:
            return self._known
        places = await _places(office)
        messages = await _messages(catalog, places)
        known = Marks(places=frozenset(places), messages=frozenset(messages))
        if len(messages) == len(places):  # what is not listed yet is looked for again
            self._known, self._by = known, by
        return known


async def _places(office: Office) -> list[Place]:
    found: list[Place] = []
    after = 0
    while marks := await office.marks(after=after, limit=_AT_ONCE):
        found += [(each.stream, each.n) for each in marks]
        after = marks[-1].number
    return found


async def _messages(catalog: Catalog, places: list[Place]) -> list[MessageId]:
    numbers: dict[str, list[int]] = {}
    for stream, n in places:
        numbers.setdefault(stream, []).append(n)
    return [
        listing.message
        for stream, some in numbers.items()
        for listing in await catalog.numbered(stream, some)
        if listing.message is not None
    ]
