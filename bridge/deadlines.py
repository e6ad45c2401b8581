"""When a message must be safe. Pure: times in, times out; the clock is the caller's.

``safe_by = min(event time + timer - margin, receipt + 60 s)``, where the margin is 20 % of the
timer, at least 10 s, at most half the timer (``docs/architecture.md``, "Deadlines").
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.model import EventKind, Timer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROMPTLY = timedelta(seconds=60)
"""The longest a kept message waits for storage when no timer runs."""

LASTING = frozenset(
    {
        EventKind.MEMBERSHIP,
        EventKind.GROUP,
        EventKind.PIN,
        EventKind.TIMER,
        EventKind.ROSTER,
    }
)
"""How a group stands, which no disappearing-message timer removes."""

STATE_FACT = "state_key"
"""What a platform says of an event that is state of its group, whatever the event's kind."""

LONGEST_TIMER = timedelta(days=36_500).total_seconds()
"""Timers beyond this (seconds) would overflow a date; they are read as this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """``safe_by``: when it must be stored. ``expires_at``: when it disappears, if a timer runs."""

    safe_by: datetime
    expires_at: datetime | None = None


def usable_seconds(value: object) -> float | None:
    """A timer's seconds, or None where ``value`` is no positive finite number.

    Platforms send zero, negative, huge, fractional and textual timers; none may stop a stream.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value <= 0:
        return None
    return float(min(value, LONGEST_TIMER))


def margin(seconds: float) -> float:
    """Seconds before expiry at which a message must be safe."""
    return min(max(0.2 * seconds, 10.0), seconds / 2)


def plan(*, sent_at: datetime | None, received_at: datetime, timer: Timer | None) -> Deadline:
    """The deadline of a message. Event time is clamped to [receipt - timer, receipt].

    A back-dated message is thus overdue at once, never before it was received; one from the
    future gains no time by it.
    """
    promptly = received_at + PROMPTLY
    if timer is None:
        return Deadline(safe_by=promptly)
    expires_at = _end(timer, sent_at, received_at)
    due = expires_at - timedelta(seconds=margin(timer.seconds))
    return Deadline(safe_by=min(due, promptly), expires_at=expires_at)


def sooner(
    one: Timer | None, other: Timer | None, *, sent_at: datetime | None, received_at: datetime
) -> Timer | None:
    """Whichever of two timers ends first for this message; None where neither runs."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda timer: _end(timer, sent_at, received_at))


def _end(timer: Timer, sent_at: datetime | None, received_at: datetime) -> datetime:
    length = timedelta(seconds=timer.seconds)
    if timer.from_receipt:
        return received_at + length
    return min(max(sent_at or received_at, received_at - length), received_at) + length


def lasts(kind: EventKind, upstream: Iterable[tuple[str, str]]) -> bool:
    """Whether an event, by its kind and its platform's facts, is how the group stands.

    A connector MUST give such an event no timer; nor is it given one by :func:`replan`.
    """
    return kind in LASTING or any(name == STATE_FACT for name, _ in upstream)


def running(
    *,
    lasting: bool,
    sent_at: datetime | None,
    received_at: datetime,
    own_timer: Timer | None,
    standing: Timer | None,
) -> Timer | None:
    """What ends a message under the group's ``standing`` timer; its ``own_timer`` always holds.

    ``lasting`` is what :func:`lasts` says of it: the group's timer does not remove it.
    """
    if lasting:
        return own_timer
    return sooner(own_timer, standing, sent_at=sent_at, received_at=received_at)


def replan(
    *,
    lasting: bool,
    sent_at: datetime | None,
    received_at: datetime,
    own_timer: Timer | None,
    standing: Timer | None,
) -> Deadline:
    """The deadline after the group's standing timer changed or went, as if it had been so."""
    runs = running(
        lasting=lasting,
        sent_at=sent_at,
        received_at=received_at,
        own_timer=own_timer,
        standing=standing,
    )
    return plan(sent_at=sent_at, received_at=received_at, timer=runs)


def promoted(decided_at: datetime) -> Deadline:
    """The deadline of a discard that a later message made significant. It is never late."""
    return Deadline(safe_by=decided_at + PROMPTLY)


def is_promoted(*, safe_by: datetime, received_at: datetime) -> bool:
    """Whether a deadline is that of a discard made significant later: all others are due before.

    What it took from receipt to storage tells nothing of how fast messages are stored.
    """
    return safe_by > received_at + PROMPTLY


def outruns(timer: Timer, capture_delay: timedelta) -> bool:
    """Whether messages may disappear before they are stored: the timer is too short for us.

    ``capture_delay`` is what it lately took from receipt to storage, at the slow end.
    """
    return capture_delay.total_seconds() > timer.seconds - margin(timer.seconds)


def lateness_ms(*, stored_at: datetime, expires_at: datetime | None) -> int:
    """Milliseconds by which a message was stored after its timer; 0 when in time."""
    if expires_at is None or stored_at <= expires_at:
        return 0
    return max(1, int((stored_at - expires_at) / timedelta(milliseconds=1)))


def from_milliseconds(value: object) -> datetime | None:
    """A platform's millisecond timestamp, or None where it is no representable moment."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError):
        return None
