"""The last part of training: a curve that makes the score a share, and the thresholds that ship.

Both rest on scores of messages that the model had not seen, and are chosen to err on keeping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from bridge.classify.lines import Lines
from bridge.classify.model import Curve, Model
from bridge.classify.trees import Forest

MISSED = 0.03
"""The part of significant messages, in the file where it is largest, below ``discard_below``."""

FALSELY_CAPTURED = 0.02
"""The part of messages that are not significant above ``capture_from``."""

_EDGE, _STEPS = 8.0, 32
_ROUNDS = 30
_HOLD = 3.0
"""How strongly the curve is held to that of the odds as they are, where there is little data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a model gave a message that it had not seen."""

    odds: float
    significant: bool
    file: str


def finished(
    name: str, version: str, lines: Lines, forests: tuple[Forest, Forest], tried: Sequence[Tried]
) -> Model:
    """The model of ``forests`` (of mail, of meetings) with its curve and thresholds."""
    curve = _curve(tried)
    missed = [
        _share_at(sorted(t.odds for t in tried if t.significant and t.file == file), MISSED)
        for file in sorted({t.file for t in tried})
    ]
    trivial = sorted(t.odds for t in tried if not t.significant)
    return Model(
        name=name,
        version=version,
        lines=lines,
        official=forests[0],
        meeting=forests[1],
        curve=curve,
        capture_from=round(curve.share(_share_at(trivial, 1 - FALSELY_CAPTURED)), 4),
        discard_below=round(curve.share(min(missed, default=-_EDGE)), 4),
    )


def _share_at(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return -_EDGE
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _curve(tried: Sequence[Tried]) -> Curve:
    """A logistic curve by Newton's method, drawn with straight lines."""
    slope, shift = 1.0, 0.0
    for _ in range(_ROUNDS):
        g_slope, g_shift = _HOLD * (slope - 1), _HOLD * shift
        h_slope, h_both, h_shift = _HOLD, 0.0, _HOLD
        for one in tried:
            share = 1 / (1 + exp(-(slope * one.odds + shift)))
            error, spread = share - one.significant, share * (1 - share)
            g_slope += error * one.odds
            g_shift += error
            h_slope += spread * one.odds * one.odds
            h_both += spread * one.odds
            h_shift += spread
        scale = h_slope * h_shift - h_both * h_both
        slope -= (h_shift * g_slope - h_both * g_shift) / scale
        shift -= (h_slope * g_shift - h_both * g_slope) / scale
    slope, shift = min(max(slope, 0.3), 1.5), min(max(shift, -3.0), 3.0)
    knots = [
        (at, round(1 / (1 + exp(-(slope * at + shift))), 9))
        for at in (-_EDGE + 2 * _EDGE * step / _STEPS for step in range(_STEPS + 1))
    ]
    return Curve(knots=tuple(knots))
