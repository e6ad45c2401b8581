"""What somebody asks of the search, from the fields of its form or of a link; or what is wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from bridge.console.classes import classes_by_gid
from bridge.console.site import Visit
from bridge.console.veil import within_rights
from bridge.model import EventKind, Outcome
from bridge.protocols.catalog import ListedGroup, Search
from bridge.protocols.holds import HoldScope
from bridge.query import Every, Query, QueryError, parse_query

FIELDS = (
    "q", "group", "person", "from", "to", "tz", "outcome", "kind", "code", "marking", "type",
    "retention", "hold", "file",
)  # fmt: skip
"""The parameters of a search, in the order in which a link has them."""

DEFAULT_CLASS = "default"
"""The retention class of groups that name none: the store's."""

NOBODY = "none"
"""No gid and no sender: of a condition that nothing fits."""

MOST_PEOPLE = 50
LONGEST = 500
"""Characters of any other field than the words."""

_CODE = re.compile(r"[A-Z][A-Z_]{0,39}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,80}(?:/[a-z0-9][a-z0-9.+-]{0,80})?")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_CURSOR = re.compile(r"[0-9]{1,19}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}")
_E = TypeVar("_E", bound=StrEnum)


class Params(Protocol):
    """The fields of a link or a form."""

    def getlist(self, key: str, /) -> Sequence[object]:
        """Every value of a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a field, for whoever filled it in."""

    field: str
    sentence: str


@dataclass(slots=True, kw_only=True)
class Wanted:
    """A search as it was asked. ``search`` is None where there are ``problems``.

    ``typed`` holds what was typed, to be shown again; ``link`` is its canonical query string,
    without the page. ``scope`` holds the groups that may be chosen, by gid.
    """

    zone: ZoneInfo
    scope: Mapping[str, ListedGroup]
    typed: dict[str, list[str]]
    problems: list[Problem] = field(default_factory=list)
    search: Search | None = None
    people: int | None = None

    @property
    def is_asked(self) -> bool:
        """Whether anything was asked at all: a bare ``/search`` only shows the form."""
        return bool(self.typed)

    @property
    def link(self) -> str:
        """The same search as a query string, in one form however it was typed."""
        pairs = [(name, value) for name in FIELDS for value in self.typed.get(name, ()) if value]
        return urlencode(pairs) or "q="

    def one(self, name: str) -> str:
        """What was typed into a field that has one value."""
        return next(iter(self.typed.get(name, ())), "")

    def wrong(self, name: str, sentence: str) -> None:
        """A problem."""
        self.problems.append(Problem(field=name, sentence=sentence))


async def search_of(visit: Visit, params: Params) -> Wanted:
    """What a link or form asks for, in the scope of whoever asks.

    Raises:
        CatalogError: the catalog, which knows the groups and people, cannot be asked.
        JournalUnavailableError: the office, which knows what is marked, cannot be asked.
    """
    wanted = Wanted(
        zone=visit.parts.zone,
        scope={
            group.gid: group
            for group in await visit.parts.catalog.groups()
            if visit.may_see(group.gid)
        },
        typed=_typed(params),
    )
    wanted.zone = await asyncio.to_thread(_zone, wanted)
    _lengths(wanted)
    since, until = _since(wanted), _until(wanted)
    if since is not None and until is not None and since >= until:
        wanted.wrong("to", "The search ends before it begins: give a later end.")
    search = Search(
        words=_words(wanted),
        gids=await _gids(visit, wanted),
        since=since,
        until=until,
        kinds=_members(wanted, "kind", EventKind),
        outcomes=_members(wanted, "outcome", Outcome),
        codes=_codes(wanted),
        markings=tuple(value for value in wanted.typed.get("marking", ()) if value),
        media_types=_types(wanted),
        sha256=_digest(wanted),
        before=_cursor(wanted, params),
    )
    persons = await _persons(visit, wanted)
    scope = await _hold(visit, wanted)
    if not wanted.problems:
        search = _within(replace(search, persons=persons), scope)
        wanted.search = await within_rights(visit, search)
    return wanted


