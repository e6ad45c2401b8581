"""What a records manager needs first: what comes in, what waits, what is missing, what is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response

from bridge.console import plots
from bridge.console.pages.groups import GroupView, every_group
from bridge.console.rights import Right
from bridge.console.site import Page, Visit
from bridge.console.standing import Standing
from bridge.delays import LATELY
from bridge.errors import CatalogError, JournalError, LogError
from bridge.gaps import OF_ONE_EVENT, in_time
from bridge.model import GroupState, Loss
from bridge.protocols.catalog import DayCount, ListedGroup

DAYS = 30
AGES = ((1, "up to a day"), (7, "2 to 7 days"), (14, "8 to 14 days"), (10_000, "over 14 days"))
"""Ages of what waits for review, by the day on which it was said."""

MOST_LANES = 40
"""Groups in one plot; the table has all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What of a group waits for a person, and for how many days the oldest of it has."""

    group: GroupView
    number: int
    oldest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a group is known to be missing since the plot begins."""

    group: GroupView
    losses: tuple[Loss, ...]
    hours: float
    marks: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A group whose messages disappear, and how much of that time it takes to record them."""

    group: GroupView
    timer: float
    share: float | None


async def show(visit: Visit) -> Response:
    """The overview, of the groups that the visitor is for."""
    troubles: list[str] = []
    groups, counts = await _groups_and_counts(visit, troubles)
    standing = await _standing(visit, troubles)
    today = visit.now.astimezone(UTC).date()
    since = visit.now - timedelta(days=DAYS)
    days = per_day(counts, today)
    waiting = backlog(groups, counts, today)
    ages = by_age(counts, today)
    timed = against_timers(groups, standing.capture_delay if standing else None)
    coverage = [
        covered(group, await _losses(visit, group), since=since, until=visit.now)
        for group in groups
        if group.register is not None and group.register.state is not GroupState.PROPOSED
    ]
    return visit.page(
        "console/overview_all.html",
        title="Overview",
        standing=standing,
        troubles=troubles,
        days=days,
        days_plot=_days_plot(days),
        waiting=waiting,
        ages=ages,
        ages_plot=plots.bars("Waiting for review, by age", ages, ""),
        timed=timed,
        timed_plot=_timed_plot(timed),
        coverage=coverage,
        coverage_plot=_coverage_plot(coverage, since, visit.now),
        period=DAYS,
        lately=round(LATELY / 60),
    )


async def _groups_and_counts(
    visit: Visit, troubles: list[str]
) -> tuple[list[GroupView], list[DayCount]]:
    """The groups that the visitor is for, and their days, as far as they can be had."""
    try:
        try:
            groups = await every_group(visit)
        except JournalError as error:
            troubles.append(str(error))
            groups = [listed_view(each) for each in await visit.parts.catalog.groups()]
        groups = [group for group in groups if visit.in_scope(group.gid)]
        names = {group.gid for group in groups}
        return groups, [each for each in await visit.parts.catalog.days() if each.gid in names]
    except CatalogError as error:
        troubles.append(f"{error} {error.hint}")
        return [], []


def listed_view(listed: ListedGroup) -> GroupView:
    """A group of which only the catalog is known."""
    name = listed.name or listed.group_id
    return GroupView(
        gid=listed.gid, name=name, platform=listed.platform, register=None, listed=listed
    )


async def _standing(visit: Visit, troubles: list[str]) -> Standing | None:
    """How the recorder stands; None where that cannot be read."""
    try:
        if visit.parts.recorder is not None:
            return await visit.parts.recorder.standing()
        troubles.append("How the recorder stands is not known here.")
    except LogError as error:
        troubles.append(str(error))
    return None


async def _losses(visit: Visit, group: GroupView) -> Sequence[Loss]:
    if group.register is None:
        return ()
    return await visit.parts.journal.gaps(group.register.connector, group.register.group_id)


def per_day(counts: Iterable[DayCount], today: date) -> list[DayCount]:
    """Counts of the last days over all groups, oldest first, days without any among them."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in counts:
        total = sums[each.day]
        for i, number in enumerate((each.captured, each.review, each.discarded)):
            total[i] += number
    found = []
    for back in range(DAYS - 1, -1, -1):
        day = (today - timedelta(days=back)).isoformat()
        captured, review, discarded = sums.get(day, (0, 0, 0))
        found.append(
            DayCount(gid="", day=day, captured=captured, review=review, discarded=discarded)
        )
    return found


