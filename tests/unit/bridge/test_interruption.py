"""When a silence is an interruption, for which groups, and how long it can have been."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.groups import UNREADABLE
from bridge.interruption import (
    LEAST_SECONDS,
    PATIENCE_SECONDS,
    POLL_SECONDS,
    WRITTEN_SECONDS,
    Hearing,
    Silence,
    interrupted,
    is_recorded,
    limit,
)
from bridge.model import GroupState, Presence, Timer
from tests.fakes import samples
from tests.fakes.clock import START, FakeClock


def _silence(hearing: Hearing) -> tuple[float, float] | None:
    """Its seconds, and the length of the period that is told."""
    silence = hearing.silence()
    if silence is None:
        return None
    return silence.seconds, (silence.until - silence.since).total_seconds()


def _heard(hearing: Hearing) -> None:
    hearing.asked()
    hearing.heard()


# Inside one process


def test_an_idle_platform_is_no_silence() -> None:
    """A poll that succeeds while somebody still waits for it missed nothing."""
    clock = FakeClock()
    hearing = Hearing(clock)
    _heard(hearing)
    for _ in range(4):
        hearing.asked()
        clock.advance(PATIENCE_SECONDS)
        assert hearing.silence() is None
        hearing.heard()


def test_a_machine_that_slept_heard_nothing() -> None:
    """An answer that comes after everybody would have given it up ends a silence."""
    clock = FakeClock()
    hearing = Hearing(clock)
    _heard(hearing)
    clock.advance(2)
    hearing.asked()
    clock.advance(3600)
    assert _silence(hearing) == (3600 - POLL_SECONDS, 3602)
    assert hearing.until_now() == START + timedelta(seconds=2 + POLL_SECONDS)
    hearing.heard()
    hearing.asked()
    clock.advance(1)
    assert hearing.silence() is None


def test_a_silence_begins_with_the_first_failure() -> None:
    """What counts is from the failure on; what is told begins when the platform was heard."""
    clock = FakeClock()
    hearing = Hearing(clock)
    _heard(hearing)
    hearing.asked()
    clock.advance(29)
    hearing.failed()
    for _ in range(3):
        clock.advance(10)
        hearing.asked()
        hearing.failed()
    assert _silence(hearing) == (30, 59)
    hearing.heard()
    assert hearing.silence() is None


def test_a_poll_that_hangs_is_silence_after_its_time() -> None:
    """A poll that fails long after it should have been answered was silence meanwhile."""
    clock = FakeClock()
    hearing = Hearing(clock)
    _heard(hearing)
    hearing.asked()
    clock.advance(90)
    hearing.failed()
    clock.advance(1)
    assert _silence(hearing) == (91 - POLL_SECONDS, 91)


@pytest.mark.parametrize("step", [timedelta(hours=5), -timedelta(hours=5)])
def test_a_clock_that_is_set_makes_no_silence(step: timedelta) -> None:
    """Steps of the wall clock neither invent a silence nor turn one around."""
    clock = FakeClock()
    hearing = Hearing(clock)
    _heard(hearing)
    hearing.failed()
    clock.advance(7)
    clock.set_wall(clock.now() + step)
    assert _silence(hearing) == (7, 7)
    silence = hearing.silence()
    assert silence is not None
    assert silence.until == clock.now()


# Over a restart


def test_a_platform_that_was_never_heard_has_no_silence() -> None:
    """Before the first delivery of all nothing was recorded that could be interrupted."""
    clock = FakeClock()
    hearing = Hearing(clock)
    hearing.recall(None)
    hearing.failed()
    clock.advance(1000)
    assert hearing.silence() is None


def test_a_silence_over_a_restart_begins_at_the_moment_in_the_journal() -> None:
    """The time between processes counts, and what the new one waits before it hears."""
    clock = FakeClock()
    hearing = Hearing(clock)
    hearing.recall(START - timedelta(minutes=39))
    clock.advance(10)
    assert hearing.silence() == Silence(
        since=START - timedelta(minutes=39), until=clock.now(), seconds=39 * 60 + 10
    )


def test_a_clock_set_forward_after_a_restart_is_no_silence() -> None:
    """What passed before the process began is measured once, when it begins."""
    clock = FakeClock()
    hearing = Hearing(clock)
    hearing.recall(START - timedelta(seconds=3))
    clock.advance(2)
    clock.set_wall(clock.now() + timedelta(days=300))
    assert _silence(hearing) == (5, 5)


def test_a_clock_set_back_over_a_restart_makes_no_negative_silence() -> None:
    """Where the moment lies ahead, at least the time of this process passed."""
    clock = FakeClock()
    hearing = Hearing(clock)
    hearing.recall(START + timedelta(hours=1))
    clock.advance(4)
    assert _silence(hearing) == (4, 4)


def test_a_clock_that_was_wrong_at_the_start_tells_once_it_is_right() -> None:
    """A machine that begins in 1970 measures the silence when its clock has been set."""
    clock = FakeClock(datetime(1970, 1, 1, tzinfo=UTC))
    hearing = Hearing(clock)
    hearing.recall(START)
    clock.advance(4)
    clock.set_wall(START + timedelta(minutes=5))
    assert _silence(hearing) == (300, 300)


def test_the_moment_is_written_now_and_then() -> None:
    """At first, and then again when some seconds have passed."""
    clock = FakeClock()
    hearing = Hearing(clock)
    asked = [hearing.is_unwritten]
    hearing.written()
    for seconds in (WRITTEN_SECONDS - 1, 1):
        clock.advance(seconds)
        asked.append(hearing.is_unwritten)
    assert asked == [True, False, True]


def test_at_the_end_of_a_process_nothing_is_claimed_that_is_not_known() -> None:
    """Up to now while the platform is in order; nothing while it fails or was never heard."""
    clock = FakeClock()
    hearing = Hearing(clock)
    assert hearing.until_now() is None
    _heard(hearing)
    hearing.asked()
    clock.advance(20)
    assert hearing.until_now() == clock.now()
    clock.advance(30)
    assert hearing.until_now() == START + timedelta(seconds=POLL_SECONDS)
    hearing.failed()
    assert hearing.until_now() is None


# For which groups


@pytest.mark.parametrize(
    ("timer", "expected"),
    [
        (None, 60),
        (3600.0, 60),
        (30.5, 30.5),
        (4.0, LEAST_SECONDS),
        (0.0, 60),
        (-1.0, 60),
        (float("inf"), 60),
        (float("nan"), 60),
    ],
)
def test_the_limit_of_a_group(timer: float | None, expected: float) -> None:
    """Its own timer, if that is less than the setting; never below the least."""
    group = samples.group()
    if timer is not None:
        group = replace(group, timer=Timer(seconds=timer, basis="sample"))
    assert limit(group, seconds=60) == expected
    assert limit(group, seconds=1) == LEAST_SECONDS


def test_only_groups_that_were_recorded_lose_anything() -> None:
    """Member of the group, of this connector, and neither paused, proposed nor closed."""
    recorded = {s for s in GroupState if is_recorded(samples.group(state=s), "matrix")}
    assert recorded == {GroupState.ACTIVE, GroupState.NOT_RECORDING}
    assert not is_recorded(samples.group(presence=Presence.REMOVED), "matrix")
    assert not is_recorded(samples.group(), "other")


def test_gaps_and_sentences_go_to_the_groups_it_was_too_long_for() -> None:
    """A short timer makes an interruption of what is none elsewhere; encrypted rooms stay mute."""
    quick = replace(samples.group("!quick"), timer=Timer(seconds=8, basis="sample"))
    sealed = replace(quick, group_id="!sealed", state=GroupState.NOT_RECORDING, note=UNREADABLE)
    silence = Silence(since=START, until=START + timedelta(seconds=9), seconds=9)
    losses, sayings = interrupted(
        silence, [samples.group("!slow"), quick, sealed], seconds=60, language="en"
    )
    assert [(loss.group_id, loss.why, loss.since, loss.until) for loss in losses] == [
        (group_id, "interrupted", silence.since, silence.until)
        for group_id in ("!quick", "!sealed")
    ]
    (said,) = sayings
    assert said.group_id == "!quick"
    assert "between 09:00 UTC on 1 March 2026 and 09:01 UTC" in said.text
    assert said.until > silence.until
    again = interrupted(silence, [quick], seconds=60, language="en")[1]
    assert again == sayings
