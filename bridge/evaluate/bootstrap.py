"""Intervals: conversations are drawn again, a thousand times, with a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from bridge.evaluate.ranking import Scored

DRAWS = 1000
_SEED = 20_231

Weights = Sequence[Sequence[int]]
"""Of each sample, how often each of its units was drawn."""

Measure = Callable[[Weights], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measure with its 95 % interval; ``n``: the messages it rests on. NaN becomes None."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def figure(measure: Measure, units: Sequence[int], n: int, *, draws: int = DRAWS) -> Figure:
    """The figure of ``measure`` over samples of so many ``units`` each."""
    value = measure([[1] * count for count in units])
    if isnan(value):
        return Figure(value=None, low=None, high=None, n=n)
    chance = random.Random(_SEED)  # noqa: S311 - a fixed draw, so that a figure can be repeated
    found: list[float] = []
    for _ in range(draws):
        drawn = [_draw(chance, count) for count in units]
        again = measure(drawn)
        if not isnan(again):
            found.append(again)
    found.sort()
    if not found:
        return Figure(value=round(value, 4), low=None, high=None, n=n)
    low, high = found[int(0.025 * len(found))], found[min(int(0.975 * len(found)), len(found) - 1)]
    return Figure(value=round(value, 4), low=round(low, 4), high=round(high, 4), n=n)


def _draw(chance: random.Random, count: int) -> list[int]:
    weights = [0] * count
    for unit in chance.choices(range(count), k=count):
        weights[unit] += 1
    return weights


@dataclass(frozen=True, slots=True)
class Sample:
    """Scores whose units are the conversations they come from."""

    scored: list[Scored]
    units: int


def sample_of(rows: Sequence[tuple[str, float, bool]]) -> Sample:
    """The sample of (conversation, score, is sought), the highest score first."""
    numbers: dict[str, int] = {}
    scored = [
        Scored(score, sought, numbers.setdefault(name, len(numbers)))
        for name, score, sought in rows
    ]
    scored.sort(key=lambda one: -one.score)
    return Sample(scored, len(numbers))
