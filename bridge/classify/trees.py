"""The second part of the model: small decision trees over what a message and its neighbours score.

Leaves are integers and are summed, so that the sum is the same in any order and on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

UNIT = 4096
"""Leaves are in units of 1/4096 of a log-odds."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree in arrays. ``features[i]`` < 0: node ``i`` is a leaf worth ``values[i]``.

    Otherwise a value up to ``limits[i]`` goes to ``lefts[i]``, a higher one to the node after it.
    """

    features: tuple[int, ...]
    limits: tuple[float, ...]
    lefts: tuple[int, ...]
    values: tuple[int, ...]

    def value(self, row: Sequence[float]) -> int:
        """What the tree says of ``row``."""
        node = 0
        while (feature := self.features[node]) >= 0:
            node = self.lefts[node] + (row[feature] > self.limits[node])
        return self.values[node]


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees that are summed, from a common ``start``."""

    start: int
    trees: tuple[Tree, ...] = field(repr=False)

    def value(self, row: Sequence[float]) -> float:
        """The log-odds that ``row`` is significant."""
        total = self.start
        for tree in self.trees:  # written out: a message costs a hundred trees and more
            features, limits, lefts = tree.features, tree.limits, tree.lefts
            node = 0
            while (feature := features[node]) >= 0:
                node = lefts[node] + (row[feature] > limits[node])
            total += tree.values[node]
        return total / UNIT
