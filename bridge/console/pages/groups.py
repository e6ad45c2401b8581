"""The register of groups: where each stands, what is known of it, and what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response

from bridge import keys
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.model import Group, Loss
from bridge.protocols.catalog import DayCount, ListedGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group as the register and the catalog know it; either may be missing."""

    gid: str
    name: str
    platform: str
    register: Group | None
    listed: ListedGroup | None


async def every_group(visit: Visit) -> list[GroupView]:
    """Groups of the register and of the catalog, joined by gid, by name."""
    registered = {
        keys.group_gid(visit.parts.blind_key, group.platform, group.group_id): group
        for group in await visit.parts.journal.groups()
    }
    listed = {group.gid: group for group in await visit.parts.catalog.groups()}
    found = [
        _view(gid, registered.get(gid), listed.get(gid))
        for gid in sorted(registered.keys() | listed.keys())
    ]
    return sorted(found, key=lambda each: (each.name.casefold(), each.gid))


def _view(gid: str, group: Group | None, listed: ListedGroup | None) -> GroupView:
    known = [each for each in (group, listed) if each is not None]
    names = [each.name for each in known if each.name]
    return GroupView(
        gid=gid,
        name=names[0] if names else known[0].group_id,
        platform=known[0].platform,
        register=group,
        listed=listed,
    )


async def group_of(visit: Visit, gid: str) -> GroupView:
    """The group of a path.

    Raises:
        HTTPException: there is none.
    """
    for group in await every_group(visit):
        if group.gid == gid:
            return group
    raise HTTPException(404)


async def show_all(visit: Visit) -> Response:
    """The register."""
    groups = await every_group(visit)
    return visit.page("console/groups_all.html", title="Groups", groups=groups)


async def show_one(visit: Visit) -> Response:
    """One group: its standing, its days, its gaps."""
    group = await group_of(visit, visit.request.path_params["gid"])
    gaps: Sequence[Loss] = ()
    if group.register is not None:
        gaps = await visit.parts.journal.gaps(group.register.connector, group.register.group_id)
    days: Sequence[DayCount] = await visit.parts.catalog.days(group.gid)
    return visit.page(
        "console/groups_one.html",
        title=group.name,
        group=group,
        gaps=gaps,
        days=list(reversed(days)),
        readable=visit.may_see(group.gid),
    )


PAGES = (
    Page(path="/groups", handler=show_all, right=Right.OVERVIEW),
    Page(path="/groups/{gid}", handler=show_one, right=Right.OVERVIEW),
)
