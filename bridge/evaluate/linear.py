"""Fitting one head: a linear separator with squared hinge loss, by dual coordinate descent.

Plain arithmetic in a fixed order, so that the same data gives the same weights bit for bit.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import itemgetter

from bridge.classify.lines import SOFTNESS

EPOCHS = 6
_SETTLED = 1e-3


@dataclass(frozen=True, slots=True)
class Document:
    """A text's places with repeats, one over its length, and its length's square by that.

    ``gather`` takes the values at its places out of a table.
    """

    places: tuple[int, ...]
    gather: Callable[[array[float]], tuple[float, ...]]
    inverse: float
    energy: float


@dataclass(frozen=True, slots=True)
class Example:
    """A document with what is to be learnt of it."""

    document: Document
    positive: bool
    weight: float


def document(places: Sequence[int], squares: Sequence[float]) -> Document:
    """The document of ``places``, of which place 0 counts for nothing."""
    square = sum(squares[at] for at in places)
    inverse = 1 / sqrt(square + SOFTNESS)
    energy = sum(times * times * squares[at] for at, times in Counter(places).items())
    padded = (0, 0, *places)
    return Document(
        places=tuple(places),
        gather=itemgetter(*padded),
        inverse=inverse,
        energy=energy * inverse * inverse,
    )


def fit(
    examples: Sequence[Example], squares: array[float], *, strength: float, seed: int
) -> tuple[array[float], float]:
    """Weights by place, and the bias. ``strength``: how little they are held down."""
    weights = array("d", bytes(8 * len(squares)))
    bias = 0.0
    alphas = [0.0] * len(examples)
    order = list(range(len(examples)))
    shuffle = random.Random(seed).shuffle  # noqa: S311 - a fixed order, not a secret
    for _ in range(EPOCHS):
        shuffle(order)
        for i in order:
            example = examples[i]
            doc = example.document
            side = 1.0 if example.positive else -1.0
            give = 0.5 / (strength * example.weight)
            alpha = alphas[i]
            score = sum(doc.gather(weights)) * doc.inverse + bias
            slope = side * score - 1 + give * alpha
            if slope > -_SETTLED and (alpha == 0 or slope < _SETTLED):
                continue
            new = max(alpha - slope / (doc.energy + 1 + give), 0.0)
            if new == alpha:
                continue
            alphas[i] = new
            step = (new - alpha) * side
            bias += step
            step *= doc.inverse
            for at in doc.places:
                weights[at] += step * squares[at]
    return weights, bias
