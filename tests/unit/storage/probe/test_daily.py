"""The canary that is looked at every day: whatever its lock loses is told."""

from __future__ import annotations

from datetime import timedelta

from storage.objects.probe.hands import Lock, Mode
from storage.objects.probe.s3 import changed, plant
from tests.fakes.clock import FakeClock
from tests.fakes.hands import FOLDER, FakeBucket, Quirk

NAME = f"{FOLDER}daily"


def _lock(clock: FakeClock, mode: Mode) -> Lock:
    return Lock(mode=mode, until=clock.now() + timedelta(days=3))


def test_a_lock_that_was_weakened_is_told() -> None:
    """A compliance lock that became a governance lock lasts as long and keeps less."""
    clock = FakeClock()
    hands = FakeBucket(clock, Quirk.WEAKENS).hands()
    planted = plant(hands, NAME, _lock(clock, "COMPLIANCE"))
    assert changed(hands, planted, "COMPLIANCE") == ""
    assert hands.retain(NAME, planted.version, _lock(clock, "GOVERNANCE")).done
    told = changed(hands, planted, "COMPLIANCE")
    assert "(governance), and was until" in told
    assert "(compliance)" in told


def test_a_lock_that_was_strengthened_is_no_news() -> None:
    """A governance lock that became longer or a compliance lock keeps what was promised."""
    clock = FakeClock()
    hands = FakeBucket(clock).hands()
    planted = plant(hands, NAME, _lock(clock, "GOVERNANCE"))
    clock.advance(60)
    assert hands.retain(NAME, planted.version, _lock(clock, "COMPLIANCE")).done
    assert changed(hands, planted, "GOVERNANCE") == ""
