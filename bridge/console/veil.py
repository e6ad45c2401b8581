"""What people marked as sensitive, kept from those who may not see it.

A mark is somebody's order that leaves a message under review: personal, of a party, or escalated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.console.marks import Marks
from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.protocols.catalog import Listing, Search

HIDDEN = "Marked as sensitive: not shown to your role."


PASSED_OVER = (
    "Messages that are marked as sensitive are not found by what they say, nor by their reasons or"
    " attachments: they are for others to see."
)


async def is_veiled(visit: Visit, listing: Listing) -> bool:
    """Whether somebody else must look at this."""
    return (await marks_for(visit)).on(listing)


async def veiled(visit: Visit, listings: Sequence[Listing]) -> list[Listing]:
    """The same listings; of those that are sensitive nothing of what was said."""
    marks = await marks_for(visit)
    return [
        replace(each, body=HIDDEN, media=(), reasons=(), key=None) if marks.on(each) else each
        for each in listings
    ]


async def unveiled(visit: Visit, listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """Only those that may be seen."""
    marks = await marks_for(visit)
    return tuple(each for each in listings if not marks.on(each))


async def marks_for(visit: Visit) -> Marks:
    """What somebody else must look at: nothing for who may look at it."""
    orders = visit.parts.orders
    if orders is None or Right.SENSITIVE in visit.rights:
        return Marks()
    return await visit.parts.marks.now(orders, visit.parts.catalog)


def passes_over(visit: Visit, search: Search | None) -> str:
    """What is to be said beside what a search found: empty, or that not all was searched."""
    asks = search is not None and search.asks_what_was_said
    return PASSED_OVER if asks and Right.SENSITIVE not in visit.rights else ""


async def within_rights(visit: Visit, search: Search) -> Search:
    """The search without what is marked as sensitive: that it is found would tell what it says."""
    if not passes_over(visit, search):
        return search
    return replace(search, passed_over=tuple((await marks_for(visit)).messages))
