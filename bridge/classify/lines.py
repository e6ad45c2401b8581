"""The linear part of the model: a table of small integers, summed over a text's features.

One pass gives several scores ("heads"): how much a text reads like a record, like logistics,
like private talk, like something that means nothing alone. All sums are of integers, and what
follows uses only operations that every machine rounds alike.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from bridge.classify.features import distinct, pair_bucket, pairs, word_buckets
from bridge.classify.lexis import Token, tokens

HEADS = (
    "record",
    "logistics",
    "ack",
    "private",
    "outside",
    "advice",
    "task",
    "answer",
    "leaning",
    "inquiry",
    "proposal",
    "action",
    "meeting",
    "spoken",
)
"""What the scores of a text say, in their order in the table."""

SOFTNESS = 200
"""Added to the squared length of a text, so that a text of one word counts for less."""

_CACHED_WORDS = 1 << 13
_WIDTH = len(HEADS)

Row = tuple[int, ...]
"""The sums of one word: the heads in their order, and the squared length last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """``weights``: of each bucket its heads. ``squares``: what a bucket adds to the length.

    ``units`` turn the sum of a head into a score, to which ``biases`` are added.
    """

    weights: array[int] = field(repr=False)
    squares: bytes = field(repr=False)
    units: tuple[float, ...]
    biases: tuple[float, ...]
    classes: Mapping[str, tuple[str, ...]] = field(repr=False)
    _words: dict[str, Row] = field(default_factory=dict, init=False, repr=False, compare=False)

    def heads(self, text: str) -> tuple[float, ...]:
        """The scores of folded ``text``."""
        found = tokens(text)
        return self.scores(self.rows(found))

    def rows(self, found: Sequence[Token]) -> list[Row]:
        """The rows of the distinct words, then of the distinct pairs."""
        rows = [self.word(word) for word in distinct(found)]
        for first, second in pairs(found):
            at = pair_bucket(first, second)
            if self.squares[at]:
                rows.append(self.at(at))
        return rows

    def scores(self, rows: Sequence[Row]) -> tuple[float, ...]:
        """The heads that ``rows`` sum to."""
        if not rows:
            return self.biases
        *sums, square = map(sum, zip(*rows, strict=True))
        length = sqrt(square + SOFTNESS)
        return tuple(
            total * unit / length + bias
            for total, unit, bias in zip(sums, self.units, self.biases, strict=True)
        )

    def word(self, word: str) -> Row:
        """The row of one word with its pieces and classes."""
        known = self._words.get(word)
        if known is not None:
            return known
        found = [at for _, at in word_buckets(word, self.classes) if self.squares[at]]
        row = tuple(map(sum, zip(*map(self.at, found), strict=True))) or (0,) * (_WIDTH + 1)
        if len(self._words) >= _CACHED_WORDS:
            self._words.clear()
        self._words[word] = row
        return row

    def at(self, at: int) -> Row:
        """The row of one bucket."""
        first = at * _WIDTH
        return (*self.weights[first : first + _WIDTH], self.squares[at])
