"""Conformal risk control: from which score on to keep, so that few significant messages are missed.

Of ``n`` messages that people found significant, the ``k``-th smallest score is the threshold. With
``k = floor(alpha (n + 1))`` the expected share that is missed of further messages like them is at
most ``alpha``; with ``k`` from the binomial tail it is so with the given confidence. ``k = 0``
means that ``n`` is too small to discard anything on the strength of it.

Like them are messages that come before people as these did. What was reviewed is what the rules
were in doubt of, and of what they discarded one in a hundred, which counts as one: nothing is
promised of all significant messages, of which far more may score below. So a threshold found here
may only turn discards into reviews: it says enough to keep more, and too little to destroy more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import msgspec

from bridge.errors import ConfigError
from bridge.model import Digest

POOLED = ""
"""The source of a threshold for all groups together."""

CONFIDENCE = 0.95
DIGITS = 8


class Method(StrEnum):
    """What is promised of a threshold."""

    EXPECTED = "expected"
    CONFIDENT = "confident"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A reviewed message: the score it had when it was judged, and what a person said of it."""

    score: float
    significant: bool
    source: str = POOLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From ``value`` on a message is kept. ``k`` = 0: nothing may be discarded by it.

    ``n`` counts the significant messages it was found on.
    """

    source: str = POOLED
    method: Method
    alpha: float
    n: int
    k: int
    value: float = 0.0

    @property
    def suffices(self) -> bool:
        """Whether there were enough messages to say anything."""
        return self.k > 0

    @property
    def guarantee(self) -> str:
        """What is promised, in words: nothing of discards that nobody looked at."""
        if not self.suffices:
            least = least_n(self.alpha, self.method)
            return f"none: {self.n} significant messages were reviewed, at least {least} are needed"
        missed = (
            f"of significant messages that are reviewed as these were, at most {self.alpha:.1%}"
            f" score below {self.value:.4f}"
        )
        if self.method is Method.EXPECTED:
            return f"{missed}, on average"
        return f"{missed}, with {CONFIDENCE:.0%} confidence"


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds as ``calibration.json`` keeps them, for one policy and one model.

    Scores of another policy or model mean something else: to those it does not apply.
    """

    v: int = 1
    policy: str
    model: str
    at: str
    thresholds: tuple[Threshold, ...]

    def applies_to(self, policy: str, model: str) -> bool:
        """Whether scores under this policy and model are what it was found on."""
        return (self.policy, self.model) == (policy, model)

    def threshold(self, source: str) -> Threshold | None:
        """That of ``source`` if it has one of its own, else the one for all groups."""
        by_source = {each.source: each for each in self.thresholds if each.suffices}
        return by_source.get(source, by_source.get(POOLED))

    @property
    def label(self) -> str:
        """What a model's name carries while this is in force."""
        return f"cal-{Digest.of(encoded(self)).hex[:DIGITS]}"


def encoded(calibration: Calibration) -> bytes:
    """The bytes of ``calibration.json``."""
    return msgspec.json.format(msgspec.json.encode(calibration, order="sorted")) + b"\n"


def decoded(data: bytes) -> Calibration:
    """The calibration in ``data``.

    Raises:
        ConfigError: it is not one, or of another version.
    """
    remedy = "Remove calibration.json, then run `muniment calibrate --apply` again."
    try:
        found = msgspec.json.decode(data, type=Calibration)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"calibration.json cannot be read: {error}.", hint=remedy) from None
    if found.v != 1 or not all(0 <= each.value <= 1 for each in found.thresholds):
        raise ConfigError("calibration.json is not of this version.", hint=remedy)
    return found


def threshold(
    samples: Sequence[Sample], *, alpha: float, method: Method, source: str = POOLED
) -> Threshold:
    """The threshold that ``samples`` allow. MUST be the same for the same samples in any order."""
    if not 0 < alpha < 1:
        raise ValueError("alpha must lie between 0 and 1")
    scores = sorted(sample.score for sample in samples if sample.significant)
    n = len(scores)
    k = _conformal(n, alpha) if method is Method.EXPECTED else _binomial(n, alpha)
    value = scores[k - 1] if k else 0.0
    return Threshold(source=source, method=method, alpha=alpha, n=n, k=k, value=value)


def thresholds(samples: Sequence[Sample], *, alpha: float, method: Method) -> tuple[Threshold, ...]:
    """One for all samples together, then one for each source of its own."""
    by_source: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_source[sample.source].append(sample)
    by_source.pop(POOLED, None)
    each = [
        threshold(by_source[source], alpha=alpha, method=method, source=source)
        for source in sorted(by_source)
    ]
    return (threshold(samples, alpha=alpha, method=method), *each)


def least_n(alpha: float, method: Method) -> int:
    """How many significant messages it takes before a threshold can be found."""
    if method is Method.EXPECTED:
        return math.ceil(1 / Fraction(str(alpha))) - 1
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - alpha))


def upper_bound(misses: int, n: int) -> float:
    """The share that, with 95 % confidence, is not exceeded where ``misses`` of ``n`` were found.

    The exact (Clopper-Pearson) bound, by bisection; 1 where nothing was looked at.
    """
    if misses >= n:
        return 1.0
    low, high = misses / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _tail(misses, n, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _conformal(n: int, alpha: float) -> int:
    return math.floor(Fraction(str(alpha)) * (n + 1))


def _binomial(n: int, alpha: float) -> int:
    """The largest ``k`` with P(fewer than ``k`` of ``n``) at most 1 - confidence."""
    k, total = 0, 0.0
    while k < n:
        total += _point(k, n, alpha)
        if total > 1 - CONFIDENCE:
            break
        k += 1
    return k


def _tail(misses: int, n: int, share: float) -> float:
    """P(at most ``misses`` of ``n``), each with probability ``share``."""
    return math.fsum(_point(i, n, share) for i in range(misses + 1))


def _point(i: int, n: int, share: float) -> float:
    if share in {0.0, 1.0}:
        return float(i == n * share)
    ways = math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
    return math.exp(ways + i * math.log(share) + (n - i) * math.log1p(-share))
