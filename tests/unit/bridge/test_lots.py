"""Drawing discards by lot."""

from __future__ import annotations

import pytest

from bridge.lots import Lots
from bridge.model import Outcome
from tests.fakes.samples import verdict

SEED = bytes(range(32))


def test_about_the_share_is_drawn() -> None:
    """One in a hundred of ten thousand, give or take what chance gives."""
    lots = Lots(seed=SEED, percent=1.0)
    drawn = sum(lots.draws("a" * 16, n) for n in range(10_000))
    assert 70 <= drawn <= 130


def test_the_same_message_is_drawn_again() -> None:
    """Seed, stream and number decide, so that a replay gives the same."""
    first, again = Lots(seed=SEED, percent=5.0), Lots(seed=SEED, percent=5.0)
    other = Lots(seed=bytes(32), percent=5.0)
    drawn = [n for n in range(1000) if first.draws("s", n)]
    assert drawn == [n for n in range(1000) if again.draws("s", n)]
    assert drawn != [n for n in range(1000) if other.draws("s", n)]
    assert drawn != [n for n in range(1000) if first.draws("t", n)]


@pytest.mark.parametrize(("percent", "all_"), [(0.0, False), (100.0, True)])
def test_none_and_all(percent: float, *, all_: bool) -> None:
    """The ends of the scale are exact."""
    lots = Lots(seed=SEED, percent=percent)
    assert {lots.draws("s", n) for n in range(500)} == {all_}


def test_only_discards_are_drawn() -> None:
    """A drawn discard goes to review with its reasons and its score; nothing else changes."""
    lots = Lots(seed=SEED, percent=100.0)
    for outcome in (Outcome.CAPTURE, Outcome.REVIEW):
        kept = verdict(outcome)
        assert lots.audited(kept, "s", 0) is kept
    discard = verdict(Outcome.DISCARD, score=0.06)
    drawn = lots.audited(discard, "s", 0)
    assert (drawn.outcome, drawn.score) == (Outcome.REVIEW, 0.06)
    assert [reason.code for reason in drawn.reasons] == ["AUDIT", "DECISION"]


def test_the_seed_does_not_show() -> None:
    """Who reads a diagnostic must not be able to tell what will be drawn."""
    assert "seed" not in repr(Lots(seed=SEED, percent=1.0))
