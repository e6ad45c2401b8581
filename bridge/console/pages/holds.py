"""Legal holds: place one, see what it covers, and release what somebody else placed."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bridge import keys
from bridge.console.covered import covered, may_know_how_many
from bridge.console.dates import end_of, start_of
from bridge.console.pages.account import proof_first
from bridge.console.queue import holds_of
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.errors import CatalogError, JournalError
from bridge.protocols import PlacementKind
from bridge.protocols.hold_acts import StoreKnows
from bridge.protocols.holds import Hold, HoldScope, Release
from bridge.query import QueryError, parse_query

FIELDS: Final = ("authority", "matter", "why", "persons", "from", "to", "terms", "everything")
LONGEST: Final = 1000
PERSONS: Final = 10
"""People that one typed name may mean; with more it has to be said more exactly."""

_MATRIX_ID: Final = re.compile(r"@[^\s:]{1,250}:\S{1,250}")
_TELEGRAM_ID: Final = re.compile(r"-?[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A hold, whether it stands, and how far the recorder and the store are with it."""

    hold: Hold
    release: Release | None
    taken: bool | None
    store: StoreKnows | None


async def show_all(visit: Visit) -> Response:
    """Every hold, the standing ones first."""
    found = await _every(visit)
    return visit.page(
        "console/holds_all.html",
        title="Holds",
        standing=[each for each in found if each.release is None],
        ended=[each for each in found if each.release is not None],
    )


async def _every(visit: Visit) -> list[Standing]:
    holds = holds_of(visit)
    ended = {each.hold: each for each in await holds.releases()}
    return [
        Standing(
            hold=hold,
            release=ended.get(hold.number),
            taken=await _is_taken(visit, hold, ended.get(hold.number)),
            store=await _store(visit, hold),
        )
        for hold in reversed(await holds.holds())
    ]


async def _is_taken(visit: Visit, hold: Hold, release: Release | None) -> bool | None:
    """Whether the recorder wrote down the last that was ordered; None: nobody can say."""
    try:
        if release is not None:
            return await visit.parts.journal.acts_taken(PlacementKind.RELEASE) >= release.number
        return await visit.parts.journal.acts_taken(PlacementKind.HOLD) >= hold.number
    except JournalError:
        return None


async def _store(visit: Visit, hold: Hold) -> StoreKnows | None:
    try:
        return await visit.parts.journal.store_knows(hold.number)
    except JournalError:
        return None


async def ask(visit: Visit) -> Response:
    """The form."""
    return await _form(visit, dict.fromkeys(FIELDS, ""), (), ())


async def _form(
    visit: Visit,
    typed: dict[str, str],
    chosen: tuple[str, ...],
    problems: tuple[str, ...],
    status: int = 200,
) -> Response:
    return visit.page(
        "console/holds_new.html",
        title="Place a hold",
        status=status,
        typed=typed,
        chosen=chosen,
        groups=await _groups(visit),
        problems=problems,
    )


async def _groups(visit: Visit) -> list[tuple[str, str]]:
    """Gids and names of the groups that the visitor's account is for.

    What cannot be read now leaves its groups out: a hold does not wait for it.
    """
    names: dict[str, str] = {}
    with suppress(CatalogError):
        for listed in await visit.parts.catalog.groups():
            names[listed.gid] = listed.name or listed.group_id
    with suppress(JournalError):
        for group in await visit.parts.journal.groups():
            gid = keys.group_gid(visit.parts.blind_key, group.platform, group.group_id)
            names[gid] = group.name or group.group_id
    return sorted(
        ((gid, name) for gid, name in names.items() if visit.in_scope(gid)),
        key=lambda each: (each[1].casefold(), each[0]),
    )


async def place(visit: Visit) -> Response:
    """Place a hold. The trail first; from the moment it is committed it keeps what it covers."""
    if visit.session is None:
        raise HTTPException(404)
    typed = {name: visit.posted(name).strip() for name in FIELDS}
    chosen = tuple(str(each) for each in visit.form.getlist("groups"))
    scope, problems = await _scope(visit, typed, chosen)
    problems += [
        f"Say {what}."
        for name, what in (
            ("authority", "on whose authority the hold is placed"),
            ("matter", "for which matter"),
            ("why", "why"),
        )
        if not typed[name]
    ]
    problems += [
        f"{name.capitalize()} is longer than {LONGEST} characters."
        for name, value in typed.items()
        if len(value) > LONGEST
    ]
    if problems:
        return await _form(visit, typed, chosen, tuple(problems), 400)
    await visit.note("place hold", _sayable(typed["matter"]), details=_sayable(typed["authority"]))
    number = await holds_of(visit).place(
        Hold(
            authority=_sayable(typed["authority"]),
            matter=_sayable(typed["matter"]),
            scope=scope,
            by=visit.session.name,
            at=visit.now,
            why=_sayable(typed["why"]),
        )
    )
    return RedirectResponse(f"/holds/{number}", status_code=303)


def _sayable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


