"""What the sender of a message said in other groups about then, in much the same words.

Perhaps the same question, put to others. Nothing but author, time and shared words speak for it, so
it decides nothing: it is shown to whoever reviews, who knows whether it belongs together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.console.site import Visit
from bridge.console.veil import unveiled
from bridge.protocols.catalog import Listing, MessageId, Search
from bridge.query import Either, Words

CLOSE: Final = timedelta(hours=24)
LEAST_SHARED: Final = 2
"""Telling words that both must have, and half of those of the shorter one."""

MOST: Final = 3
LOOKED_AT: Final = 500
"""Of what the sender said then with any of these words, so much is compared, the newest first."""

_PAGE = 100
_MOST_WORDS = 30
_WORD = re.compile(r"[^\W_]{3,40}")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC) + CLOSE, datetime.max.replace(tzinfo=UTC) - CLOSE


async def elsewhere(visit: Visit, listing: Listing) -> tuple[Listing, ...]:
    """At most ``MOST`` messages of other groups that the visitor may see, in the order of time.

    Relations are left out: what they point to is not on the page.
    """
    policy = visit.parts.policy
    # The index has the sender's name with each message.
    empty = telling(listing.sender_name or "") | (policy.doubt.common_words if policy else set())
    own = telling(listing.body or "") - empty
    if listing.sender_id is None or listing.at is None or len(own) < LEAST_SHARED:
        return ()
    groups = [each.gid for each in await visit.parts.catalog.groups()]
    gids = tuple(gid for gid in groups if visit.may_see(gid) and gid != listing.gid)
    at = min(max(listing.at, _FIRST), _LAST)
    search = Search(
        words=Either(tuple(map(Words, sorted(own)[:_MOST_WORDS]))),
        gids=gids,
        persons=(listing.sender_id,),
        since=at - CLOSE,
        until=at + CLOSE,
        limit=_PAGE,
    )
    found = await _found(visit, search) if gids else []
    return _likest(await unveiled(visit, found), own, empty, at)


def telling(body: str) -> frozenset[str]:
    """The words of a text, without the shortest."""
    return frozenset(match.group() for match in _WORD.finditer(body.casefold()))


async def _found(visit: Visit, search: Search) -> list[Listing]:
    found: list[Listing] = []
    while len(found) < LOOKED_AT:
        page = await visit.parts.catalog.search(search)
        found += page.listings
        if page.following is None:
            break
        search = replace(search, before=page.following)
    return found


def _likest(
    listings: Sequence[Listing], own: frozenset[str], empty: AbstractSet[str], at: datetime
) -> tuple[Listing, ...]:
    """The nearest in words, then in time; of several versions of a message the likest."""
    ranked: list[tuple[int, timedelta, Listing]] = []
    for each in listings:
        words = telling(each.body or "") - empty
        shared = len(own & words)
        if each.at is not None and shared >= max(LEAST_SHARED, min(len(own), len(words)) / 2):
            ranked.append((-shared, abs(each.at - at), each))
    ranked.sort(key=lambda item: item[:2])
    chosen: dict[MessageId | None, Listing] = {}
    for _, _, each in ranked:
        chosen.setdefault(each.message, each)
    likest = [*chosen.values()][:MOST]
    return tuple(replace(each, relates_to=None) for each in sorted(likest, key=_when))


def _when(listing: Listing) -> datetime:
    return listing.at or _FIRST
