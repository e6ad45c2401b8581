"""What waits for a person, the most pressing first: from the catalog and people's orders.

The catalog says what is under review, the office what was said of it since; a decision that was
ordered is out of the queue at once, and shown as ordered until the recorder has carried it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from bridge.console.rights import Right
from bridge.console.site import Visit
from bridge.errors import JournalError, JournalUnavailableError
from bridge.model import EventKind, Outcome
from bridge.protocols import DecisionOrder, Office
from bridge.protocols.catalog import Listing, Search
from bridge.protocols.holds import Hold, Holds
from bridge.scopes import Scopes

MOST = 500
"""Messages in one list: the oldest days that hold so many."""

PAGE = 500
MOST_PAGES = 20
SAMPLE = 5
"""Of many alike so many are decided one by one before the others may be decided together."""

SAMPLE_AGE = timedelta(days=1)
AUDIT = "AUDIT"
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
        """The reason that counts for alike: its first that is not of the lot."""
        codes = [each.code for each in self.listing.reasons if each.code != AUDIT]
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
    listings, more = await _under_review(visit, line, gid)
    apart = line is Line.RESTRICTED
    items = await items_of(visit, [each for each in listings if is_restricted(each) is apart])
    audited = line is Line.SAMPLE
    if line not in {Line.SENSITIVE, Line.RESTRICTED}:
        items = [each for each in items if _is_audited(each) is audited]
    waiting = [each for each in items if _waits(each, line)]
    ordered = [each for each in items if each.order is not None and not is_marked(each)]
    return Sheet(
        line=line,
        items=tuple(sorted(waiting, key=lambda each: each.age if apart else each.risk)),
        ordered=tuple(sorted(ordered, key=lambda each: each.last)),
        restricted=sum(map(is_restricted, listings)),
        more=more,
        taken=await taken_up(visit),
    )


def is_restricted(listing: Listing) -> bool:
    """Whether it is under review and stands nowhere: marked SECRET or above."""
    return listing.outcome is Outcome.REVIEW and listing.key is None


def _is_audited(item: Item) -> bool:
    return any(reason.code == AUDIT for reason in item.listing.reasons)


def _waits(item: Item, line: Line) -> bool:
    return is_marked(item) if line is Line.SENSITIVE else item.order is None


def is_marked(item: Item) -> bool:
    """Whether it is for those alone who may see what is sensitive."""
    return item.order is not None and item.order.outcome is Outcome.REVIEW


async def hidden_from(visit: Visit, listings: Sequence[Listing]) -> frozenset[tuple[str, int]]:
    """Which of these are marked, and so not for who asks, by stream and number."""
    if Right.SENSITIVE in visit.rights or visit.parts.orders is None:
        return frozenset()
    events = [(each.stream, each.n) for each in listings]
    said = await visit.parts.orders.last_decisions(events)
    return frozenset((each.stream, each.n) for each in said if each.outcome is Outcome.REVIEW)


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
    said = await orders_of(visit).last_decisions([(each.stream, each.n) for each in listings])
    orders = {(each.stream, each.n): each for each in said}
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


def _due(visit: Visit, listing: Listing) -> datetime | None:
    received, review = listing.observed_at or listing.at, visit.parts.schedule.review
    return None if received is None or review is None else received + review


async def _under_review(visit: Visit, line: Line, gid: str | None) -> tuple[list[Listing], bool]:
    """What the catalog lists under review in the groups of who asks, and whether there is more."""
    if line is Line.SENSITIVE:
        return await _marked(visit, gid), False
    gids = _groups(visit, gid)
    search = Search(outcomes=(Outcome.REVIEW,), gids=gids, limit=PAGE)
    until: datetime | None = None
    if line is Line.SAMPLE:
        search = replace(search, codes=(AUDIT,))
    elif line is Line.RESTRICTED:
        search = replace(search, restricted=True)
    else:
        until = await _until(visit, gids)
    found = await _all(visit, replace(search, until=until))
    return [each for each in found if visit.may_see(each.gid)], until is not None


def _groups(visit: Visit, gid: str | None) -> tuple[str, ...]:
    if gid is not None:
        return (gid,)
    return tuple(sorted(visit.session.groups)) if visit.session else ()


async def _until(visit: Visit, gids: Iterable[str]) -> datetime | None:
    """The end of the days, from the oldest on, that hold enough; None: all of them do."""
    chosen = frozenset(gids)
    total = 0
    for each in await visit.parts.catalog.days():
        if chosen and each.gid not in chosen:
            continue
        if total >= MOST:
            return datetime.combine(date.fromisoformat(each.day), datetime.min.time(), UTC)
        total += each.review
    return None


async def _all(visit: Visit, search: Search) -> list[Listing]:
    found: list[Listing] = []
    before: int | None = None
    for _ in range(MOST_PAGES):
        page = await visit.parts.catalog.search(replace(search, before=before))
        found += page.listings
        before = page.following
        if before is None:
            break
    opened = {
        (each.stream, each.upstream_id) for each in found if each.kind is not EventKind.ENCRYPTED
    }
    return [
        each
        for each in found
        if each.kind is not EventKind.ENCRYPTED or (each.stream, each.upstream_id) not in opened
    ]


async def _marked(visit: Visit, gid: str | None) -> list[Listing]:
    by_stream: dict[str, list[int]] = {}
    for order in await orders_of(visit).marks(limit=MOST):
        by_stream.setdefault(order.stream, []).append(order.n)
    found: list[Listing] = []
    for stream, numbers in by_stream.items():
        found += await visit.parts.catalog.numbered(stream, numbers)
    return [
        each
        for each in found
        if each.outcome is Outcome.REVIEW and visit.may_see(each.gid) and gid in {None, each.gid}
    ]


def lines_for(visit: Visit) -> tuple[Line, ...]:
    """The lists that somebody may see."""
    if Right.SENSITIVE in visit.rights:
        return tuple(Line)
    return (Line.WAITING, Line.SAMPLE)
