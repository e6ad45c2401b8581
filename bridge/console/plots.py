"""Plots drawn here, as SVG without style or script: the policy of every answer forbids both. Pure.

A plot shows at a glance what the table beside it says in full; it MUST NOT be the only place of a
fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

from markupsafe import Markup, escape

WIDTH = 720
HEIGHT = 240
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34
LANE = 26
LANE_LEFT = 200
INK = "#0b0c0c"
LINE = "#b1b4b6"
GOOD, DOUBTFUL, QUIET, BAD, COOL = "#00703c", "#f47738", "#b1b4b6", "#d4351c", "#1d70b8"
_NAME_LENGTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One kind of what is counted: its name, its colour, a number for each column."""

    name: str
    colour: str
    numbers: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One line of a plot over time: parts of the width, from 0 to 1, that are marked."""

    name: str
    marks: Sequence[tuple[float, float]]


def stacked(title: str, columns: Sequence[str], series: Sequence[Series]) -> Markup:
    """Columns of what was counted, one kind upon the other, with a legend below."""
    totals = [sum(each.numbers[i] for each in series) for i in range(len(columns))]
    most = round_up(max(totals, default=0))
    step = (WIDTH - LEFT - RIGHT) / max(len(columns), 1)
    parts = [*_scale(most)]
    for i, name in enumerate(columns):
        foot = float(HEIGHT - BOTTOM)
        for each in series:
            size = (HEIGHT - TOP - BOTTOM) * each.numbers[i] / most
            if size:
                foot -= size
                parts.append(_rect(LEFT + i * step, foot, step * 0.8, size, each.colour))
        if i % max(len(columns) // 8, 1) == 0:
            parts.append(_text(LEFT + (i + 0.4) * step, HEIGHT - 16, name, "middle"))
    return _svg(title, HEIGHT + 20, [*parts, *_legend(series, HEIGHT + 8)])


def lanes(title: str, rows: Sequence[Lane], begin: str, end: str, colour: str = BAD) -> Markup:
    """One lane for each row from ``begin`` to ``end``, with its marks; an empty one is whole."""
    parts: list[Markup] = []
    width = WIDTH - LANE_LEFT - RIGHT
    for i, row in enumerate(rows):
        top = TOP + i * LANE
        parts += (
            _text(LANE_LEFT - 8, top + 13, _short(row.name), "end"),
            _rect(LANE_LEFT, top, width, LANE - 8, "#cce2d8"),
        )
        for start, stop in row.marks:
            parts.append(
                _rect(
                    LANE_LEFT + width * start, top, max(width * (stop - start), 2), LANE - 8, colour
                )
            )
    foot = TOP + len(rows) * LANE
    parts += (
        _text(LANE_LEFT, foot + 14, begin, "start"),
        _text(WIDTH - RIGHT, foot + 14, end, "end"),
    )
    return _svg(title, foot + 22, parts)


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str, colour: str = COOL) -> Markup:
    """A bar for each row, with its number."""
    most = max((number for _, number in rows), default=0) or 1
    parts: list[Markup] = []
    width = WIDTH - LANE_LEFT - 90
    for i, (name, number) in enumerate(rows):
        top = TOP + i * LANE
        size = max(width * number / most, 1)
        parts += (
            _text(LANE_LEFT - 8, top + 13, _short(name), "end"),
            _rect(LANE_LEFT, top, size, LANE - 8, colour),
            _text(LANE_LEFT + size + 6, top + 13, f"{number:,.10g}{unit}", "start"),
        )
    return _svg(title, TOP + len(rows) * LANE + 4, parts)


def round_up(number: float) -> float:
    """The next of 1, 2 or 5 times a power of ten, at which a scale may end."""
    if number <= 1:
        return 1
    power = 10.0 ** int(log10(number))
    return next(
        (m * power for m in (1, 2, 5, 10) if m * power >= number), ceil(number / power) * power
    )


def _scale(most: float) -> list[Markup]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}"/>').format(
                LEFT, WIDTH - RIGHT, _n(y), _n(y), INK if share == 0 else LINE
            )
        )
        parts.append(_text(LEFT - 6, y + 4, f"{most * share:,.10g}", "end"))
    return parts


def _legend(series: Sequence[Series], y: float) -> list[Markup]:
    parts = []
    for i, each in enumerate(series):
        x = LEFT + i * 160
        parts += [
            _rect(x, y - 10, 12, 12, each.colour),
            _text(x + 18, y, each.name, "start"),
        ]
    return parts


def _svg(title: str, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="muniment-plot" role="img" aria-label="{}" width="{}" height="{}"'
        ' viewBox="0 0 {} {}" font-family="arial, sans-serif" font-size="13" fill="{}">{}</svg>'
    ).format(title, WIDTH, _n(height), WIDTH, _n(height), INK, Markup("").join(parts))


def _rect(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>').format(
        _n(x), _n(y), _n(width), _n(height), colour
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
        _n(x), _n(y), anchor, escape(text)
    )


def _short(name: str) -> str:
    """A name that fits beside a lane, without what cannot be seen."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return plain if len(plain) <= _NAME_LENGTH else plain[: _NAME_LENGTH - 1] + "…"


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
