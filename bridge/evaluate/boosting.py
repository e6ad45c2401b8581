"""Fitting the trees: gradient boosting on binned columns, in plain arithmetic and a fixed order."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from operator import itemgetter

from bridge.classify.trees import UNIT, Forest, Tree

BINS = 24
_FEWEST = 2
_LEAST_GAIN = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How trees are grown."""

    trees: int = 130
    depth: int = 3
    rate: float = 0.06
    rows: float = 0.5
    columns: float = 0.3
    least_weight: float = 4.0
    hold: float = 3.0
    seed: int = 7


@dataclass(slots=True)
class _Data:
    columns: list[bytes]
    limits: list[list[float]]
    gradients: list[float]
    curvatures: list[float]


@dataclass(frozen=True, slots=True)
class _Split:
    gain: float
    column: int
    bin: int


def grow(
    rows: Sequence[Sequence[float]],
    labels: Sequence[bool],
    weights: Sequence[float],
    growth: Growth,
) -> Forest:
    """Trees that tell the labels of ``rows`` apart."""
    limits = [_limits([row[i] for row in rows]) for i in range(len(rows[0]))]
    columns = [bytes(bisect_left(limits[i], row[i]) for row in rows) for i in range(len(rows[0]))]
    total = sum(weights)
    positive = sum(w for w, label in zip(weights, labels, strict=True) if label)
    start = log(max(positive, 1e-3) / max(total - positive, 1e-3))
    margins = [start] * len(rows)
    data = _Data(columns, limits, [0.0] * len(rows), [0.0] * len(rows))
    chance = random.Random(growth.seed)  # noqa: S311 - a fixed choice, not a secret
    trees: list[Tree] = []
    for _ in range(growth.trees):
        for i, margin in enumerate(margins):
            share = 1 / (1 + exp(-margin))
            data.gradients[i] = weights[i] * (share - labels[i])
            data.curvatures[i] = weights[i] * max(share * (1 - share), 1e-4)
        sample = [i for i in range(len(rows)) if chance.random() < growth.rows]
        chosen = sorted(chance.sample(range(len(columns)), int(growth.columns * len(columns))))
        tree = _Planting(data, growth, chosen).tree(sample)
        for i, row in enumerate(rows):
            margins[i] += tree.value(row) / UNIT
        trees.append(tree)
    return Forest(start=round(start * UNIT), trees=tuple(trees))


def _limits(values: list[float]) -> list[float]:
    """Where a column is cut: between distinct values, about equally many in each bin."""
    ordered = sorted(values)
    size = len(ordered)
    cuts: list[float] = []
    for part in range(1, BINS):
        at = part * size // BINS
        low, high = ordered[max(at - 1, 0)], ordered[at]
        # A cut rounded to a float of few digits is written to the file and read back unchanged.
        cut = round((low + high) / 2, 5)
        if not cuts or cut > cuts[-1]:
            cuts.append(cut)
    return cuts


class _Planting:
    """One tree, level by level."""

    def __init__(self, data: _Data, growth: Growth, columns: list[int]) -> None:
        self._data = data
        self._growth = growth
        self._columns = columns
        self._features: list[int] = []
        self._limits: list[float] = []
        self._lefts: list[int] = []
        self._values: list[int] = []

    def tree(self, sample: list[int]) -> Tree:
        """The tree of ``sample``."""
        self._node()
        self._divide(0, sample, 0)
        return Tree(
            tuple(self._features), tuple(self._limits), tuple(self._lefts), tuple(self._values)
        )

    def _node(self) -> int:
        self._features.append(-1)
        self._limits.append(0.0)
        self._lefts.append(0)
        self._values.append(0)
        return len(self._features) - 1

    def _divide(self, node: int, members: list[int], depth: int) -> None:
        gradient = sum(map(self._data.gradients.__getitem__, members))
        curvature = sum(map(self._data.curvatures.__getitem__, members))
        split = None
        if depth < self._growth.depth:
            split = self._best(members, gradient, curvature)
        if split is None:
            worth = -gradient / (curvature + self._growth.hold) * self._growth.rate
            self._values[node] = round(worth * UNIT)
            return
        column = self._data.columns[split.column]
        left, right = self._node(), self._node()
        self._features[node] = split.column
        self._limits[node] = self._data.limits[split.column][split.bin]
        self._lefts[node] = left
        self._divide(left, [i for i in members if column[i] <= split.bin], depth + 1)
        self._divide(right, [i for i in members if column[i] > split.bin], depth + 1)

    def _best(self, members: list[int], gradient: float, curvature: float) -> _Split | None:
        if len(members) < _FEWEST:
            return None
        slopes = list(
            map(
                complex,
                map(self._data.gradients.__getitem__, members),
                map(self._data.curvatures.__getitem__, members),
            )
        )
        pick = itemgetter(*members)
        whole = gradient * gradient / (curvature + self._growth.hold)
        best: _Split | None = None
        for number in self._columns:
            bins = pick(self._data.columns[number])
            gain, where = self._cut(bins, slopes, gradient, curvature)
            if gain - whole > (best.gain if best else _LEAST_GAIN):
                best = _Split(gain - whole, number, where)
        return best

    def _cut(
        self, bins: Sequence[int], slopes: Sequence[complex], gradient: float, curvature: float
    ) -> tuple[float, int]:
        """The best cut of one column. A slope is a gradient and a curvature, added at once."""
        sums = [0j] * (BINS + 1)
        for at, slope in zip(bins, slopes, strict=True):
            sums[at] += slope
        hold, least = self._growth.hold, self._growth.least_weight * 0.25
        best, where = 0.0, -1
        left = 0j
        for at in range(BINS - 1):
            left += sums[at]
            right_h = curvature - left.imag
            if left.imag < least or right_h < least:
                continue
            right_g = gradient - left.real
            gain = left.real * left.real / (left.imag + hold) + right_g * right_g / (right_h + hold)
            if gain > best:
                best, where = gain, at
        return best, where
