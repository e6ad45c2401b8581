"""Which disappearing-message timer applies to an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.deadlines import LONGEST_TIMER, from_milliseconds, usable_seconds
from bridge.model import Timer
from connectors.matrix.fields import JsonObject, table, text

RETENTION = "m.room.retention"
DISAPPEARING = "com.beeper.disappearing_timer"
SELF_DESTRUCT = "org.matrix.self_destruct_after"
SERVER_DEFAULT = "server default"

_STARTS = frozenset({"after_send", "after_read", "after_read_by_recipient"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSetting:
    """What a setting says: a timer, none, or (``problem``, a sentence) nothing usable."""

    timer: Timer | None = None
    problem: str | None = None

    def __str__(self) -> str:
        """What a reader reads: ``30 s``, ``off`` or ``unusable``."""
        if self.timer is None:
            return "off" if self.problem is None else "unusable"
        seconds = self.timer.seconds
        return f"{int(seconds) if seconds == int(seconds) else seconds} s"


def retention(content: JsonObject) -> TimerSetting:
    """The setting in the content of ``m.room.retention``."""
    lifetime = content.get("max_lifetime")
    if lifetime is None:
        return TimerSetting()
    return _setting(lifetime, RETENTION, "max_lifetime of m.room.retention")


def disappearing(content: JsonObject) -> TimerSetting:
    """The setting in a ``com.beeper.disappearing_timer``; an empty one or zero means off."""
    length = content.get("timer")
    if length is None or (length == 0 and isinstance(length, int | float)):
        return TimerSetting()
    start = text(content, "type")
    basis = f"{DISAPPEARING}:{start}" if start in _STARTS else DISAPPEARING
    return _setting(length, basis, f"timer of {DISAPPEARING}")


def running(
    content: JsonObject,
    *,
    kept: Timer | None,
    disappears: Timer | None,
    default: float | None,
    sent_at: datetime | None,
    observed_at: datetime,
) -> Timer | None:
    """The shortest timer that runs for a message.

    ``kept`` is the room's retention, ``disappears`` its disappearing timer, ``default`` the
    server's retention in seconds, which counts only where the room sets none.
    """
    shortest = kept
    if shortest is None and (seconds := usable_seconds(default)) is not None:
        shortest = Timer(seconds=seconds, basis=SERVER_DEFAULT)
    shortest = _shorter(shortest, disappears)
    if DISAPPEARING in content:
        shortest = _shorter(shortest, disappearing(table(content, DISAPPEARING)).timer)
    if SELF_DESTRUCT in content:
        # A forged sending time ahead of ours must not make the end seem past.
        began = min(sent_at or observed_at, observed_at)
        shortest = _shorter(shortest, _self_destruct(content, began))
    return shortest


def _shorter(one: Timer | None, other: Timer | None) -> Timer | None:
    if one is None or other is None:
        return one or other
    return other if other.seconds < one.seconds else one


def _self_destruct(content: JsonObject, began: datetime) -> Timer | None:
    ends = from_milliseconds(content[SELF_DESTRUCT])
    if ends is None:
        return None
    seconds = (ends - began).total_seconds()
    if not 0 < seconds <= LONGEST_TIMER:
        return None
    return Timer(seconds=seconds, basis=SELF_DESTRUCT)


def _setting(milliseconds: object, basis: str, name: str) -> TimerSetting:
    if (
        isinstance(milliseconds, int | float)
        and 0 < milliseconds <= LONGEST_TIMER * 1000
        and (seconds := usable_seconds(milliseconds / 1000)) is not None
        and not isinstance(milliseconds, bool)
    ):
        return TimerSetting(timer=Timer(seconds=seconds, basis=basis))
    return TimerSetting(problem=f"The {name} is no usable number of milliseconds.")
