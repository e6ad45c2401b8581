"""When a message must be safe: the formula, its edges, and what it never does."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import deadlines
from bridge.deadlines import LONGEST_TIMER, Deadline, margin, plan, replan, sooner, usable_seconds
from bridge.model import EventKind, Timer

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MINUTE = timedelta(seconds=60)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
TIMERS = st.floats(min_value=1e-3, max_value=LONGEST_TIMER)


def _at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _timer(seconds: float) -> Timer:
    return Timer(seconds=seconds, basis="test")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, 0.5),  # half the timer
        (5, 2.5),
        (19, 9.5),
        (20, 10),  # ten seconds
        (50, 10),
        (51, 10.2),  # a fifth
        (60, 12),
        (300, 60),
        (86_400, 17_280),
        (0.5, 0.25),
    ],
)
def test_the_margin(seconds: float, expected: float) -> None:
    """A fifth of the timer, at least ten seconds, at most half the timer."""
    assert margin(seconds) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("timer", "sent", "safe_by", "expires"),
    [
        (5.0, 0, 2.5, 5),
        (30.0, 0, 20, 30),
        (30.0, -4, 16, 26),
        (60.0, 0, 48, 60),
        (75.0, 0, 60, 75),  # both rules meet
        (3600.0, 0, 60, 3600),  # a minute after receipt comes first
        (0.5, 0, 0.25, 0.5),
        (5.0, -100, -2.5, 0),  # back-dated: clamped to receipt - timer, overdue at once
        (5.0, 100, 2.5, 5),  # from the future: clamped to receipt, gains nothing
    ],
)
def test_the_formula(timer: float, sent: float, safe_by: float, expires: float) -> None:
    """Event time plus timer less margin, or a minute after receipt, whichever is first."""
    deadline = plan(sent_at=_at(sent), received_at=NOW, timer=_timer(timer))
    assert deadline == Deadline(safe_by=_at(safe_by), expires_at=_at(expires))


def test_without_a_timer_it_is_a_minute() -> None:
    """A message without a timer is due a minute after receipt, whatever its own time."""
    for sent in (None, NOW, datetime(1970, 1, 1, tzinfo=UTC), _at(1e9)):
        assert plan(sent_at=sent, received_at=NOW, timer=None) == Deadline(safe_by=NOW + MINUTE)


def test_a_message_without_a_time_counts_from_its_receipt() -> None:
    """Where the platform gives no time, the timer runs from the receipt."""
    assert plan(sent_at=None, received_at=NOW, timer=_timer(30)).expires_at == _at(30)


@pytest.mark.parametrize(
    "sent", [datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_absurd_times_are_clamped(sent: datetime) -> None:
    """1970 and the end of time neither overflow nor move the deadline past its bounds."""
    deadline = plan(sent_at=sent, received_at=NOW, timer=_timer(LONGEST_TIMER))
    assert deadline.expires_at is not None
    assert NOW <= deadline.expires_at <= NOW + timedelta(seconds=LONGEST_TIMER)
    assert deadline.safe_by <= NOW + MINUTE


@given(sent=st.none() | MOMENTS, received=MOMENTS, seconds=TIMERS)
def test_bounds(sent: datetime | None, received: datetime, seconds: float) -> None:
    """Never later than a minute after receipt, never after expiry, never before receipt - timer."""
    timer = timedelta(seconds=seconds)
    deadline = plan(sent_at=sent, received_at=received, timer=_timer(seconds))
    assert deadline.expires_at is not None
    assert deadline.safe_by <= received + MINUTE
    assert deadline.safe_by <= deadline.expires_at
    assert received <= deadline.expires_at <= received + timer
    assert deadline.safe_by >= received - timer
    room = deadline.expires_at - deadline.safe_by
    assert room >= timedelta(seconds=margin(seconds)) - timedelta(microseconds=1)


@given(received=MOMENTS, early=TIMERS, late=TIMERS, seconds=TIMERS)
def test_an_earlier_message_is_never_due_later(
    received: datetime, early: float, late: float, seconds: float
) -> None:
    """Of two messages received together, the one sent first is due first or at the same time."""
    first, second = sorted(received - timedelta(seconds=min(s, 1e9)) for s in (early, late))
    dues = [plan(sent_at=s, received_at=received, timer=_timer(seconds)) for s in (first, second)]
    assert dues[0].safe_by <= dues[1].safe_by


@given(seconds=TIMERS)
def test_the_margin_is_at_most_half(seconds: float) -> None:
    """There is always at least half the timer to store a message, and always some margin."""
    assert 0 < margin(seconds) <= seconds / 2


@pytest.mark.parametrize(
    "value", [None, "60", True, 0, -1, -0.0, math.nan, math.inf, -math.inf, [60], b"60"]
)
def test_what_is_no_timer(value: object) -> None:
    """Zero, negative, infinite and textual timers are none."""
    assert usable_seconds(value) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(60, 60.0), (0.25, 0.25), (10**30, LONGEST_TIMER), (1e300, LONGEST_TIMER)],
)
def test_usable_timers(value: object, seconds: float) -> None:
    """Fractions stay, and what would overflow a date is read as a hundred years."""
    assert usable_seconds(value) == seconds
    assert plan(sent_at=NOW, received_at=NOW, timer=_timer(seconds)).safe_by <= NOW + MINUTE


def test_a_promoted_discard_has_a_minute_and_is_never_late() -> None:
    """A discard made significant later is due a minute after that decision, without expiry."""
    assert deadlines.promoted(NOW) == Deadline(safe_by=NOW + MINUTE)
    assert deadlines.lateness_ms(stored_at=_at(1e6), expires_at=None) == 0


def test_a_promoted_discard_is_known_by_its_deadline() -> None:
    """Every other is due within a minute of its receipt, whatever timer it has."""
    later = deadlines.promoted(_at(0.001))
    assert deadlines.is_promoted(safe_by=later.safe_by, received_at=NOW)
    for timer in (None, _timer(1), _timer(1e9)):
        usual = plan(sent_at=_at(500), received_at=NOW, timer=timer)
        assert not deadlines.is_promoted(safe_by=usual.safe_by, received_at=NOW)


@pytest.mark.parametrize(
    ("stored", "late_ms"),
    [(-1, 0), (0, 0), (0.0001, 1), (0.001, 1), (1.5, 1500), (3600, 3_600_000)],
)
def test_lateness(stored: float, late_ms: int) -> None:
    """Late is after expiry alone, in milliseconds, and never rounded down to in time."""
    assert deadlines.lateness_ms(stored_at=_at(stored), expires_at=NOW) == late_ms


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1, datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        (1_772_355_600_000, NOW),
        (1.5, datetime(1970, 1, 1, 0, 0, 0, 1500, tzinfo=UTC)),
        (10**30, None),
        (math.nan, None),
        (math.inf, None),
        (True, None),
        ("0", None),
        (None, None),
    ],
)
def test_millisecond_timestamps(value: object, moment: datetime | None) -> None:
    """A platform's milliseconds, or nothing where they name no moment."""
    assert deadlines.from_milliseconds(value) == moment


