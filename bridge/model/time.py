"""Times: aware, and UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def require_utc(moment: datetime, name: str) -> None:
    """Refuse a naive or non-UTC time: it would move by the machine's zone."""
    if moment.tzinfo is not UTC and moment.utcoffset() != timedelta(0):
        raise ValueError(f"{name} must be an aware UTC time, got {moment!r}")
