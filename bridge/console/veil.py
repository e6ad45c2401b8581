"""What people marked as sensitive, kept from those who may not see it.

A mark is somebody's order that leaves a message under review: personal, of a party, or escalated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.model import Outcome
from bridge.protocols.catalog import Listing, Search

Place = tuple[str, int]
"""Stream and number of a message."""

_AT_ONCE = 1000
HIDDEN = "Marked as sensitive: not shown to your role."


PASSED_OVER = (
    "Messages that are marked as sensitive are not found by what they say, nor by their reasons or"
    " attachments: they are for others to see."
)


async def is_veiled(visit: Visit, listing: Listing) -> bool:
    """Whether somebody else must look at this."""
    return bool(await marked_among(visit, [_place(listing)]))


async def veiled(visit: Visit, listings: Sequence[Listing]) -> list[Listing]:
    """The same listings; of those that are sensitive nothing of what was said."""
    marked = await marked_among(visit, [_place(each) for each in listings])
    return [
        replace(each, body=HIDDEN, media=(), reasons=(), key=None)
        if _place(each) in marked
        else each
        for each in listings
    ]


async def unveiled(visit: Visit, listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """Only those that may be seen."""
    marked = await marked_among(visit, [_place(each) for each in listings])
    return tuple(each for each in listings if _place(each) not in marked)


async def marked_among(visit: Visit, places: Sequence[Place]) -> frozenset[Place]:
    """Those of these messages that somebody else must look at."""
    orders = visit.parts.orders
    if orders is None or Right.SENSITIVE in visit.rights or not places:
        return frozenset()
    said = await orders.last_decisions(places)
    return frozenset((each.stream, each.n) for each in said if each.outcome is Outcome.REVIEW)


def passes_over(visit: Visit, search: Search | None) -> str:
    """What is to be said beside what a search found: empty, or that not all was searched."""
    asks = search is not None and search.asks_what_was_said
    return PASSED_OVER if asks and Right.SENSITIVE not in visit.rights else ""


async def within_rights(visit: Visit, search: Search) -> Search:
    """The search without what is marked as sensitive: that it is found would tell what it says."""
    if not passes_over(visit, search):
        return search
    return replace(search, passed_over=await _all_marked(visit))


async def _all_marked(visit: Visit) -> tuple[Place, ...]:
    orders = visit.parts.orders
    if orders is None:
        return ()
    found: list[Place] = []
    after = 0
    while marks := await orders.marks(after=after, limit=_AT_ONCE):
        found += [(each.stream, each.n) for each in marks]
        after = marks[-1].number
    return tuple(found)


def _place(listing: Listing) -> Place:
    return listing.stream, listing.n
