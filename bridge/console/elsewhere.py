"""What the sender of a message said in other groups about then, in much the same words.

Perhaps the same question, put to others. Nothing but author, time and shared words speak for it, so
it decides nothing: it is shown to whoever reviews, who knows whether it belongs together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.console.site import Visit
from bridge.console.veil import unveiled
from bridge.protocols.catalog import Listing, Search
from bridge.query import Either, Words

CLOSE: Final = timedelta(hours=24)
LEAST_SHARED: Final = 2
"""Telling words that both must have, and half of those of the shorter one."""

MOST: Final = 3
_LOOKED_AT = 50
_MOST_WORDS = 30
_WORD = re.compile(r"[^\W_]{3,40}")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC) + CLOSE, datetime.max.replace(tzinfo=UTC) - CLOSE


async def elsewhere(visit: Visit, listing: Listing) -> tuple[Listing, ...]:
    """At most ``MOST`` of other groups that the visitor may see, in the order they were said.

    Relations are left out: what they point to is not on the page.
    """
    common = frozenset() if visit.parts.policy is None else visit.parts.policy.doubt.common_words
    own = telling(listing.body or "", common)
    gids = _others(visit, listing.gid)
    if listing.sender_id is None or listing.at is None or len(own) < LEAST_SHARED or gids is None:
        return ()
    at = min(max(listing.at, _FIRST), _LAST)
    search = Search(
        words=Either(tuple(map(Words, sorted(own)[:_MOST_WORDS]))),
        gids=gids,
        persons=(listing.sender_id,),
        since=at - CLOSE,
        until=at + CLOSE,
        limit=_LOOKED_AT,
    )
    found = (await visit.parts.catalog.search(search)).listings
    seen = await unveiled(visit, [each for each in found if each.gid != listing.gid])
    return _likest(seen, own, common, at)


def telling(body: str, common: frozenset[str]) -> frozenset[str]:
    """The words of a text that say what it is about."""
    words = (match.group() for match in _WORD.finditer(body.casefold()))
    return frozenset(word for word in words if word not in common)


def _others(visit: Visit, gid: str) -> tuple[str, ...] | None:
    """The groups to look in; empty for all, None where there is no other."""
    scope = visit.session.groups if visit.session else frozenset()
    others = tuple(sorted(scope - {gid}))
    return None if scope and not others else others


def _likest(
    listings: Sequence[Listing], own: frozenset[str], common: frozenset[str], at: datetime
) -> tuple[Listing, ...]:
    ranked: list[tuple[int, timedelta, Listing]] = []
    for each in listings:
        words = telling(each.body or "", common)
        shared = len(own & words)
        if each.at is not None and shared >= max(LEAST_SHARED, min(len(own), len(words)) / 2):
            ranked.append((-shared, abs(each.at - at), each))
    ranked.sort(key=lambda item: item[:2])
    chosen = [each for _, _, each in ranked[:MOST]]
    return tuple(replace(each, relates_to=None) for each in sorted(chosen, key=_when))


def _when(listing: Listing) -> datetime:
    return listing.at or _FIRST