async def _scope(
    visit: Visit, typed: dict[str, str], chosen: tuple[str, ...]
) -> tuple[HoldScope, list[str]]:
    problems: list[str] = []
    known = {gid for gid, _ in await _groups(visit)}
    if not known.issuperset(chosen):
        problems.append("Choose groups from the list.")
    try:
        since, until = (
            start_of(typed["from"], visit.parts.zone),
            end_of(typed["to"], visit.parts.zone),
        )
    except ValueError:
        since = until = None
        problems.append("Write days as in 2026-03-31.")
    if since is not None and until is not None and since >= until:
        problems.append("The last day is before the first.")
    try:
        parse_query(_sayable(typed["terms"]))
    except QueryError as error:
        problems.append(f"The words: {error}")
    scope = HoldScope(
        gids=chosen,
        persons=await _persons(visit, typed["persons"], problems),
        since=since,
        until=until,
        terms=_sayable(typed["terms"]),
    )
    if not problems and scope.is_everything != bool(typed["everything"]):
        problems.append(
            "Say what the hold covers, or that it covers everything."
            if scope.is_everything
            else "It covers everything, or what is described: not both."
        )
    if visit.session is not None and visit.session.groups and not chosen:
        problems.append("Your account is for certain groups: choose among them.")
    return scope, problems


async def _persons(visit: Visit, typed: str, problems: list[str]) -> tuple[str, ...]:
    """The ids of the people that are named, one on each line: an id, or a name as it was shown.

    A full id is taken as it is: of somebody of whom nothing was kept no catalog knows. A number
    may be a name as well; then both are meant.
    """
    found: list[str] = []
    for name in filter(None, (each.strip() for each in typed.splitlines())):
        if _MATRIX_ID.fullmatch(name):
            found.append(_sayable(name))
            continue
        try:
            people = await visit.parts.catalog.persons(_sayable(name), limit=PERSONS + 1)
        except CatalogError:
            people = ()
        ids = [id_ for id_, _ in people if id_ == name] or [
            id_ for id_, shown in people if shown.casefold() == name.casefold()
        ]
        if _TELEGRAM_ID.fullmatch(name):
            ids.append(name)
        if not ids and len(people) <= PERSONS:
            ids = [id_ for id_, _ in people]
        if not ids:
            problems.append(
                f"Nobody, or too many, are known as {name[:100]!r}: give the full id, such as "
                "@name:example.org or a number."
            )
        found += ids
    return tuple(dict.fromkeys(found))


async def show_one(visit: Visit) -> Response:
    """One hold, and how much it covers, as far as who asks may know. No content."""
    one = await _one(visit)
    return await _page(visit, one)


async def _page(
    visit: Visit, one: Standing, *, problems: tuple[str, ...] = (), status: int = 200
) -> Response:
    names: dict[str, str] = {}
    with suppress(CatalogError):  # the count says what is wrong
        groups = await visit.parts.catalog.groups()
        names = {each.gid: each.name or each.group_id for each in groups}
    return visit.page(
        "console/holds_one.html",
        title=f"Hold {one.hold.number}",
        status=status,
        one=one,
        names=names,
        covered=await covered(visit, one.hold),
        numbers=may_know_how_many(visit, one.hold),
        problems=problems,
        query=_query(visit, one.hold.scope),
        mine=visit.session is not None and one.hold.by == visit.session.name,
        may_release=Right.RELEASE in visit.rights,
        may_search=Right.CONTENT in visit.rights,
        why=visit.posted("why"),
    )


def _query(visit: Visit, scope: HoldScope) -> str:
    """The search that shows what it covers, for who may see content."""
    fields: list[tuple[str, str]] = [("q", scope.terms)]
    fields += [("group", gid) for gid in scope.gids]
    zone = visit.parts.zone
    if scope.since is not None:
        fields.append(("from", f"{scope.since.astimezone(zone):%Y-%m-%d}"))
    if scope.until is not None:
        fields.append(("to", f"{scope.until.astimezone(zone):%Y-%m-%d}"))
    return urlencode(fields)


async def _one(visit: Visit) -> Standing:
    asked = visit.request.path_params["number"]
    for each in await _every(visit):
        if str(each.hold.number) == asked:
            return each
    raise HTTPException(404)


async def release(visit: Visit) -> Response:
    """Release a hold that somebody else placed, having proved once more who one is."""
    one = await _one(visit)
    if (first := proof_first(visit, back=f"/holds/{one.hold.number}")) is not None:
        return first
    if visit.session is None:
        raise HTTPException(404)
    why = visit.posted("why").strip()
    if one.hold.by == visit.session.name:
        await visit.note("release hold", str(one.hold.number), details="own", allowed=False)
        said = ("You placed this hold: somebody else has to release it.",)
        return await _page(visit, one, problems=said, status=400)
    groups = visit.session.groups
    if groups and not (one.hold.scope.gids and groups.issuperset(one.hold.scope.gids)):
        await visit.note("release hold", str(one.hold.number), details="groups", allowed=False)
        said = ("Your account is for certain groups, and this hold covers others.",)
        return await _page(visit, one, problems=said, status=400)
    if not why or len(why) > LONGEST:
        said = ("Give your reason, in at most 1000 characters.",)
        return await _page(visit, one, problems=said, status=400)
    await visit.note("release hold", str(one.hold.number))
    number = await holds_of(visit).release(
        Release(hold=one.hold.number, by=visit.session.name, at=visit.now, why=_sayable(why))
    )
    if number is None:
        said = ("Somebody released this hold meanwhile.",)
        return await _page(visit, await _one(visit), problems=said, status=409)
    return RedirectResponse(f"/holds/{one.hold.number}", status_code=303)


PAGES = (
    Page(path="/holds", handler=show_all, right=Right.HOLD),
    Page(path="/holds", handler=place, right=Right.HOLD, method="POST"),
    Page(path="/holds/new", handler=ask, right=Right.HOLD),
    Page(path="/holds/{number}", handler=show_one, right=Right.HOLD),
    Page(path="/holds/{number}/release", handler=release, right=Right.RELEASE, method="POST"),
)
