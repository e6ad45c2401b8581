"""Time zones that people choose by name. Blocks: they are files."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of this IANA name; None where there is none."""
    return ZoneInfo(name) if name in _known() else None


def filed_days(day: date, zone: ZoneInfo) -> tuple[date, ...]:
    """The days by UTC, as records are filed, that a day in ``zone`` has a part of.

    Raises:
        OverflowError: the day is at the end of what a calendar has.
    """
    first = datetime.combine(day, time.min, zone)
    last = datetime.combine(day + timedelta(days=1), time.min, zone) - timedelta(microseconds=1)
    start, end = (each.astimezone(UTC).date() for each in (first, last))
    return tuple(start + timedelta(days=i) for i in range((end - start).days + 1))


def days_of(filed: date, zone: ZoneInfo) -> frozenset[date]:
    """The days in ``zone`` that a day by UTC has a part of."""
    ends = (time.min, time.max)
    return frozenset(within(datetime.combine(filed, each, UTC), zone).date() for each in ends)


def within(at: datetime, zone: ZoneInfo) -> datetime:
    """A time in ``zone``; by UTC where no calendar has that.

    Whoever writes a message says when: it may be the first moment of the year 1.
    """
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at.astimezone(UTC)
