"""What people marked as sensitive, kept from those who may not see it.

A mark is somebody's order that leaves a message under review: personal, of a party, or escalated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.model import Outcome
from bridge.protocols.catalog import Listing

Place = tuple[str, int]
"""Stream and number of a message."""

HIDDEN = "Marked as sensitive: not shown to your role."


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


def _place(listing: Listing) -> Place:
    return listing.stream, listing.n
