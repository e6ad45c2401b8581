"""A group's day as a conversation: what is kept, why, and where something was left out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response

from bridge import keys
from bridge.console.conversation import Turn, arranged
from bridge.console.pages.groups import GroupView, group_of
from bridge.console.rights import Right
from bridge.console.site import Page, Visit, moment
from bridge.console.text import Span
from bridge.console.veil import veiled
from bridge.console.zones import days_of, filed_days, within, zone_named
from bridge.model import Outcome
from bridge.protocols.catalog import DayCount, Listing

CONTEXT = "CONTEXT"
WHOLE = 500
"""Messages up to which a day is one page."""

PAGE = 250
"""Messages on each page of a longer one."""

LONGEST_ZONE = 64


def standing(listing: Listing) -> str:
    """The word for what was decided of a message, which also names its style."""
    if listing.damaged:
        return "damaged"
    if listing.outcome is Outcome.CAPTURE and listing.reasons[:1]:
        return "context" if listing.reasons[0].code == CONTEXT else "capture"
    return listing.outcome.value


WORDS = {
    "capture": "Significant",
    "context": "Kept as context",
    "review": "Waits for review",
    "discard": "Not kept",
    "damaged": "Does not match the log",
}
"""What a page calls each standing."""

COLOURS = {
    "capture": "green",
    "context": "blue",
    "review": "orange",
    "discard": "grey",
    "damaged": "red",
}
"""Of the tag that says so."""


def spans(listing: Listing) -> list[Span]:
    """The parts of the text that gave the reasons."""
    return [Span(reason.start, reason.end) for reason in listing.reasons if reason.end]


def codes_of(listing: Listing) -> list[str]:
    """The codes of its reasons, each once: one code may have been given by several words."""
    return list(dict.fromkeys(reason.code for reason in listing.reasons))


def stem(listing: Listing) -> str:
    """The name by which its page is known; empty of what is not kept."""
    return "" if listing.key is None else keys.stem_of(listing.key)


def anchor(listing: Listing) -> str:
    """The id of a message on every page that shows it."""
    return f"n{listing.n}-{listing.stream}"


def place(listing: Listing) -> str:
    """Where a message is shown in its day."""
    return f"/groups/{listing.gid}/{listing.day}?{urlencode({'n': listing.n})}#{anchor(listing)}"


def said_at(at: datetime | None, visit: Visit, zone: ZoneInfo | None) -> str:
    """A time in the zone that was chosen, else in the department's."""
    if at is None or zone is None:
        return moment(at, visit)
    return within(at, zone).strftime("%-d %B %Y, %H:%M:%S %Z")


class BadChoiceError(ValueError):
    """What was asked for cannot be. The text says what, for whoever typed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which part of a day is asked for, and in which zone; None: the day by which it is filed."""

    day: date
    zone: ZoneInfo | None
    page: int = 1
    number: int | None = None

    def path(self, gid: str, **changes: str) -> str:
        """The address of this view with some changes; an empty one takes its value out."""
        values = {"tz": self.zone.key if self.zone else "", "page": "", **changes}
        day = values.pop("day", self.day.isoformat())
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/groups/{gid}/{day}" + (f"?{query}" if query else "")


async def show(visit: Visit) -> Response:
    """The day. That it was looked at stands in the trail before it is sent."""
    gid = visit.request.path_params["gid"]
    day = _day(visit.request.path_params["date"])
    group = await group_of(visit, gid)
    if not visit.may_see(gid):
        await visit.note("denied", f"/groups/{gid}/{day}", allowed=False)
        raise HTTPException(404)
    try:
        choice = await _choice(visit, day)
        listings = await veiled(visit, await _listings(visit, gid, choice))
        turns = arranged(listings)
        choice = _on_page(choice, turns)
    except BadChoiceError as error:
        return visit.page(
            "console/days_refused.html",
            title="This day cannot be shown so",
            status=400,
            group=group,
            day=day,
            wrong=str(error),
        )
    await visit.note("view day", f"{gid}/{day.isoformat()}", details=_detail(choice))
    return await _page(visit, group, choice, listings, turns)


