"""The auto-delete timer of a chat.

It is a *default*: Telegram gives it to what is said from then on, so that each message keeps the
one that ran when it was sent. A message does not carry it: the connector keeps what was set.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.deadlines import LONGEST_TIMER
from bridge.model import GroupTimer, Timer
from bridge.rawjson.fields import JsonObject, table, whole
from connectors.telegram.update import MESSAGES, Update

AUTO_DELETE = "message_auto_delete_time"
CHANGED = "message_auto_delete_timer_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSetting:
    """What a setting says: a timer, none, or (``problem``, a sentence) nothing usable."""

    timer: Timer | None = None
    problem: str | None = None

    def __str__(self) -> str:
        """What a reader reads: ``86400 s``, ``off`` or ``unusable``."""
        if self.timer is None:
            return "off" if self.problem is None else "unusable"
        return f"{int(self.timer.seconds)} s"


def setting(fields: JsonObject) -> TimerSetting:
    """The setting in a ``message_auto_delete_timer_changed``, or in what ``getChat`` returns.

    There it is left out, and here it is zero, where none runs.
    """
    if fields.get(AUTO_DELETE) is None:
        return TimerSetting()
    seconds = whole(fields, AUTO_DELETE)
    if seconds == 0:
        return TimerSetting()
    if seconds is None or not 0 < seconds <= LONGEST_TIMER:
        return TimerSetting(problem=f"The {AUTO_DELETE} is no usable number of seconds.")
    return TimerSetting(timer=Timer(seconds=float(seconds), basis=AUTO_DELETE))


def set_by(update: Update) -> TimerSetting | None:
    """What an update sets the timer of its chat to, if it is one that does."""
    if update.type not in MESSAGES or not isinstance(update.subject.get(CHANGED), dict):
        return None
    return setting(table(update.subject, CHANGED))


def group_timer(group_id: str, found: TimerSetting) -> GroupTimer:
    """The timers of a group under a setting."""
    return GroupTimer(group_id=group_id, default=found.timer)
