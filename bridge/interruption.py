"""Silences of a platform: when it was last heard, and what a group is told of the time between.

A silence is a failure of ours as a group sees it, whatever its cause: the process was down, the
platform did not answer, or the journal took nothing. Inside a process it is measured by the
monotonic clock from the first failure on, so that a wall clock that is set makes none and an idle
platform is none; a machine that slept heard nothing meanwhile, whether or not the answer it slept
over still came; across processes by the wall clock, from the moment in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.model import Group, GroupState, Loss, Presence
from bridge.notices import interruption_text
from bridge.protocols import Clock, Saying
from bridge.sayings import is_told, saying

LEAST_SECONDS = 5.0
"""No shorter silence is an interruption, however short a group's timer is."""

POLL_SECONDS = 35.0
"""A platform in order answers a long poll within this time; what a poll lasts longer is silence."""

PATIENCE_SECONDS = POLL_SECONDS + 60.0
"""By then a receive has succeeded or was given up, unless the machine slept in it."""

WRITTEN_SECONDS = 15.0
RECORDED = frozenset({GroupState.ACTIVE, GroupState.NOT_RECORDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """``seconds`` count against a limit; ``since`` to ``until`` is the most it can have been."""

    since: datetime
    until: datetime
    seconds: float


def is_recorded(group: Group, connector: str) -> bool:
    """Whether a group loses something while this connector hears nothing."""
    joined = group.presence is Presence.JOINED
    return group.connector == connector and group.state in RECORDED and joined


def limit(group: Group, *, seconds: float) -> float:
    """From which length a silence is an interruption of this group."""
    timer = group.timer.seconds if group.timer is not None else seconds
    # A timer that is not above 0, which no platform means, decides nothing.
    return max(min(seconds, timer) if timer > 0 else seconds, LEAST_SECONDS)


def interrupted(
    silence: Silence, groups: Sequence[Group], *, seconds: float, language: str
) -> tuple[tuple[Loss, ...], tuple[Saying, ...]]:
    """The gaps of a silence in those groups for which it was too long, and what they are told."""
    hit = [group for group in groups if silence.seconds >= limit(group, seconds=seconds)]
    text = interruption_text(silence.since, silence.until, language=language)
    losses = tuple(
        Loss(
            group_id=group.group_id,
            why="interrupted",
            since=silence.since,
            until=silence.until,
        )
        for group in hit
    )
    sayings = tuple(
        saying(group, text, what="interrupted", at=silence.until) for group in hit if is_told(group)
    )
    return losses, sayings


class Hearing:
    """When one platform was heard, by both clocks. The caller tells what happens to its receives.

    ``received`` is when, on the monotonic clock, the last receive that succeeded was asked for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = (clock.now(), clock.monotonic())
        self._recalled: datetime | None = None
        self._heard: float | None = None
        self._asked: float | None = None
        self._broken: float | None = None
        self._written: float | None = None
        self.received: float | None = None

    def recall(self, last_heard: datetime | None) -> None:
        """What the process before this one wrote down; told before the first receive."""
        self._recalled = last_heard
        self._began = (self._clock.now(), self._clock.monotonic())

    def asked(self) -> None:
        """A receive begins."""
        self._asked = self._clock.monotonic()

    def failed(self) -> None:
        """It failed, or the journal did not take what it brought."""
        if self._broken is None:
            now = self._clock.monotonic()
            self._broken = min(now, (now if self._asked is None else self._asked) + POLL_SECONDS)

    def silence(self) -> Silence | None:
        """What lies between the last success and this one; None where nothing was amiss."""
        now, until = self._clock.monotonic(), self._clock.now()
        if self._heard is not None:
            broken = self._slept(now) if self._broken is None else self._broken
            if broken is None:
                return None
            since = until - timedelta(seconds=now - self._heard)
            return Silence(since=since, until=until, seconds=now - broken)
        if self._recalled is None:
            return None  # the platform was never heard before: nothing was recorded yet
        seconds = self._since_recalled(self._recalled, until, now)
        return Silence(since=until - timedelta(seconds=seconds), until=until, seconds=seconds)

    def _slept(self, now: float) -> float | None:
        """From when on nobody can have waited for the answer that came."""
        if self._asked is None or now - self._asked <= PATIENCE_SECONDS:
            return None
        return self._asked + POLL_SECONDS

    def _since_recalled(self, recalled: datetime, until: datetime, now: float) -> float:
        began, began_monotonic = self._began
        here = now - began_monotonic
        before = (began - recalled).total_seconds()
        if before >= 0:
            return before + here  # however the clock was set since this process began
        # The clock was behind when this process began. If it was put right since, it tells.
        return max((until - recalled).total_seconds(), here)

    def heard(self) -> None:
        """A receive succeeded, and what it brought and the silence before it are durable."""
        self._heard = self._clock.monotonic()
        self.received = self._asked
        self._broken = None

    @property
    def is_unwritten(self) -> bool:
        """Whether the moment is to be written down again."""
        if self._written is None:
            return True
        return self._clock.monotonic() - self._written >= WRITTEN_SECONDS

    def written(self) -> None:
        """The moment is in the journal."""
        self._written = self._clock.monotonic()

    def until_now(self) -> datetime | None:
        """The time up to which nothing was missed, at the process's end; None if none is known."""
        if self._heard is None or self._broken is not None or self._asked is None:
            return None
        now = self._clock.monotonic()
        return self._clock.now() - timedelta(seconds=max(now - self._asked - POLL_SECONDS, 0.0))