async def _page(
    visit: Visit,
    group: GroupView,
    choice: Choice,
    listings: Sequence[Listing],
    turns: Sequence[Turn],
) -> Response:
    gid, day = group.gid, choice.day
    counts = await visit.parts.catalog.days(gid)
    days = _days(counts, choice.zone)
    filed = next((each for each in counts if each.day == day.isoformat()), None)
    listed = sum((filed.captured, filed.review, filed.discarded)) if filed else 0
    size, pages = _pages(turns)
    first = (choice.page - 1) * size
    earlier = max((each for each in days if each < day), default=None)
    later = min((each for each in days if each > day), default=None)
    number = choice.number
    return visit.page(
        "console/days_one.html",
        title=f"{group.name}, {day:%-d %B %Y}",
        group=group,
        choice=choice,
        zone=choice.zone,
        turns=turns[first : first + size],
        counts=Counter(standing(each) for each in listings),
        pages=pages,
        total=len(turns),
        unlisted=max(listed - len(listings), 0) if choice.zone is None else 0,
        first=first + 1,
        earlier=earlier and (earlier.isoformat(), choice.path(gid, day=earlier.isoformat())),
        later=later and (later.isoformat(), choice.path(gid, day=later.isoformat())),
        missing=number is not None and all(number not in each.numbers() for each in turns),
    )


async def _listings(visit: Visit, gid: str, choice: Choice) -> tuple[Listing, ...]:
    """The day's events: those filed under it, or those said on it in the zone."""
    catalog, zone = visit.parts.catalog, choice.zone
    if zone is None:
        return await catalog.day(gid, choice.day.isoformat())
    try:
        filed = filed_days(choice.day, zone)
    except OverflowError:
        raise BadChoiceError(f"No calendar has {choice.day} in {zone.key}.") from None
    found = [each for day in filed for each in await catalog.day(gid, day.isoformat())]
    return tuple(
        each
        for each in found
        if (within(each.at, zone).date() if each.at else date.fromisoformat(each.day)) == choice.day
    )


def _days(counts: Sequence[DayCount], zone: ZoneInfo | None) -> set[date]:
    """Days on which something was said."""
    filed = [date.fromisoformat(each.day) for each in counts]
    if zone is None:
        return set(filed)
    return {day for each in filed for day in days_of(each, zone)}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HTTPException(404) from None


async def _choice(visit: Visit, day: date) -> Choice:
    """What the address asks for.

    Raises:
        BadChoiceError: it cannot be understood.
    """
    query = visit.request.query_params
    name, zone = query.get("tz", "").strip(), None
    if name:
        zone = None
        if len(name) <= LONGEST_ZONE:
            zone = await asyncio.to_thread(zone_named, name)
        if zone is None:
            raise BadChoiceError(
                "There is no time zone of that name. Names are those of the IANA list, such as"
                " Europe/London or UTC."
            )
    page = _number(query.get("page", "").strip() or "1", "page")
    wanted = query.get("n", "").strip()
    number = _number(wanted, "number of a message") if wanted else None
    return Choice(day=day, zone=zone, page=page, number=number)


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise BadChoiceError(f"The {what} must be a whole number.")
    return int(text)


def _on_page(choice: Choice, turns: Sequence[Turn]) -> Choice:
    """The same, on the page where the wanted number stands.

    Raises:
        BadChoiceError: there is no such page.
    """
    size, last = _pages(turns)
    page = choice.page
    for i, turn in enumerate(turns):
        if choice.number is not None and choice.number in turn.numbers():
            page = i // size + 1
            break
    if not 1 <= page <= last:
        several = "s" if last > 1 else ""
        raise BadChoiceError(f"This day has {last} page{several}, and no page {page}.")
    return Choice(day=choice.day, zone=choice.zone, page=page, number=choice.number)


def _pages(turns: Sequence[Turn]) -> tuple[int, int]:
    """How many messages stand on one page, and how many pages there are."""
    size = WHOLE if len(turns) <= WHOLE else PAGE
    return size, max(-(-len(turns) // size), 1)


def _detail(choice: Choice) -> str:
    zone = f"in {choice.zone.key}, " if choice.zone else ""
    return f"{zone}page {choice.page}"


GLOBALS = {
    "standing": standing,
    "words": WORDS,
    "colours": COLOURS,
    "spans": spans,
    "codes_of": codes_of,
    "stem": stem,
    "anchor": anchor,
    "place": place,
    "said_at": said_at,
}
"""What templates ask about a listing."""

PAGES = (Page(path="/groups/{gid}/{date}", handler=show, right=Right.CONTENT),)
