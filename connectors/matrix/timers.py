"""Which disappearing-message timers run in a room, and for a message.

The retention of a room, or of the server where the room sets none, is *standing*: the server
removes by it what was said before too, so that only what holds now counts. The room's
disappearing timer is a *default*: clients give it to what is said from then on, so that each
message keeps the one that ran when it was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec

from bridge.deadlines import LONGEST_TIMER, from_milliseconds, sooner, usable_seconds
from bridge.model import Timer
from bridge.rawjson.fields import JsonObject, decode, salvage, table, text

RETENTION = "m.room.retention"
DISAPPEARING = "com.beeper.disappearing_timer"
SELF_DESTRUCT = "org.matrix.self_destruct_after"
SERVER_DEFAULT = "server default"

_READ = frozenset({"after_read", "after_read_by_recipient"})
_STARTS = frozenset({"after_send", *_READ})


class Length(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A timer as the cursor keeps it; without ``seconds`` none runs."""

    seconds: float | None = None
    basis: str = ""
    from_receipt: bool = False

    @classmethod
    def of(cls, timer: Timer | None) -> Length:
        """The length of a timer, or that none runs."""
        if timer is None:
            return cls()
        return cls(seconds=timer.seconds, basis=timer.basis, from_receipt=timer.from_receipt)

    @property
    def timer(self) -> Timer | None:
        """The timer, or None."""
        if self.seconds is None:
            return None
        return Timer(seconds=self.seconds, basis=self.basis, from_receipt=self.from_receipt)


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
    if length is None or (length == 0 and type(length) in {int, float}):
        return TimerSetting()
    start = text(content, "type")
    basis = f"{DISAPPEARING}:{start}" if start in _STARTS else DISAPPEARING
    return _setting(length, basis, f"timer of {DISAPPEARING}", from_receipt=start in _READ)


def set_by(raw: bytes, kind: str) -> TimerSetting | None:
    """What an event sets, if it is the state of a room of this kind (a retention, or a timer)."""
    if not ((b"state_key" in raw and kind.encode() in raw) or b"\\u" in raw):
        return None
    event = decode(raw) or salvage(raw)
    if text(event, "type") != kind or text(event, "state_key") != "":
        return None
    content = table(event, "content")
    return retention(content) if kind == RETENTION else disappearing(content)


def server_default(seconds: float | None) -> Timer | None:
    """The retention of the server, for rooms that set none."""
    usable = usable_seconds(seconds)
    return None if usable is None else Timer(seconds=usable, basis=SERVER_DEFAULT)


def own(
    content: JsonObject, *, default: Timer | None, sent_at: datetime | None, observed_at: datetime
) -> TimerSetting:
    """The one that ends first of a message's own timers, ``default`` being the room's own timer.

    What of it cannot be used is its problem, and takes nothing from the rest.
    """
    soonest, problems = default, []
    first = partial(sooner, sent_at=sent_at, received_at=observed_at)
    if DISAPPEARING in content:
        setting = _carried(content)
        soonest = first(soonest, setting.timer)
        problems.append(setting.problem)
    if SELF_DESTRUCT in content:
        # A forged sending time ahead of ours must not make the end seem past.
        began = min(sent_at or observed_at, observed_at)
        setting = _self_destruct(content[SELF_DESTRUCT], began)
        soonest = first(soonest, setting.timer)
        problems.append(setting.problem)
    return TimerSetting(timer=soonest, problem=" ".join(filter(None, problems)) or None)


def _carried(content: JsonObject) -> TimerSetting:
    carried = content[DISAPPEARING]
    if carried is None or isinstance(carried, dict):
        return disappearing(table(content, DISAPPEARING))
    return TimerSetting(problem=f"The {DISAPPEARING} is no object.")


def _self_destruct(ends_ms: object, began: datetime) -> TimerSetting:
    ends = from_milliseconds(ends_ms)
    if ends is None:
        return TimerSetting(problem=f"The {SELF_DESTRUCT} is no usable time.")
    seconds = (ends - began).total_seconds()
    if not 0 < seconds <= LONGEST_TIMER:
        return TimerSetting(problem=f"The {SELF_DESTRUCT} lies in no usable future.")
    return TimerSetting(timer=Timer(seconds=seconds, basis=SELF_DESTRUCT))


def _setting(
    milliseconds: object, basis: str, name: str, *, from_receipt: bool = False
) -> TimerSetting:
    if (
        isinstance(milliseconds, int | float)
        and 0 < milliseconds <= LONGEST_TIMER * 1000
        and (seconds := usable_seconds(milliseconds / 1000)) is not None
        and not isinstance(milliseconds, bool)
    ):
        timer = Timer(seconds=seconds, basis=basis, from_receipt=from_receipt)
        return TimerSetting(timer=timer)
    return TimerSetting(problem=f"The {name} is no usable number of milliseconds.")
