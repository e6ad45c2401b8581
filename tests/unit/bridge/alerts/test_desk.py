"""What lasts is told once, what flickers is counted, and what happened is never forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from bridge.alerts import Alert, Change, Desk, Ledger
from bridge.alerts.desk import LASTING, MOST_OWED
from bridge.health import Alarm
from tests.fakes.clock import START

QUIET = timedelta(minutes=15)
SOON = timedelta(seconds=1)
STORE = Alarm(part="store", trouble="not storing", sentence="the store is full")
FORKED = Alarm(part="log", trouble="forked", sentence="forked")


class _Desk:
    """A desk, and the time at which it looks."""

    def __init__(self) -> None:
        self.now = START
        self.ledger = Ledger()

    def after(self, time: timedelta, *alarms: Alarm) -> list[Alert]:
        """What it tells; its memory goes through a file each time."""
        self.now += time
        desk = Desk(self.ledger, quiet=QUIET)
        told = desk.observe(alarms, now=self.now)
        self.ledger = msgspec.json.decode(msgspec.json.encode(self.ledger), type=Ledger)
        return told

    def happens(self, name: str) -> None:
        desk = Desk(self.ledger, quiet=QUIET)
        desk.note("messages", "restricted", "g1", name, now=self.now)


@pytest.fixture
def desk() -> _Desk:
    """One with an empty ledger."""
    return _Desk()


def _told(alerts: list[Alert]) -> list[tuple[str, str, int]]:
    return [(alert.change.value, alert.trouble, alert.suppressed) for alert in alerts]


def test_what_lasts_is_told_once(desk: _Desk) -> None:
    """Not at once, then once, and again only when it is over."""
    assert desk.after(SOON, STORE) == []
    assert desk.after(LASTING - SOON, STORE) == []
    assert _told(desk.after(SOON, STORE)) == [("raised", "not storing", 0)]
    assert desk.after(timedelta(days=1), STORE) == []
    assert desk.after(SOON) == []
    assert _told(desk.after(LASTING)) == [("resolved", "not storing", 0)]
    assert desk.after(QUIET) == []
    assert desk.ledger == Ledger()


def test_what_is_over_soon_is_not_told(desk: _Desk) -> None:
    """A minute's trouble is nobody's, and leaves no trace."""
    assert desk.after(SOON, STORE) == []
    assert desk.after(SOON) == []
    assert desk.after(LASTING) == []
    assert desk.ledger.standing == []


def test_what_is_back_soon_was_not_over(desk: _Desk) -> None:
    """A trouble that flickers is neither resolved nor raised again."""
    desk.after(SOON, STORE)
    assert len(desk.after(LASTING, STORE)) == 1
    for _ in range(5):
        assert desk.after(SOON) == []
        assert desk.after(SOON, STORE) == []
    assert desk.after(QUIET, STORE) == []


def test_some_troubles_are_told_at_once(desk: _Desk) -> None:
    """What cannot mend itself, and what loses messages while it lasts, waits for nothing."""
    assert _told(desk.after(SOON, FORKED, STORE)) == [("raised", "forked", 0)]


def test_the_same_is_raised_once_in_the_quiet_time(desk: _Desk) -> None:
    """What comes and goes is told when it first came, when it was over, and after the quiet."""
    desk.after(SOON, FORKED)
    desk.after(SOON)
    assert _told(desk.after(LASTING)) == [("resolved", "forked", 0)]
    for _ in range(3):
        assert desk.after(SOON, FORKED) == []
        assert desk.after(SOON) == []
    assert _told(desk.after(QUIET, FORKED)) == [("raised", "forked", 3)]


def test_groups_are_told_apart_by_their_numbers(desk: _Desk) -> None:
    """One trouble of two groups is two alerts, each with the group's number."""
    pair = [
        Alarm(part="groups", trouble="recorder removed", sentence="", subject=gid)
        for gid in ("b", "a")
    ]
    assert [alert.subject for alert in desk.after(SOON, *pair)] == ["a", "b"]


