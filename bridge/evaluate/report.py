"""The report of an evaluation: one JSON document, and a page with plots that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import msgspec

from bridge.evaluate.bootstrap import Figure
from bridge.evaluate.checks import Conformal, Explained, FileRates
from bridge.evaluate.heads import GOV, INQUIRY
from bridge.evaluate.results import Result


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds per message."""

    p50: float
    p99: float


class Document(msgspec.Struct, frozen=True):
    """An evaluation."""

    metrics: Mapping[str, Figure]
    shipped: Mapping[str, FileRates]
    macro: Mapping[str, float | None]
    further: Mapping[str, Figure]
    conformal: Sequence[Conformal]
    explanation: Explained
    latency_ms: Latency | None
    rss_mb: float | None
    policy: str
    model: str
    cross_validated: bool
    messages: int
    seconds: float


TARGETS: Mapping[str, tuple[str, float]] = {
    "auc_gov": ("≥", 0.92),
    "auc_gov_needs_context": ("≥", 0.85),
    "r_gov_at_fk10": ("≥", 0.78),
    "r_gov_needs_context_at_fk10": ("≥", 0.70),
    "r_inq_at_fk10": ("≥", 0.85),
    "fk_gov_at_r_gov95": ("≤", 0.30),
    "fk_gov_at_r_inq95": ("≤", 0.30),
    "fk_sms_at_r_inq95": ("≤", 0.15),
    "vote_auc": ("≥", 0.90),
    "r_irc_action_at_keep20": ("≥", 0.90),
}
"""What the ranking measures are meant to reach."""

_STYLE = (
    "body{font:16px/1.5 Arial,sans-serif;max-width:960px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:4px 12px;border-bottom:1px solid #b1b4b6;"
    "text-align:left}td.n{text-align:right}"
)
_AGAINST = (
    "Government mail (blue) and messages put in evidence (red), against government mail that is"
    " not significant."
)
_ABOUT_SHARES = "Of labelled government mail with about this score, the part that is significant."
_WIDE, _HIGH, _EDGE = 420, 300, 40
_POINTS = 100


def macro(shipped: Mapping[str, FileRates]) -> dict[str, float | None]:
    """Means over the files that have a figure."""
    return {
        "recall": _mean([rate.recall for rate in shipped.values()]),
        "false_keep": _mean([rate.false_keep for rate in shipped.values()]),
        "keep_rate": _mean([rate.keep_rate for rate in shipped.values()]),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


def as_json(document: Document) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def as_page(document: Document, results: Sequence[Result]) -> str:
    """The document as one HTML page."""
    retrained = ", retrained per fold" if document.cross_validated else ""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Muniment: evaluation</title>",
        f"<style>{_STYLE}</style>",
        "<h1>Evaluation</h1>",
        f"<p>Policy {html.escape(document.policy)}, model {html.escape(document.model)}",
        f"{retrained}. {document.messages} messages.</p>",
        _metrics_table(document),
        "<h2>Recall against false keeps</h2>",
        f"<p>{_AGAINST}</p>",
        _curves(results),
        "<h2>The score as a share</h2>",
        f"<p>{_ABOUT_SHARES}</p>",
        _reliability(results),
        "<h2>The thresholds that ship</h2>",
        _shipped_table(document),
        "</html>",
    ]
    return "\n".join(parts)


def _metrics_table(document: Document) -> str:
    rows = "".join(
        f"<tr><td>{name}<td class=n>{_number(figure.value)}<td class=n>{_number(figure.low)}"
        f"-{_number(figure.high)}<td class=n>{figure.n}<td>{_target(name)}"
        for name, figure in document.metrics.items()
    )
    return (
        "<table><tr><th>Measure<th>Value<th>95 % interval<th>Messages<th>Target" + rows + "</table>"
    )


def _shipped_table(document: Document) -> str:
    rows = "".join(
        f"<tr><td>{name}<td class=n>{rate.messages}<td class=n>{_number(rate.recall)}"
        f"<td class=n>{_number(rate.false_keep)}<td class=n>{_number(rate.keep_rate)}"
        for name, rate in document.shipped.items()
    )
    return (
        "<table><tr><th>File<th>Messages<th>Recall<th>False keeps<th>Kept in all"
        + rows
        + "</table>"
    )


def _target(name: str) -> str:
    if name not in TARGETS:
        return ""
    sign, value = TARGETS[name]
    return f"{sign} {value:.2f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _curves(results: Sequence[Result]) -> str:
    trivial = [r.score for r in results if r.message.file == GOV and r.message.label == 0]
    lines = [
        ("#1d70b8", [r.score for r in results if r.message.file == GOV and r.message.label == 1]),
        ("#d4351c", [r.score for r in results if r.message.file == INQUIRY]),
    ]
    drawn = [
        (colour, [(_above(trivial, at), _above(scores, at)) for at in _steps()])
        for colour, scores in lines
        if scores and trivial
    ]
    return _plot(drawn)


def _reliability(results: Sequence[Result]) -> str:
    known = [r for r in results if r.message.file == GOV and r.message.label is not None]
    points: list[tuple[float, float]] = []
    for part in range(10):
        inside = [r for r in known if part / 10 <= r.score < (part + 1) / 10]
        if inside:
            share = sum(r.message.label == 1 for r in inside) / len(inside)
            points.append((sum(r.score for r in inside) / len(inside), share))
    return _plot([("#b1b4b6", [(0.0, 0.0), (1.0, 1.0)]), ("#1d70b8", points)])


def _steps() -> list[float]:
    return [step / _POINTS for step in range(_POINTS + 1)]


def _above(scores: Sequence[float], threshold: float) -> float:
    return sum(score >= threshold for score in scores) / len(scores)


def _plot(lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    drawn = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(f"{_EDGE + x * _WIDE:.1f},{_EDGE / 2 + (1 - y) * _HIGH:.1f}" for x, y in points)
        + '"/>'
        for colour, points in lines
    )
    labels = "".join(
        f'<text x="{_EDGE + tick * _WIDE:.0f}" y="{_HIGH + _EDGE:.0f}" font-size="12">{tick}</text>'
        f'<text x="4" y="{_EDGE / 2 + (1 - tick) * _HIGH:.0f}" font-size="12">{tick}</text>'
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    frame = (
        f'<rect x="{_EDGE}" y="{_EDGE // 2}" width="{_WIDE}" height="{_HIGH}" fill="none"'
        ' stroke="#505a5f"/>'
    )
    size = f'width="{_WIDE + 2 * _EDGE}" height="{_HIGH + 2 * _EDGE}"'
    return f'<svg {size} role="img" xmlns="http://www.w3.org/2000/svg">{frame}{drawn}{labels}</svg>'
