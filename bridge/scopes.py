"""What legal holds cover. Pure. In doubt it is covered: what is destroyed does not come back.

Words are compared as the catalog finds them: letters without their marks, in any case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from bridge.model import EventKind
from bridge.protocols import Entry
from bridge.protocols.catalog import Listing, Search
from bridge.protocols.holds import Hold, HoldScope
from bridge.query import Either, Every, Query, QueryError, Words, parse_query

_WORD = re.compile(r"[^\W_]+")


class Scopes:
    """Several holds together, each read once."""

    def __init__(self, holds: Iterable[Hold]) -> None:
        self._holds = [(hold, _terms(hold.scope)) for hold in holds]

    def cover(self, entry: Entry) -> bool:
        """Whether any of them covers an entry of the journal."""
        return bool(self.over(entry))

    def over(self, entry: Entry) -> tuple[Hold, ...]:
        """Those that cover an entry of the journal."""
        event = entry.event
        told = (event.sent_at, event.observed_at)
        person = None if event.sender is None else event.sender.id
        shut = event.kind is EventKind.ENCRYPTED
        names = [] if event.sender is None else [event.sender.display_name or ""]
        names += [each.name or "" for each in event.attachments]
        return self._over(entry.stream.gid, person, told, [event.body or "", *names], shut=shut)

    def over_listing(self, listing: Listing) -> tuple[Hold, ...]:
        """Those that cover what the catalog lists."""
        names = [listing.sender_name or "", *(each.name or "" for each in listing.media)]
        return self._over(
            listing.gid,
            listing.sender_id,
            (listing.sent_at, listing.observed_at),
            [listing.body or "", *names],
            shut=listing.damaged or listing.key is None or listing.kind is EventKind.ENCRYPTED,
        )

    def _over(
        self,
        gid: str,
        person: str | None,
        told: Sequence[datetime | None],
        texts: Sequence[str],
        *,
        shut: bool,
    ) -> tuple[Hold, ...]:
        """``shut``: what it says is not known, so that any words may be in it."""
        found: list[Hold] = []
        fields: list[list[str]] | None = None
        for hold, terms in self._holds:
            scope = hold.scope
            if scope.gids and gid not in scope.gids:
                continue
            if scope.persons and person is not None and person not in scope.persons:
                continue
            known = [at for at in told if at is not None]
            if known and not any(_within(scope, at) for at in known):
                continue
            if terms is not None and not shut:
                fields = [words_of(text) for text in texts] if fields is None else fields
                if not says(terms, fields):
                    continue
            found.append(hold)
        return tuple(found)


def search_of(scope: HoldScope) -> Search:
    """What the catalog is asked to find all that a hold covers of it."""
    return Search(
        words=_terms(scope),
        gids=scope.gids,
        persons=scope.persons,
        since=scope.since,
        until=scope.until,
    )


def words_of(text: str) -> list[str]:
    """The words of a text, as they are compared."""
    bare = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORD.findall("".join(bare).casefold())


def says(query: Query, fields: Sequence[Sequence[str]]) -> bool:
    """Whether texts, given as their words, say what a query asks for."""
    match query:
        case Words():
            return any(_stands(words_of(query.text), each, query.begins) for each in fields)
        case Either():
            return any(says(each, fields) for each in query.choices)
        case Every():
            wanted = all(says(each, fields) for each in query.wanted)
            return wanted and not any(says(each, fields) for each in query.unwanted)


def _stands(phrase: list[str], words: Sequence[str], begins: bool) -> bool:  # noqa: FBT001
    """Whether the phrase stands in the words; with ``begins``, its last one may go on."""
    size = len(phrase)
    for i in range(len(words) - size + 1):
        there = list(words[i : i + size])
        if there == phrase:
            return True
        if begins and there[:-1] == phrase[:-1] and there[-1].startswith(phrase[-1]):
            return True
    return False


def _within(scope: HoldScope, at: datetime) -> bool:
    return (scope.since is None or at >= scope.since) and (scope.until is None or at < scope.until)


def _terms(scope: HoldScope) -> Query | None:
    """The words of a scope; words that cannot be read leave nothing out."""
    try:
        return parse_query(scope.terms)
    except QueryError:
        return None