def test_what_happens_is_told_at_once_and_counted_after(desk: _Desk) -> None:
    """The first spill is told the moment it is there; those of the quiet time come together."""
    desk.happens("s-1")
    (first,) = desk.after(SOON)
    assert (first.change, first.subject, first.count) == (Change.HAPPENED, "g1", 1)
    for name in ("s-2", "s-3", "s-3"):
        desk.happens(name)
    assert desk.after(SOON) == []
    (second,) = desk.after(QUIET)
    assert (second.change, second.count) == (Change.HAPPENED, 2)
    assert desk.after(QUIET) == []
    assert desk.ledger.standing == []


def test_a_clock_that_was_set_back_delays_nothing(desk: _Desk) -> None:
    """What was told in the future is no reason to be quiet now."""
    desk.happens("s-1")
    assert len(desk.after(timedelta(days=2))) == 1
    desk.happens("s-2")
    assert len(desk.after(timedelta(days=-1))) == 1
    assert desk.after(SOON, STORE) == []
    assert desk.after(-timedelta(hours=1), STORE) == []
    assert len(desk.after(LASTING, STORE)) == 1


def _alert(change: Change, number: int = 0, *, part: str = "store", subject: str = "") -> Alert:
    at = datetime.isoformat(START + timedelta(seconds=number))
    return Alert(change=change, part=part, trouble="x", subject=subject, at=at, since=at)


def test_a_channel_does_not_tell_of_its_own_trouble() -> None:
    """That would be told when it is over; the other channel tells it."""
    ledger = Ledger()
    own = _alert(Change.RAISED, part="alerts", subject="webhook")
    Desk(ledger, quiet=QUIET).owe([own], ["webhook", "e-mail"])
    assert ledger.owed == {"webhook": [], "e-mail": [own]}


def test_what_is_owed_is_bounded_and_what_happened_stays() -> None:
    """A channel that is away for long is owed the newest alarms, and all that happened."""
    ledger = Ledger()
    desk = Desk(ledger, quiet=QUIET)
    spill = _alert(Change.HAPPENED)
    desk.owe([spill], ["webhook"])
    desk.owe([_alert(Change.RAISED, n) for n in range(MOST_OWED + 9)], ["webhook"])
    owed = ledger.owed["webhook"]
    assert len(owed) == MOST_OWED
    assert owed[0] == spill
    assert owed[-1] == _alert(Change.RAISED, MOST_OWED + 8)


def test_reminders_push_nothing_out_of_what_is_owed() -> None:
    """They go first, however many there are: a store that fails is told all the same."""
    ledger = Ledger()
    desk = Desk(ledger, quiet=QUIET)
    kept = [_alert(Change.HAPPENED), _alert(Change.RAISED, 1)]
    desk.owe(kept, ["webhook"])
    reminder = msgspec.structs.replace(_alert(Change.HAPPENED), trouble="lower marking")
    for n in range(MOST_OWED + 9):
        desk.owe([msgspec.structs.replace(reminder, subject=f"g{n}")], ["webhook"])
    desk.owe([_alert(Change.RAISED, 2)], ["webhook"])
    owed = ledger.owed["webhook"]
    assert len(owed) == MOST_OWED
    assert owed[:2] == kept
    assert owed[-1] == _alert(Change.RAISED, 2)


def test_the_words_say_all_of_it() -> None:
    """Part, trouble, group, how often, since when, and nothing else."""
    alert = Alert(
        change=Change.HAPPENED,
        part="messages",
        trouble="restricted",
        subject="0a1b",
        at="2026-03-01T09:00:05.000Z",
        since="2026-03-01T09:00:00.000Z",
        count=2,
    )
    assert alert.sentence == (
        "messages: restricted (0a1b), 2 times. Since 2026-03-01T09:00:00.000Z."
    )
    over = msgspec.structs.replace(alert, change=Change.RESOLVED, count=1, suppressed=3)
    assert over.sentence == (
        "Over: messages: restricted (0a1b). It lasted until 2026-03-01T09:00:00.000Z."
        " It came 3 times more meanwhile."
    )