def backlog(groups: Iterable[GroupView], counts: Sequence[DayCount], today: date) -> list[Waiting]:
    """Groups of which something waits for review, that of the oldest first."""
    found = []
    for group in groups:
        days = [each for each in counts if each.gid == group.gid and each.review]
        if days:
            oldest = max(_age(each.day, today) for each in days)
            number = sum(each.review for each in days)
            found.append(Waiting(group=group, number=number, oldest=oldest))
    return sorted(found, key=lambda each: -each.oldest)


def by_age(counts: Iterable[DayCount], today: date) -> list[tuple[str, float]]:
    """How much waits for review, by how long ago it was said."""
    sums = dict.fromkeys((name for _, name in AGES), 0.0)
    for each in counts:
        age = _age(each.day, today)
        sums[next(name for most, name in AGES if age <= most or most == AGES[-1][0])] += each.review
    return list(sums.items())


def _age(day: str, today: date) -> int:
    return max((today - date.fromisoformat(day)).days, 0)


def against_timers(groups: Iterable[GroupView], delay: float | None) -> list[Timed]:
    """Groups whose messages disappear, the one with the least time first."""
    found = []
    for group in groups:
        timer = group.register.timer if group.register else None
        if timer is not None and timer.seconds > 0:
            share = None if delay is None else delay / timer.seconds
            found.append(Timed(group=group, timer=timer.seconds, share=share))
    return sorted(found, key=lambda each: each.timer)


def covered(
    group: GroupView, losses: Sequence[Loss], *, since: datetime, until: datetime
) -> Coverage:
    """What of a period is known to be missing. A loss without a beginning or end is open there.

    One of a single event is counted, and takes no time away from the rest of the group.
    """
    length = (until - since).total_seconds()
    spans = []
    within = [loss for loss in losses if loss.why in OF_ONE_EVENT and _cut(loss, since, until)]
    for loss in in_time(losses):
        if (span := _cut(loss, since, until)) is not None:
            within.append(loss)
            spans.append(span)
    joined = _joined(spans)
    return Coverage(
        group=group,
        losses=tuple(within),
        hours=sum(end - start for start, end in joined) / 3600,
        marks=tuple((start / length, end / length) for start, end in joined),
    )


def _cut(loss: Loss, since: datetime, until: datetime) -> tuple[float, float] | None:
    """From when to when in the period, in seconds; None where it lies outside."""
    start, end = max(loss.since or since, since), min(loss.until or until, until)
    if start > end:
        return None
    return (start - since).total_seconds(), (end - since).total_seconds()


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same without overlaps: an hour that is missing twice is missing once."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _days_plot(days: Sequence[DayCount]) -> str:
    return plots.stacked(
        f"Captured, in review and discarded on each of the last {DAYS} days",
        [each.day[5:] for each in days],
        [
            plots.Series(name="Kept", colour=plots.GOOD, numbers=[d.captured for d in days]),
            plots.Series(name="In review", colour=plots.DOUBTFUL, numbers=[d.review for d in days]),
            plots.Series(name="Not kept", colour=plots.QUIET, numbers=[d.discarded for d in days]),
        ],
    )


def _timed_plot(timed: Sequence[Timed]) -> str:
    rows = [
        (each.group.name, round(each.share * 100, 2))
        for each in timed[:MOST_LANES]
        if each.share is not None
    ]
    return plots.bars("Capture delay as a part of each timer", rows, " %") if rows else ""


def _coverage_plot(coverage: Sequence[Coverage], since: datetime, until: datetime) -> str:
    rows = [
        plots.Lane(name=each.group.name, marks=each.marks)
        for each in sorted(coverage, key=lambda each: -each.hours)[:MOST_LANES]
    ]
    title = f"Known gaps of each group in the last {DAYS} days"
    return plots.lanes(title, rows, f"{since:%-d %B}", f"{until:%-d %B}") if rows else ""


PAGES = (Page(path="/overview", handler=show, right=Right.OVERVIEW),)
