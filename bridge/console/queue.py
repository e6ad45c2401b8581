"""What waits for a person, the most pressing first: from the catalog and people's orders.

The catalog says what is under review, the office what was said of it since; a decision that was
ordered is out of the queue at once, and shown as ordered until the recorder has carried it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from bridge.console.ciphertexts import unopened
from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.console.veil import unveiled
from bridge.errors import JournalError, JournalUnavailableError
from bridge.hindsight import CODE as HINDSIGHT
from bridge.lots import CODE as AUDIT
from bridge.model import Outcome
from bridge.protocols import DecisionOrder, Office
from bridge.protocols.catalog import Listing, Search
from bridge.protocols.holds import Hold, Holds
from bridge.scopes import Scopes

MOST = 500
"""Messages in one list: the oldest days that hold so many."""

MOST_OF_A_DAY = 10_000
"""Messages in one list where a single day holds more than ``MOST``."""

PAGE = 500
SAMPLE = 5
"""Of many alike so many are decided one by one before the others may be decided together."""

SAMPLE_AGE = timedelta(days=1)
_HOW = frozenset({AUDIT, HINDSIGHT})
"""Codes that say how a message came before a person, and not why."""
_LATEST = datetime.max.replace(tzinfo=UTC)


class Line(StrEnum):
    """The lists of the queue."""

    WAITING = "waiting"
    SAMPLE = "sample"
    SENSITIVE = "sensitive"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A message under review. ``due``: when nobody's decision becomes one by policy.

    ``order``: what was said of it last; ``last`` is its number, the token of every form about it.
    """

    listing: Listing
    group: str
    due: datetime | None
    order: DecisionOrder | None = None
    holds: tuple[Hold, ...] = ()

    @property
    def last(self) -> int:
        """The number of the last order on it; 0 where there is none."""
        return 0 if self.order is None else self.order.number

    @property
    def code(self) -> str:
        """The reason that counts for alike: its first that says why, and not how it came here."""
        codes = [each.code for each in self.listing.reasons if each.code not in _HOW]
        return codes[0] if codes else "NONE"

    @property
    def lot(self) -> str:
        """The many alike that it is one of: its group and its first reason."""
        return f"{self.listing.gid}/{self.code}"

    @property
    def event(self) -> tuple[str, int]:
        """Stream and number."""
        return self.listing.stream, self.listing.n

    @property
    def age(self) -> tuple[date, float, datetime]:
        """The oldest first: what no time decides."""
        at = self.listing.at or _LATEST
        return at.date(), 0.0, at

    @property
    def risk(self) -> tuple[date, float, datetime]:
        """What is due first comes first; of a day's, what most likely matters, then the oldest."""
        due = self.due or _LATEST
        return due.date(), -self.listing.score, self.listing.at or _LATEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One list. ``ordered``: decided, and not carried out yet.

    ``restricted``: how many are kept apart, of which only their own list says more.
    """

    line: Line
    items: tuple[Item, ...] = ()
    ordered: tuple[Item, ...] = ()
    restricted: int = 0
    more: bool = False
    taken: int | None = field(default=None)
    """The last order that the recorder took up; None: nobody can say."""

    def lot(self, name: str) -> tuple[Item, ...]:
        """Those of a lot."""
        return tuple(each for each in self.items if each.lot == name)

    def drawn(self, name: str) -> tuple[Item, ...]:
        """The sample of a lot, drawn by nobody's choice."""
        return tuple(sorted(self.lot(name), key=_draw)[:SAMPLE])


def _draw(item: Item) -> bytes:
    stream, n = item.event
    return hashlib.sha256(f"{stream}\0{n}".encode()).digest()


def orders_of(visit: Visit) -> Office:
    """Where orders go.

    Raises:
        JournalUnavailableError: this console has no office.
    """
    if visit.parts.orders is None:
        raise JournalUnavailableError("This console has no office for orders.")
    return visit.parts.orders


def holds_of(visit: Visit) -> Holds:
    """Where holds stand.

    Raises:
        JournalUnavailableError: this console has no office.
    """
    if visit.parts.holds is None:
        raise JournalUnavailableError("This console has no office for holds.")
    return visit.parts.holds


async def sheet_of(visit: Visit, line: Line, gid: str | None = None) -> Sheet:
    """One list, for who asks and, where given, for one group."""
    listings, more = await _found(visit, line, gid)
    items = await items_of(visit, listings)
    waiting = [each for each in items if _waits(each.order, line)]
    ordered = [each for each in items if each.order is not None and not is_marked(each)]
    apart = line is Line.RESTRICTED
    return Sheet(
        line=line,
        items=tuple(sorted(waiting, key=lambda each: each.age if apart else each.risk)),
        ordered=tuple(sorted(ordered, key=lambda each: each.last)),
        restricted=await _kept_apart(visit, gid),
        more=more,
        taken=await taken_up(visit),
    )


def is_restricted(listing: Listing) -> bool:
    """Whether it is under review and stands nowhere: marked SECRET or above."""
    return listing.outcome is Outcome.REVIEW and listing.key is None


def _is_of(listing: Listing, line: Line) -> bool:
    if is_restricted(listing) or line is Line.RESTRICTED:
        return is_restricted(listing) and line is Line.RESTRICTED
    return any(reason.code == AUDIT for reason in listing.reasons) is (line is Line.SAMPLE)