@pytest.mark.parametrize(
    ("own", "standing", "expires"),
    [(None, 30.0, 30), (10.0, 30.0, 10), (40.0, 30.0, 30), (40.0, None, 40), (None, None, None)],
)
def test_a_changed_standing_timer_plans_anew(
    own: float | None, standing: float | None, expires: float | None
) -> None:
    """The shorter of the message's own timer and the group's holds, as if it had been so."""
    anew = replan(
        lasting=False,
        sent_at=NOW,
        received_at=NOW,
        own_timer=None if own is None else _timer(own),
        standing=None if standing is None else _timer(standing),
    )
    assert anew.expires_at == (None if expires is None else _at(expires))
    shortest = min((s for s in (own, standing) if s is not None), default=None)
    timer = None if shortest is None else _timer(shortest)
    assert anew == plan(sent_at=NOW, received_at=NOW, timer=timer)


@pytest.mark.parametrize(
    ("timer", "delay", "outruns"), [(4.0, 1.9, False), (4.0, 2.1, True), (60.0, 49.0, True)]
)
def test_a_timer_outruns_a_capture_that_takes_longer(
    timer: float, delay: float, *, outruns: bool
) -> None:
    """What it takes to store a message must fit into the timer less its margin."""
    assert deadlines.outruns(_timer(timer), timedelta(seconds=delay)) is outruns


def test_a_timer_that_starts_with_reading_counts_from_receipt() -> None:
    """However old the message is, it disappears only after we could have read it."""
    timer = Timer(seconds=30.0, basis="test", from_receipt=True)
    assert plan(sent_at=_at(-500), received_at=NOW, timer=timer).expires_at == _at(30)


def test_of_two_timers_the_one_that_ends_first_counts() -> None:
    """A longer one that began with the sending may end before a shorter one that begins now."""
    read = Timer(seconds=30.0, basis="read", from_receipt=True)
    kept = Timer(seconds=40.0, basis="kept")
    assert sooner(read, kept, sent_at=_at(-20), received_at=NOW) is kept
    assert sooner(read, kept, sent_at=NOW, received_at=NOW) is read
    assert sooner(None, kept, sent_at=NOW, received_at=NOW) is kept
    assert sooner(None, None, sent_at=NOW, received_at=NOW) is None


@pytest.mark.parametrize("kind", sorted(EventKind))
def test_what_says_how_the_group_stands(kind: EventKind) -> None:
    """Members, names, pins and timers, and of any kind what the platform calls state."""
    assert deadlines.lasts(kind, ()) is (kind in deadlines.LASTING)
    assert deadlines.lasts(kind, (("type", "x"),)) is (kind in deadlines.LASTING)
    assert deadlines.lasts(kind, (("type", "x"), (deadlines.STATE_FACT, "")))


def test_how_the_group_stands_is_not_removed_by_its_timer() -> None:
    """It stays when messages go; a timer of its own ends it all the same."""
    anew = replan(lasting=True, sent_at=NOW, received_at=NOW, own_timer=None, standing=_timer(30))
    assert anew == Deadline(safe_by=NOW + MINUTE)
    own = replan(
        lasting=True, sent_at=NOW, received_at=NOW, own_timer=_timer(40), standing=_timer(30)
    )
    assert own.expires_at == _at(40)
