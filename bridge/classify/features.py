"""What the model counts in a text: words, neighbouring words, pieces of words, and word classes.

Every feature is a bucket of a table, found by a checksum of its spelling, so that no list of
words is kept. A text's features are those of its distinct words and distinct neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

from bridge.classify.lexis import Token, is_shape

BUCKETS = 1 << 18
_MASK = BUCKETS - 1
_PIECE = 4
_START, _END = "^", "$"

WORD, PAIR, PIECE, CLASS = range(4)
"""The kinds of feature."""

SCALES = (1.5, 1.5, 1.2, 4.0)
"""How much a feature of each kind counts, rarity apart; of a class, whatever its rarity."""


def bucket(kind: int, spelling: str) -> int:
    """The bucket of a feature."""
    return crc32(f"{kind}{spelling}".encode("utf-8", "surrogatepass")) & _MASK


def word_buckets(word: str, classes: Mapping[str, tuple[str, ...]]) -> list[tuple[int, int]]:
    """The features of one word as (kind, bucket): itself, its pieces, its classes."""
    found = [(WORD, bucket(WORD, word))]
    if not is_shape(word):
        padded = f" {word} "
        found += [
            (PIECE, bucket(PIECE, padded[at : at + _PIECE]))
            for at in range(len(padded) - _PIECE + 1)
        ]
    found += [(CLASS, bucket(CLASS, name)) for name in classes_of(word, classes)]
    return found


def classes_of(word: str, classes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The classes of a word, or of what it is the plural or the possessive of."""
    known = classes.get(word)
    if known is None and word.endswith("'s"):
        known = classes.get(word[:-2])
    if known is None and word.endswith("s"):
        known = classes.get(word[:-1])
    return known or ()


@lru_cache(maxsize=1 << 14)
def pair_bucket(first: str, second: str) -> int:
    """The bucket of two words that stand side by side."""
    return bucket(PAIR, f"{first}_{second}")


def distinct(tokens: Sequence[Token]) -> list[str]:
    """The words of ``tokens``, each once, in order."""
    return list(dict.fromkeys(token.word for token in tokens))


def pairs(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Neighbouring words, each pair once; the start and the end of the text are words too."""
    words = [_START, *(token.word for token in tokens), _END]
    return list(dict.fromkeys(pairwise(words)))
