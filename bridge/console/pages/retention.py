"""Retention: the classes, the groups in each, and what falls due when. Nothing is disposed of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.responses import Response

from bridge.console.classes import classes_by_gid
from bridge.console.pages.groups import GroupView, every_group
from bridge.console.queue import holds_of
from bridge.console.rights import Right
from bridge.console.schedule import RetentionClass
from bridge.console.site import Page, Visit
from bridge.protocols.catalog import DayCount
from bridge.protocols.holds import Hold

FURTHEST = 366 * 200
"""Days after which nobody counts months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What falls due in a month: records by the day on which they were said and their class.

    ``held``: of them those in groups that a hold may cover.
    """

    month: str
    records: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassView:
    """A class with its groups; of each whether a hold may cover it."""

    retention: RetentionClass
    groups: tuple[tuple[GroupView, bool], ...]
    due: tuple[Due, ...]


async def show(visit: Visit) -> Response:
    """All classes. The dates are those of the settings as they are now; no content."""
    groups = [each for each in await every_group(visit) if visit.in_scope(each.gid)]
    holds = await holds_of(visit).standing()
    days = await visit.parts.catalog.days()
    schedule = visit.parts.schedule
    by_class: dict[RetentionClass, list[GroupView]] = {each: [] for each in schedule.all}
    known = await classes_by_gid(visit.parts)
    for group in groups:
        # One that is no more comes after the others.
        by_class.setdefault(known.get(group.gid, schedule.usual), []).append(group)
    return visit.page(
        "console/retention_all.html",
        title="Retention",
        classes=[_view(each, of_it, holds, days) for each, of_it in by_class.items()],
        today=f"{visit.now:%Y-%m}",
    )


def _view(
    retention: RetentionClass,
    groups: list[GroupView],
    holds: tuple[Hold, ...],
    days: tuple[DayCount, ...],
) -> ClassView:
    held = {each.gid for each in groups if any(_may_cover(hold, each.gid) for hold in holds)}
    gids = {each.gid for each in groups}
    return ClassView(
        retention=retention,
        groups=tuple((each, each.gid in held) for each in groups),
        due=_due(retention, [each for each in days if each.gid in gids], holds),
    )


def _may_cover(hold: Hold, gid: str) -> bool:
    return not hold.scope.gids or gid in hold.scope.gids


def _due(
    retention: RetentionClass, days: list[DayCount], holds: tuple[Hold, ...]
) -> tuple[Due, ...]:
    if retention.days is None or retention.days > FURTHEST:
        return ()
    records, held = Counter[str](), Counter[str]()
    for each in days:
        said = date.fromisoformat(each.day)
        month = _month(said, retention.days)
        records[month] += each.captured
        if any(_may_cover(hold, each.gid) and _in_time(hold, said) for hold in holds):
            held[month] += each.captured
    return tuple(
        Due(month=month, records=records[month], held=held[month])
        for month in sorted(records)
        if records[month]
    )


def _month(said: date, days: int) -> str:
    """The month in which it falls due; the last one of all for what is later."""
    try:
        return f"{said + timedelta(days=days):%Y-%m}"
    except OverflowError:
        return f"{date.max:%Y-%m}"


def _in_time(hold: Hold, day: date) -> bool:
    """Whether a hold may cover anything that was said on this day."""
    since, until = hold.scope.since, hold.scope.until
    return (since is None or day >= since.date()) and (until is None or day <= until.date())


PAGES = (Page(path="/retention", handler=show, right=Right.RETENTION),)