def _typed(params: Params) -> dict[str, list[str]]:
    """What was typed. A date in three fields becomes one; the page is no part of a search."""
    typed = {}
    for name in FIELDS:
        given = [value for value in params.getlist(name) if isinstance(value, str)]
        if name in {"from", "to"}:
            day, month, year = (
                next((str(each).strip() for each in params.getlist(f"{name}-{part}")), "")
                for part in ("day", "month", "year")
            )
            if day or month or year:
                given = [f"{year.zfill(4)}-{month.zfill(2)}-{day.zfill(2)}"]
        if given:
            typed[name] = [value.strip() for value in given]
    return typed


def _lengths(wanted: Wanted) -> None:
    for name, values in wanted.typed.items():
        if name != "q" and any(len(value) > LONGEST for value in values):
            wanted.wrong(name, f"This is too long: {LONGEST} characters are the most.")


def _zone(wanted: Wanted) -> ZoneInfo:
    name = wanted.one("tz")
    if not name:
        return wanted.zone
    with suppress(KeyError, ValueError, OSError):
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    wanted.wrong("tz", "This time zone is not known. Give its name, such as Europe/London or UTC.")
    return wanted.zone


def _moment(wanted: Wanted, name: str) -> tuple[datetime, bool] | None:
    """The moment that a field names, and whether it names a whole day."""
    text = wanted.one(name)
    if not text:
        return None
    try:
        if len(text) == len("2026-03-27"):
            day = date.fromisoformat(text)
            return datetime.combine(day, time(), wanted.zone), True
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=wanted.zone)
        at.timestamp()  # far years overflow
    except (ValueError, OverflowError):
        wanted.wrong(name, "This is no date. Give day, month and year, such as 27 3 2026.")
        return None
    return at, False


def _since(wanted: Wanted) -> datetime | None:
    found = _moment(wanted, "from")
    return None if found is None else found[0]


def _until(wanted: Wanted) -> datetime | None:
    """The first moment after the day, or the minute, that is named."""
    found = _moment(wanted, "to")
    if found is None:
        return None
    at, is_day = found
    try:
        # In local time: a day on which clocks change has 23 or 25 hours.
        return at + (timedelta(days=1) if is_day else timedelta(minutes=1))
    except OverflowError:
        return None


def _words(wanted: Wanted) -> Query | None:
    try:
        return parse_query(wanted.one("q"))
    except QueryError as error:
        wanted.wrong("q", str(error))
        return None


async def _gids(visit: Visit, wanted: Wanted) -> tuple[str, ...]:
    """The groups to look in; empty means all, and is never given to who is for some alone."""
    chosen = [gid for gid in wanted.typed.get("group", ()) if gid]
    if any(gid not in wanted.scope for gid in chosen):
        # One answer for what is not there and what is not theirs; the trail tells them apart.
        for gid in chosen:
            if not visit.in_scope(gid):
                await visit.note("denied", f"/search group {gid[:40]}", allowed=False)
        wanted.wrong("group", "A group in this search is not known. Choose from the list.")
    gids = frozenset(chosen) or (visit.session.groups if visit.session else frozenset())
    name = wanted.one("retention")
    if name:
        of_class = await _of_class(visit, wanted, name)
        gids = of_class & gids if gids else of_class
        gids = gids or frozenset({NOBODY})
    return tuple(sorted(gids))


async def _of_class(visit: Visit, wanted: Wanted, name: str) -> frozenset[str]:
    """The groups of a retention class."""
    if name not in {*visit.parts.retention, DEFAULT_CLASS}:
        wanted.wrong("retention", "This retention class is not known. Choose from the list.")
        return frozenset()
    usual = visit.parts.schedule.usual
    known = await classes_by_gid(visit.parts)
    called = usual.name if name == DEFAULT_CLASS else name
    return frozenset(gid for gid in wanted.scope if known.get(gid, usual).name == called)


