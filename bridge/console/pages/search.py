"""The search: what was found, in the conversation in which it was said. Every search is logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import Response

from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.console.terms import DEFAULT_CLASS, Wanted, search_of
from bridge.console.veil import passes_over, veiled
from bridge.model import EventKind, Outcome
from bridge.protocols.catalog import COUNTED, Found, Listing

PER_PAGE = 20
LONGEST = 1500
"""Characters of one message among the results; its own page has all of it."""

OUTCOMES = {
    Outcome.CAPTURE: "Kept",
    Outcome.REVIEW: "Waits for review",
    Outcome.DISCARD: "Not kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something found, with what stands before and after it in its group."""

    listing: Listing
    before: Listing | None
    after: Listing | None


def hit_of(listing: Listing, beside: tuple[Listing, ...]) -> Hit:
    """``beside`` holds it and its neighbours, in order."""
    names = [(each.stream, each.n) for each in beside]
    me = (listing.stream, listing.n)
    at = names.index(me) if me in names else 0
    return Hit(
        listing=listing,
        before=beside[at - 1] if at else None,
        after=beside[at + 1] if at + 1 < len(beside) else None,
    )


async def show(visit: Visit) -> Response:
    """The form; with what was found, if anything was asked."""
    wanted = await search_of(visit, visit.request.query_params)
    if wanted.search is None:
        return _page(visit, wanted, status=400)
    if not wanted.is_asked:
        return _page(visit, wanted)
    search = replace(wanted.search, limit=PER_PAGE)
    found = await visit.parts.catalog.search(search)
    hits = await _hits(visit, found.listings)
    page = "" if search.before is None else f" page {search.before}"
    await visit.note("search", f"{_count(found)} found", details=wanted.link + page)
    return _page(visit, wanted, found=found, hits=hits)


async def _hits(visit: Visit, found: Sequence[Listing]) -> list[Hit]:
    """What was found with its neighbours; of what is sensitive only that it is there."""
    beside = await visit.parts.catalog.beside(found)
    seen = {
        (each.stream, each.n): each
        for each in await veiled(visit, [*found, *(each for some in beside for each in some)])
    }
    return [
        hit_of(
            seen[listing.stream, listing.n], tuple(seen[each.stream, each.n] for each in neighbours)
        )
        for listing, neighbours in zip(found, beside, strict=True)
    ]


def _page(
    visit: Visit,
    wanted: Wanted,
    *,
    found: Found | None = None,
    hits: list[Hit] | None = None,
    status: int = 200,
) -> Response:
    title = "Search"
    if wanted.problems:
        title = "Error: Search"
    elif found is not None:
        title = f"{_count(found)} found: Search"
    # Times are shown in the zone that was asked for.
    there = replace(visit, parts=replace(visit.parts, zone=wanted.zone))
    following = found.following if found else None
    return there.page(
        "console/search_results.html",
        title=title,
        status=status,
        wanted=wanted,
        found=found,
        count=_count(found) if found else "",
        hits=hits or [],
        passed_over=passes_over(visit, wanted.search),
        next=f"{wanted.link}&{urlencode({'before': following})}" if following else "",
        first=wanted.search is not None and wanted.search.before is None,
        outcomes=OUTCOMES,
        kinds=list(EventKind),
        classes=[*sorted(visit.parts.retention), DEFAULT_CLASS],
        exports=Right.EXPORT in visit.rights,
        longest=LONGEST,
    )


def _count(found: Found) -> str:
    return f"more than {COUNTED:,}" if found.total > COUNTED else f"{found.total:,}"


PAGES = (Page(path="/search", handler=show, right=Right.CONTENT),)
