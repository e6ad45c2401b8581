"""What of a listing can be searched, and a search in the language of FTS5. Pure.

What is not a word (group, person, code, ...) stands beside the words as short tokens, so that the
index itself intersects them: a common word in a rare group costs no look at each message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from bridge.protocols.catalog import Listing, Search
from bridge.query import Either, Every, Query, Words

GROUP, PERSON, KIND, OUTCOME, CODE, TYPE, DIGEST, MARKING = "gpkoctdm"
_SYMBOLS = re.compile(r"[\W_]+")


def texts_of(listing: Listing) -> tuple[str, str, str]:
    """The three columns of the index: words, names, facets. The same for the same listing."""
    names = [listing.sender_name or "", *(medium.name or "" for medium in listing.media)]
    return listing.body or "", " ".join(names), " ".join(sorted(set(_facets(listing))))


def expression(search: Search) -> str | None:
    """The MATCH expression of a search; None where it asks for everything."""
    conditions = [] if search.words is None else [f"{{body names}} : ({_words(search.words)})"]
    for letter, values in (
        (GROUP, search.gids),
        (PERSON, search.persons),
        (KIND, search.kinds),
        (OUTCOME, search.outcomes),
        (CODE, search.codes),
        (TYPE, search.media_types),
        (MARKING, [marking_form(each) for each in search.markings]),
        (DIGEST, () if search.sha256 is None else (search.sha256,)),
    ):
        if values:
            tokens = " OR ".join(f'"{_facet(letter, value)}"' for value in values)
            conditions.append(f"facets : ({tokens})")
    return " AND ".join(conditions) or None


def _words(query: Query) -> str:
    match query:
        case Words():
            quoted = query.text.replace('"', '""')
            return f'"{quoted}"' + (" *" if query.begins else "")
        case Either():
            return " OR ".join(f"({_words(each)})" for each in query.choices)
        case Every():
            wanted = " AND ".join(f"({_words(each)})" for each in query.wanted)
            unwanted = " OR ".join(f"({_words(each)})" for each in query.unwanted)
            return f"({wanted}) NOT ({unwanted})" if unwanted else wanted


def marking_form(text: str) -> str:
    """A protective marking in the one form in which it is indexed, however it is spelt."""
    return _SYMBOLS.sub(" ", text).strip().upper()


def _facets(listing: Listing) -> Iterable[str]:
    yield _facet(GROUP, listing.gid)
    yield _facet(OUTCOME, listing.outcome)
    for reason in listing.reasons:
        yield _facet(CODE, reason.code)
        if reason.code == "MARKING" and listing.body is not None:
            yield _facet(MARKING, marking_form(listing.body[reason.start : reason.end]))
    if listing.sender_id is not None:
        yield _facet(PERSON, listing.sender_id)
    if listing.kind is not None:
        yield _facet(KIND, listing.kind)
    if listing.sha256 is not None:
        yield _facet(DIGEST, listing.sha256)
    for medium in listing.media:
        if medium.sha256 is not None:
            yield _facet(DIGEST, medium.sha256)
        type_ = medium.sniffed_type or medium.declared_type
        if type_ is not None:
            yield _facet(TYPE, type_)
            yield _facet(TYPE, type_.partition("/")[0])


@lru_cache(maxsize=4096)
def _facet(letter: str, value: str) -> str:
    """A token that no tokenizer takes apart, whatever the value holds."""
    return letter + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]
