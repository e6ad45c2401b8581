"""The register of groups: where each stands, what is known of it, and what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response

from bridge import keys
from bridge.console.deeds import Ordered, deeds_for, is_own, ordered_of, waiting_proposals
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.model import Group, Loss
from bridge.protocols.catalog import DayCount, ListedGroup

TYPED = (
    "step",
    "why",
    "owner",
    "purpose",
    "retention",
    "dpia",
    "device_type",
    "capture_all",
)
"""Fields of the forms about one group, as they come back where something is wrong."""


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
    return visit.page(
        "console/groups_all.html",
        title="Groups",
        groups=groups,
        waiting=await waiting_proposals(visit),
        may_propose=Right.REGISTER in visit.rights and visit.parts.orders is not None,
    )


async def show_one(visit: Visit) -> Response:
    """One group: its standing, its days, its gaps."""
    group = await group_of(visit, visit.request.path_params["gid"])
    return await group_page(visit, group)


async def group_page(
    visit: Visit, group: GroupView, *, problems: tuple[str, ...] = (), status: int = 200
) -> Response:
    """The page of a group, with what may be ordered of it."""
    gaps: Sequence[Loss] = ()
    ordered: Sequence[Ordered] = ()
    retention = None
    known = group.register
    if known is not None:
        gaps = await visit.parts.journal.gaps(known.connector, known.group_id)
        ordered = await ordered_of(visit, known)
        said = known.particulars.retention
        retention = visit.parts.schedule.of(known.connector, known.group_id, said)
    days: Sequence[DayCount] = await visit.parts.catalog.days(group.gid)
    return visit.page(
        "console/groups_one.html",
        title=group.name,
        status=status,
        group=group,
        gaps=gaps,
        days=list(reversed(days)),
        readable=visit.may_see(group.gid),
        retention=retention,
        deeds=deeds_for(visit, group.gid, known),
        own=is_own(visit, known),
        ordered=ordered,
        problems=problems,
        typed={name: visit.posted(name) for name in TYPED},
        classes=[each.name for each in visit.parts.schedule.classes],
    )


PAGES = (
    Page(path="/groups", handler=show_all, right=Right.OVERVIEW),
    Page(path="/groups/{gid}", handler=show_one, right=Right.OVERVIEW),
)
