"""From a corpus to a model: the linear heads, then the trees over messages in their place.

The trees learn from scores that the heads give to conversations they were not fitted on, as they
will have to when the model is used.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from bridge.classify.features import (
    BUCKETS,
    CLASS,
    PAIR,
    PIECE,
    SCALES,
    distinct,
    pair_bucket,
    pairs,
    word_buckets,
)
from bridge.classify.lexis import tokens
from bridge.classify.lines import HEADS, Lines
from bridge.classify.normalise import read
from bridge.evaluate.corpus import Conversation, Message, fold_of
from bridge.evaluate.heads import is_lesson, lesson
from bridge.evaluate.linear import Document, Example, document, fit

FOLDS = 5
LONGEST = 20_000
STRENGTH = 0.25
_LEAST_TEXTS = {PIECE: 3, CLASS: 1}
_CLIPPED = 0.0005

Classes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Pupil:
    """A message to learn from, with its features as (kind, bucket)."""

    message: Message
    features: list[tuple[int, int]]

    @property
    def fold(self) -> int:
        """The fold of its conversation."""
        return fold_of(self.message, FOLDS)


def pupils(corpus: Iterable[Conversation], classes: Classes) -> list[Pupil]:
    """Every message that something is learnt from."""
    known: dict[str, list[tuple[int, int]]] = {}
    found: list[Pupil] = []
    for conversation in corpus:
        found += [
            Pupil(message, _features(message.text, classes, known))
            for message in conversation
            if is_lesson(message)
        ]
    return found


def _features(
    text: str, classes: Classes, known: dict[str, list[tuple[int, int]]]
) -> list[tuple[int, int]]:
    words = tokens(read(text, longest=LONGEST).text)
    features: list[tuple[int, int]] = []
    for word in distinct(words):
        if word not in known:
            known[word] = word_buckets(word, classes)
        features += known[word]
    features.extend((PAIR, pair_bucket(a, b)) for a, b in pairs(words))
    return features


def fit_lines(taught: Sequence[Pupil], classes: Classes) -> Lines:
    """The heads, fitted on ``taught``."""
    squares = _squares(taught)
    used = Counter(at for pupil in taught for _, at in pupil.features if squares[at])
    # The commonest stand together, which the machine's cache rewards.
    buckets = [at for at, _ in sorted(used.items(), key=lambda item: (-item[1], item[0]))]
    places = {at: place for place, at in enumerate(buckets, 1)}
    sizes = array("d", (0.0, *(squares[at] for at in buckets)))
    documents = [
        document([places[at] for _, at in pupil.features if squares[at]], sizes) for pupil in taught
    ]
    fitted = [_fit_head(name, taught, documents, sizes) for name in HEADS]
    return _quantised(fitted, buckets, squares, classes)


def _squares(taught: Sequence[Pupil]) -> bytes:
    """What each bucket adds to the square of a text's length: more for what is rarer."""
    texts: dict[int, Counter[int]] = {}
    for pupil in taught:
        for kind, at in set(pupil.features):
            texts.setdefault(kind, Counter())[at] += 1
    squares = bytearray(BUCKETS)
    for kind in sorted(texts):
        for at, count in texts[kind].items():
            if squares[at] or count < _LEAST_TEXTS.get(kind, 2):
                continue
            rarity = 1.0 if kind == CLASS else log((1 + len(taught)) / (1 + count)) + 1
            squares[at] = min(max(round((SCALES[kind] * rarity) ** 2), 1), 255)
    return bytes(squares)


def _fit_head(
    name: str, taught: Sequence[Pupil], documents: Sequence[Document], sizes: array[float]
) -> tuple[array[float], float]:
    examples: list[Example] = []
    for pupil, doc in zip(taught, documents, strict=True):
        taken = lesson(name, pupil.message)
        if taken is not None:
            examples.append(Example(doc, taken.positive, taken.weight))
    return fit(examples, sizes, strength=STRENGTH, seed=HEADS.index(name))


def _quantised(
    fitted: Sequence[tuple[array[float], float]],
    buckets: Sequence[int],
    squares: bytes,
    classes: Classes,
) -> Lines:
    """Weights as small integers. The few largest of a head are clipped, to spare the others."""
    weights = array("b", bytes(BUCKETS * len(HEADS)))
    units: list[float] = []
    for head, (values, _) in enumerate(fitted):
        sizes = sorted(abs(value) for value in values if value)
        largest = sizes[int(len(sizes) * (1 - _CLIPPED))] if sizes else 1.0
        unit = float(f"{largest / 127:.6g}")
        for place, at in enumerate(buckets, 1):
            value = values[place]
            if value:
                weights[at * len(HEADS) + head] = max(-127, min(127, round(value / unit)))
        units.append(unit)
    return Lines(
        weights=weights,
        squares=squares,
        units=tuple(units),
        biases=tuple(float(f"{bias:.6g}") for _, bias in fitted),
        classes=classes,
    )