def _members(wanted: Wanted, name: str, kind: type[_E]) -> tuple[_E, ...]:
    known = {each.value: each for each in kind}
    given = [value for value in wanted.typed.get(name, ()) if value]
    if any(value not in known for value in given):
        wanted.wrong(name, "One of these choices is not known. Choose from the list.")
    return tuple(dict.fromkeys(known[value] for value in given if value in known))


def _split(values: Iterable[str]) -> list[str]:
    return [part for value in values for part in re.split(r"[\s,;]+", value) if part]


def _codes(wanted: Wanted) -> tuple[str, ...]:
    found = [each.upper() for each in _split(wanted.typed.get("code", ()))]
    if not all(_CODE.fullmatch(each) for each in found):
        wanted.wrong("code", "A reason code has capital letters only, such as DECISION.")
    return tuple(found)


def _types(wanted: Wanted) -> tuple[str, ...]:
    found = [each.lower() for each in _split(wanted.typed.get("type", ()))]
    if not all(_TYPE.fullmatch(each) for each in found):
        wanted.wrong("type", "Give a type of attachment, such as image or application/pdf.")
    return tuple(found)


def _digest(wanted: Wanted) -> str | None:
    text = wanted.one("file").lower().removeprefix("sha256:")
    if text and not _DIGEST.fullmatch(text):
        wanted.wrong("file", "A SHA-256 has 64 characters, of 0 to 9 and a to f.")
    return text or None


async def _hold(visit: Visit, wanted: Wanted) -> HoldScope:
    """What the hold of that number covers; everything where none is named."""
    text = wanted.one("hold")
    if text and not _NUMBER.fullmatch(text):
        wanted.wrong("hold", "Give the number of a hold, in digits.")
    elif text:
        after = int(text) - 1
        known = await visit.parts.holds.holds(after) if visit.parts.holds else ()
        if known and known[0].number == int(text):
            return known[0].scope
        wanted.wrong("hold", f"Hold {text} is not known.")
    return HoldScope()


def _within(search: Search, scope: HoldScope) -> Search:
    """The search narrowed to what a hold covers, released or not."""
    terms = parse_query(scope.terms)
    both = tuple(each for each in (search.words, terms) if each is not None)
    begins = [each for each in (search.since, scope.since) if each is not None]
    ends = [each for each in (search.until, scope.until) if each is not None]
    return replace(
        search,
        words=Every(both) if len(both) > 1 else next(iter(both), None),
        gids=_both(search.gids, scope.gids),
        persons=_both(search.persons, scope.persons),
        since=max(begins, default=None),
        until=min(ends, default=None),
    )


def _both(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """What stands in both, where an empty one means everything."""
    if not some or not others:
        return some or others
    return tuple(each for each in some if each in others) or (NOBODY,)


def _cursor(wanted: Wanted, params: Params) -> int | None:
    text = next((str(each) for each in params.getlist("before")), "")
    if not text:
        return None
    if not _CURSOR.fullmatch(text) or int(text) >= 1 << 63:
        wanted.wrong("q", "This page of results is not known. Search again from the first page.")
        return None
    return int(text)


async def _persons(visit: Visit, wanted: Wanted) -> tuple[str, ...]:
    """Ids of whose id or name begins as typed."""
    text = wanted.one("person")
    if not text or wanted.problems:
        return ()
    found = await visit.parts.catalog.persons(text, limit=MOST_PEOPLE + 1)
    wanted.people = len(found)
    if len(found) > MOST_PEOPLE:
        wanted.wrong("person", f"More than {MOST_PEOPLE} people begin so: type more of the name.")
    return tuple(id_ for id_, _ in found) or (NOBODY,)
