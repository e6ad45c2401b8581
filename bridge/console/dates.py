"""Days and times as people type them, in the console's time zone. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def start_of(text: str, zone: ZoneInfo) -> datetime | None:
    """The beginning of a day typed as ``2026-03-01``, in UTC; None where nothing is typed.

    Raises:
        ValueError: it is no day.
    """
    if not text.strip():
        return None
    return _midnight(date.fromisoformat(text.strip()), zone)


def end_of(text: str, zone: ZoneInfo) -> datetime | None:
    """The end of a day, which is the beginning of the next.

    Raises:
        ValueError: it is no day.
    """
    if not text.strip():
        return None
    try:
        return _midnight(date.fromisoformat(text.strip()) + timedelta(days=1), zone)
    except OverflowError:
        raise ValueError("there is no day after it") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        raise ValueError("the day is out of reach") from None
