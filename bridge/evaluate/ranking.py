"""Measures of a ranking on weighted samples. A weight is how often a draw holds a message.

All of them take scores sorted once, so that a thousand draws cost a thousand passes and no sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan


@dataclass(frozen=True, slots=True)
class Scored:
    """A score, whether its message is of the sought kind, and the unit it is drawn with."""

    score: float
    positive: bool
    unit: int


def falling(sample: Sequence[Scored]) -> list[Scored]:
    """``sample`` with the highest scores first."""
    return sorted(sample, key=lambda one: -one.score)


def auc(ordered: Sequence[Scored], weights: Sequence[int]) -> float:
    """How often a positive stands above a negative; ties count half. ``ordered`` falls."""
    wins = 0.0
    positives = negatives = 0
    at = 0
    while at < len(ordered):
        score = ordered[at].score
        more_positive = more_negative = 0
        while at < len(ordered) and ordered[at].score == score:
            one = ordered[at]
            if one.positive:
                more_positive += weights[one.unit]
            else:
                more_negative += weights[one.unit]
            at += 1
        wins += more_negative * (positives + more_positive / 2)
        positives += more_positive
        negatives += more_negative
    return wins / (positives * negatives) if positives and negatives else nan


def threshold_keeping(ordered: Sequence[Scored], weights: Sequence[int], share: float) -> float:
    """The lowest threshold at which at most ``share`` of ``ordered`` scores above it.

    Whatever scores *more* than the threshold is kept.
    """
    total = sum(weights[one.unit] for one in ordered)
    kept = 0
    at = 0
    while at < len(ordered):
        score = ordered[at].score
        more = 0
        while at < len(ordered) and ordered[at].score == score:
            more += weights[ordered[at].unit]
            at += 1
        if kept + more > share * total:
            return score
        kept += more
    return -1.0


def threshold_recalling(ordered: Sequence[Scored], weights: Sequence[int], share: float) -> float:
    """The highest score at which at least ``share`` of ``ordered`` scores as much or more."""
    total = sum(weights[one.unit] for one in ordered)
    kept = 0
    for one in ordered:
        kept += weights[one.unit]
        if kept >= share * total:
            return one.score
    return -1.0


def share_above(sample: Sequence[Scored], weights: Sequence[int], threshold: float) -> float:
    """The part of ``sample`` that scores more than ``threshold``."""
    total = sum(weights[one.unit] for one in sample)
    kept = sum(weights[one.unit] for one in sample if one.score > threshold)
    return kept / total if total else nan


def share_from(sample: Sequence[Scored], weights: Sequence[int], threshold: float) -> float:
    """The part of ``sample`` that scores ``threshold`` or more."""
    total = sum(weights[one.unit] for one in sample)
    kept = sum(weights[one.unit] for one in sample if one.score >= threshold)
    return kept / total if total else nan
