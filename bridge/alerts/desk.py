"""Which alerts follow from which alarms: what lasts is told, what flickers is counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from bridge.alerts.alert import Alert, Change, key_of
from bridge.alerts.ledger import Ledger, Standing
from bridge.canonical import rfc3339
from bridge.health import Alarm

LASTING = timedelta(seconds=60)
"""What is over sooner is nobody's trouble, and what is back sooner was not over."""

AT_ONCE = frozenset({"forked", "recorder removed", "retention", "timer too short"})
"""Kinds of trouble that are told the moment they are there."""

REMINDERS = frozenset({"lower marking"})
"""Kinds of trouble that nobody has to mend: they keep nothing else from being told."""

MOST_OWED = 500


class Desk:
    """Decides what is told. Its ledger is the memory, over restarts too.

    The wall clock decides, since a restart lies between: set back, it makes nothing wait longer
    than ``quiet``.
    """

    def __init__(self, ledger: Ledger, *, quiet: timedelta) -> None:
        """``quiet``: the same is raised at most once in this time."""
        self._ledger = ledger
        self._quiet = quiet

    def note(self, part: str, trouble: str, subject: str, name: str, *, now: datetime) -> None:
        """Something happened. ``name`` tells it from others of its kind, so that it counts once."""
        standing = self._find(part, trouble, subject, now=now)
        if name not in standing.happened:
            standing.happened.append(name)

    def remind(self, part: str, trouble: str, subject: str, name: str, *, now: datetime) -> bool:
        """As :meth:`note`, but once in a day (UTC). False: that was done already."""
        today = now.date().isoformat()
        if self._ledger.reminded_on != today:
            self._ledger.reminded_on, self._ledger.reminded = today, []
        reminder = (part, trouble, subject)
        if reminder in self._ledger.reminded:
            return False
        self._ledger.reminded.append(reminder)
        self.note(part, trouble, subject, name, now=now)
        return True

    def observe(self, alarms: Sequence[Alarm], *, now: datetime) -> list[Alert]:
        """What is to be told, given that these and no others stand now."""
        present = {key_of(alarm) for alarm in alarms}
        for part, trouble, subject in sorted(present):
            self._find(part, trouble, subject, now=now)
        alerts: list[Alert] = []
        for standing in self._ledger.standing:
            self._look(standing, here=standing.key in present, now=now)
            alerts += self._tell(standing, now=now)
        self._ledger.standing = [s for s in self._ledger.standing if self._matters(s, now=now)]
        return alerts

    def owe(self, alerts: Sequence[Alert], channels: Sequence[str]) -> None:
        """Have each channel tell them; none tells of its own trouble, which ends by telling."""
        for channel in channels:
            owed = self._ledger.owed.setdefault(channel, [])
            owed += [a for a in alerts if (a.part, a.subject) != ("alerts", channel)]
            excess = len(owed) - MOST_OWED
            # What happened is told once only; of the rest the newest counts, and reminders least.
            spare = [a for a in owed if a.trouble in REMINDERS]
            spare += [a for a in owed if a.change is not Change.HAPPENED]
            for alert in spare[: max(excess, 0)]:
                owed.remove(alert)

    def _find(self, part: str, trouble: str, subject: str, *, now: datetime) -> Standing:
        for standing in self._ledger.standing:
            if standing.key == (part, trouble, subject):
                return standing
        made = Standing(part=part, trouble=trouble, subject=subject, since=now)
        self._ledger.standing.append(made)
        return made

    def _look(self, standing: Standing, *, here: bool, now: datetime) -> None:
        standing.since = min(standing.since, now)
        if here != standing.present:
            standing.present, standing.since = here, now
            standing.came += here

    def _tell(self, standing: Standing, *, now: datetime) -> Iterator[Alert]:
        if standing.happened and not self._is_quiet(standing, now):
            yield _alert(standing, Change.HAPPENED, now, count=len(standing.happened))
            standing.happened, standing.told_at = [], now
        if standing.present == standing.told:
            return
        at_once = standing.present and standing.trouble in AT_ONCE
        if not at_once and now - standing.since < LASTING:
            return
        if not standing.present:
            yield _alert(standing, Change.RESOLVED, now, suppressed=standing.came)
            standing.told, standing.came = False, 0
        elif not self._is_quiet(standing, now):
            yield _alert(standing, Change.RAISED, now, suppressed=standing.came - 1)
            standing.told, standing.told_at, standing.came = True, now, 0

    def _is_quiet(self, standing: Standing, now: datetime) -> bool:
        if standing.told_at is None:
            return False
        return timedelta(0) <= now - standing.told_at < self._quiet

    def _matters(self, standing: Standing, *, now: datetime) -> bool:
        """Whether it must be remembered: for what it is, or for how long it is told no more."""
        if standing.present or standing.told or standing.happened:
            return True
        return self._is_quiet(standing, now)


def _alert(
    standing: Standing, change: Change, now: datetime, *, count: int = 1, suppressed: int = 0
) -> Alert:
    return Alert(
        change=change,
        part=standing.part,
        trouble=standing.trouble,
        subject=standing.subject,
        at=rfc3339(now),
        since=rfc3339(standing.since),
        count=count,
        suppressed=max(suppressed, 0),
    )
