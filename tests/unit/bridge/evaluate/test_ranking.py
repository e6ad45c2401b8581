from __future__ import annotations

import math
import random

from bridge.evaluate.bootstrap import figure, sample_of
from bridge.evaluate.ranking import (
    Scored,
    auc,
    share_above,
    share_from,
    threshold_keeping,
    threshold_recalling,
)


def _sample(*scores: tuple[float, bool]) -> list[Scored]:
    falling = sorted(scores, key=lambda one: -one[0])
    return [Scored(score, positive, unit) for unit, (score, positive) in enumerate(falling)]


def test_auc_counts_the_pairs_that_stand_the_right_way_round() -> None:
    """The fast count agrees with comparing every pair, ties and repeated draws included."""
    chance = random.Random(3)
    sample = _sample(*[(chance.randrange(6) / 5, chance.random() < 0.4) for _ in range(60)])
    weights = [chance.randrange(3) for _ in sample]
    wins = total = 0.0
    for one in sample:
        for other in sample:
            if one.positive and not other.positive:
                both = weights[one.unit] * weights[other.unit]
                total += both
                wins += both * ((one.score > other.score) + (one.score == other.score) / 2)
    assert math.isclose(auc(sample, weights), wins / total)


def test_auc_of_one_kind_alone_is_unknown() -> None:
    """Without positives or without negatives there is nothing to compare."""
    assert math.isnan(auc(_sample((0.5, True)), [1]))


def test_no_more_than_the_allowed_share_is_above_the_threshold() -> None:
    """Ties that would go beyond the share are left out together."""
    sample = _sample((0.9, False), (0.8, False), (0.8, False), *[(0.1, False)] * 7)
    threshold = threshold_keeping(sample, [1] * 10, 0.2)
    assert share_above(sample, [1] * 10, threshold) == 0.1


def test_the_wanted_share_reaches_the_threshold() -> None:
    """The threshold of a recall is a score that is itself kept."""
    sample = _sample(*[(i / 20, True) for i in range(20)])
    threshold = threshold_recalling(sample, [1] * 20, 0.95)
    assert threshold == 0.05
    assert share_from(sample, [1] * 20, threshold) == 0.95


def test_an_interval_holds_its_value_and_repeats() -> None:
    """The same sample gives the same interval, and it is wider where conversations are few."""
    rows = [(f"c{i % 5}", i / 40, i % 3 == 0) for i in range(40)]
    sample = sample_of(rows)
    found = [
        figure(lambda w: auc(sample.scored, w[0]), [sample.units], 40, draws=50) for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0].low is not None
    assert found[0].value is not None
    assert found[0].high is not None
    assert found[0].low <= found[0].value <= found[0].high