def _waits(order: DecisionOrder | None, line: Line) -> bool:
    return _is_mark(order) if line is Line.SENSITIVE else order is None


def _is_mark(order: DecisionOrder | None) -> bool:
    return order is not None and order.outcome is Outcome.REVIEW


def is_marked(item: Item) -> bool:
    """Whether it is for those alone who may see what is sensitive."""
    return _is_mark(item.order)


def is_decided(item: Item) -> bool:
    """Whether nothing is left to decide. A mark is to be lifted, also from what is a record."""
    is_open = item.listing.outcome is Outcome.REVIEW and item.order is None
    return not (is_open or is_marked(item))


def is_record(item: Item) -> bool:
    """Whether it is kept and was decided: it may still be marked, and nothing else."""
    return is_decided(item) and item.listing.outcome is Outcome.CAPTURE


async def taken_up(visit: Visit) -> int | None:
    """The last order that the recorder took up; None: its journal cannot be read."""
    try:
        return await visit.parts.journal.orders_taken()
    except JournalError:
        return None


async def items_of(visit: Visit, listings: Sequence[Listing]) -> list[Item]:
    """Listings with what people said of them, and the holds over them."""
    names = {
        group.gid: group.name or group.group_id for group in await visit.parts.catalog.groups()
    }
    orders = await _orders(visit, listings)
    scopes = Scopes(await holds_of(visit).standing())
    return [
        Item(
            listing=each,
            group=names.get(each.gid, each.group_id),
            due=_due(visit, each),
            order=orders.get((each.stream, each.n)),
            holds=scopes.over_listing(each),
        )
        for each in listings
    ]


async def _orders(
    visit: Visit, listings: Sequence[Listing]
) -> dict[tuple[str, int], DecisionOrder]:
    said = await orders_of(visit).last_decisions([(each.stream, each.n) for each in listings])
    return {(each.stream, each.n): each for each in said}


def _due(visit: Visit, listing: Listing) -> datetime | None:
    received, review = listing.observed_at or listing.at, visit.parts.schedule.review
    if received is None or review is None or listing.outcome is not Outcome.REVIEW:
        return None
    return received + review


async def _found(visit: Visit, line: Line, gid: str | None) -> tuple[list[Listing], bool]:
    """What waits in a list or was ordered of it, and whether there is more.

    Whole days, the oldest first, until so much waits as one list takes: what does not wait is in
    nobody's way, however much of it there is.
    """
    if line is Line.SENSITIVE:
        return await _marked(visit, gid)
    found: list[Listing] = []
    days: list[str] = []
    async for page in _pages(visit, line, gid):
        seen = await unveiled(visit, [each for each in page if _is_of(each, line)])
        mine = await unopened(visit, seen)
        orders = await _orders(visit, mine)
        found += mine
        days += [each.day for each in mine if _waits(orders.get((each.stream, each.n)), line)]
        last = days[MOST - 1] if len(days) >= MOST else None
        if last is not None and (page[-1].day > last or len(days) >= MOST_OF_A_DAY):
            return [each for each in found if each.day <= last], True
    return found, False


async def _pages(visit: Visit, line: Line, gid: str | None) -> AsyncIterator[tuple[Listing, ...]]:
    """What the catalog lists under review in the groups of who asks, the oldest first."""
    if gid is not None and not visit.may_see(gid):
        return
    search = replace(
        _search(visit, gid),
        codes=(AUDIT,) if line is Line.SAMPLE else (),
        restricted=line is Line.RESTRICTED,
        oldest=True,
        limit=PAGE,
    )
    while True:
        page = await visit.parts.catalog.search(search)
        if page.listings:
            yield page.listings
        if page.following is None:
            return
        search = replace(search, before=page.following)


def _search(visit: Visit, gid: str | None) -> Search:
    own = visit.session.groups if visit.session else frozenset()
    gids = sorted(own) if gid is None else [gid]
    return Search(outcomes=(Outcome.REVIEW,), gids=tuple(gids))


async def _kept_apart(visit: Visit, gid: str | None) -> int:
    if gid is not None and not visit.may_see(gid):
        return 0
    search = replace(_search(visit, gid), restricted=True, limit=1)
    return (await visit.parts.catalog.search(search)).total


async def _marked(visit: Visit, gid: str | None) -> tuple[list[Listing], bool]:
    """What is marked, the oldest marks first, and whether there is more."""
    found: list[Listing] = []
    marks: tuple[DecisionOrder, ...] = ()
    after = 0
    while len(found) < MOST and (marks := await orders_of(visit).marks(after=after, limit=PAGE)):
        after = marks[-1].number
        by_stream: dict[str, list[int]] = {}
        for order in marks:
            by_stream.setdefault(order.stream, []).append(order.n)
        for stream, numbers in by_stream.items():
            listed = await visit.parts.catalog.numbered(stream, numbers)
            found += [each for each in listed if _is_shown(visit, each, gid)]
    return found, bool(marks)


def _is_shown(visit: Visit, listing: Listing, gid: str | None) -> bool:
    """Whether a marked message has a page for who asks, whatever became of its review."""
    is_stored = listing.key is not None
    return is_stored and visit.may_see(listing.gid) and gid in {None, listing.gid}


def lines_for(visit: Visit) -> tuple[Line, ...]:
    """The lists that somebody may see."""
    if Right.SENSITIVE in visit.rights:
        return tuple(Line)
    return (Line.WAITING, Line.SAMPLE)
