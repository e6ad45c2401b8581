"""Prints ``docs/deploy/muniment.grafana.json``, a dashboard for the numbers of ``/metrics``.

Run it as ``python docs/draw_dashboard.py > docs/deploy/muniment.grafana.json``; a test compares the
two, and looks whether every metric is on a panel and every name is one of the page.
"""
# ruff: noqa: INP001 - a script beside the files it writes, not a package

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

WIDTH, HEIGHT, LOW = 8, 8, 4
"""A line of the grid has 24: three graphs, or six single numbers of half the width."""

SOURCE: dict[str, object] = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'instance=~"$instance"'
RECENT = "[$__rate_interval]"
SHOWN = "[$__range]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph or number. Each line is an expression and its legend.

    ``#`` in an expression stands for the chosen recorders.
    """

    title: str
    what: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    red_from: float | None = None


def number(title: str, what: str, line: str) -> Panel:
    """A single number that should be 0."""
    lines = ((line, ""),)
    return Panel(title=title, what=what, unit="short", lines=lines, kind="stat", red_from=1)


def graph(
    title: str, unit: str, what: str, *lines: tuple[str, str], red_from: float | None = None
) -> Panel:
    """Lines over time, with one across where it becomes bad."""
    return Panel(title=title, what=what, unit=unit, lines=lines, red_from=red_from)


def each(metric: str, label: str = "instance", *, name: str = "") -> tuple[str, str]:
    """The largest of every recorder, or of every connector."""
    return f"max by ({label}) ({metric}#)", f"{name} {{{{{label}}}}}".strip()


def total(metric: str, legend: str, *by: str) -> tuple[str, str]:
    """All recorders together."""
    return (f"sum by ({', '.join(by)}) ({metric}#)" if by else f"sum({metric}#)"), legend


NOW = (
    number("Alarms", "That stand now, as on /readyz.", "sum(muniment_alarms#)"),
    number("Overdue", "Past safe_by and not stored.", "sum(muniment_overdue#)"),
    number(
        "Late",
        "Stored after the message disappeared, in the time shown.",
        f"sum(increase(muniment_late_total#{SHOWN}))",
    ),
    number(
        "Gaps",
        "Known losses, in the time shown. The log has their causes.",
        f"sum(increase(muniment_gaps_total#{SHOWN}))",
    ),
    number(
        "SECRET or above",
        "Messages marked so and kept back, in the time shown.",
        f"sum(increase(muniment_restricted_total#{SHOWN}))",
    ),
    number(
        "Damaged rows", "Rows of the journal that do not open.", "sum(muniment_journal_damaged#)"
    ),
)

MESSAGES = (
    graph(
        "Journalled and stored",
        "cps",
        "Events that came in, and records with a receipt of the store.",
        (f"sum(rate(muniment_events_seen_total#{RECENT}))", "journalled"),
        (f"sum(rate(muniment_records_stored_total#{RECENT}))", "stored"),
    ),
    graph(
        "On their way",
        "short",
        "received: to be judged, or waiting for a key; judged: to be sealed; sealed: to be stored."
        " Attachments still to be fetched beside them.",
        total("muniment_queue_depth", "{{state}}", "state"),
        total("muniment_downloads_waiting", "attachments"),
    ),
    graph(
        "Waiting for a judgement",
        "s",
        "How long the oldest message waited for the classifier.",
        each("muniment_classify_lag_seconds"),
        red_from=10,
    ),
)

_DELAYS = f"sum by (le) (rate(muniment_capture_delay_seconds_bucket#{RECENT}))"
_MARGINS = "muniment_margin_seconds_bucket"

IN_TIME = (
    graph(
        "From receipt to storage",
        "s",
        "Of live messages that waited for nothing.",
        (f"histogram_quantile(0.5, {_DELAYS})", "half"),
        (f"histogram_quantile(0.9, {_DELAYS})", "nine in ten"),
        (f"histogram_quantile(0.99, {_DELAYS})", "99 in 100"),
        red_from=30,
    ),
    Panel(
        title="Left of the timer when stored",
        what="How many were stored with how much left. The lowest bucket holds the late ones.",
        unit="s",
        lines=((f"sum by (le) (increase({_MARGINS}#{RECENT}))", "{{le}}"),),
        kind="heatmap",
    ),
    graph(
        "Stored with under five seconds left",
        "short",
        "The late ones among them.",
        # Prometheus 3 writes 5 as 5.0.
        (f'sum(increase({_MARGINS}{{{CHOSEN},le=~"5|5[.]0"}}{RECENT}))', "under 5 s"),
        (f'sum(increase({_MARGINS}{{{CHOSEN},le=~"0|0[.]0"}}{RECENT}))', "late"),
        red_from=1,
    ),
)

PLATFORMS = (
    graph(
        "Since the platform last answered",
        "s",
        "Up to 35 s while all is well.",
        each("muniment_platform_lag_seconds", "connector"),
        red_from=120,
    ),
    graph(
        "Still encrypted",
        "short",
        "Messages that wait for their key, those given up, and responses of platforms that could"
        " not be split.",
        total("muniment_encrypted_waiting", "waiting"),
        total("muniment_undecryptable", "given up"),
        total("muniment_unsplit_responses", "unsplit responses"),
    ),
    graph(
        "Oldest that is still encrypted",
        "s",
        "Keys that take over ten minutes are withheld, by mistake or on purpose.",
        each("muniment_encrypted_age_seconds"),
        red_from=600,
    ),
)

STORE = (
    graph(
        "Puts that the store did not take",
        "cps",
        "Each is tried again.",
        (f"sum(rate(muniment_store_errors_total#{RECENT}))", "refused or unanswered"),
    ),
    graph(
        "Spool",
        "percentunit",
        "How full the room for attachments is.",
        each("muniment_spool_fill_ratio"),
        red_from=0.75,
    ),
    graph(
        "Lines that no published checkpoint covers",
        "short",
        "They go out within seconds, while the store takes them.",
        total("muniment_log_leaves_waiting", "waiting"),
    ),
    graph(
        "Age of the checkpoint",
        "s",
        "It grows while nothing is new.",
        each("muniment_checkpoint_age_seconds"),
    ),
    graph(
        "Age of what others vouch for",
        "s",
        "Since a witness last co-signed, and since an authority last dated the log.",
        each("muniment_witness_age_seconds", name="witness"),
        each("muniment_timestamp_age_seconds", name="timestamp"),
        red_from=86_400,
    ),
)

PEOPLE = (
    graph(
        "Reviews",
        "short",
        "Messages that wait for a person.",
        total("muniment_reviews_waiting", "waiting"),
    ),
    graph(
        "Oldest review",
        "s",
        "Policy decides those that nobody decides.",
        each("muniment_review_age_seconds"),
        red_from=1_209_600,
    ),
    graph(
        "Alerts that wait to be sent",
        "short",
        "By webhook or e-mail.",
        total("muniment_alerts_unsent", "{{channel}}", "channel"),
        red_from=1,
    ),
)

PROCESS = (
    graph(
        "Alarms",
        "short",
        "By part and kind of trouble; `muniment status` has the sentences.",
        total("muniment_alarms", "{{part}}: {{trouble}}", "part", "trouble"),
    ),
    graph(
        "Loops that were started again",
        "short",
        "A loop that fails again and again is worth a report.",
        (f"sum by (loop) (increase(muniment_loop_restarts_total#{RECENT}))", "{{loop}}"),
        red_from=1,
    ),
    graph(
        "Version",
        "short",
        "What runs, and since when.",
        total("muniment_build_info", "{{instance}} {{version}}", "instance", "version"),
    ),
    graph("Memory", "bytes", "Resident.", each("process_resident_memory_bytes")),
    graph(
        "CPU",
        "short",
        "Cores in use.",
        (f"sum by (instance) (rate(process_cpu_seconds_total#{RECENT}))", "{{instance}}"),
    ),
    graph(
        "Open files",
        "percentunit",
        "Of those that the process may open.",
        ("max by (instance) (process_open_fds# / process_max_fds#)", "{{instance}}"),
        red_from=0.8,
    ),
)

ROWS = {
    "Now": NOW,
    "Messages": MESSAGES,
    "In time": IN_TIME,
    "Platforms": PLATFORMS,
    "Store and log": STORE,
    "People": PEOPLE,
    "Process": PROCESS,
}


def drawn() -> list[dict[str, object]]:
    """Rows and panels, each with its place."""
    found: list[dict[str, object]] = []
    y = 0
    for title, panels in ROWS.items():
        found.append(_heading(title, len(found) + 1, y))
        y += 1
        x = tall = 0
        for panel in panels:
            wide, high = (WIDTH // 2, LOW) if panel.kind == "stat" else (WIDTH, HEIGHT)
            if x + wide > 3 * WIDTH:
                x, y = 0, y + tall
            found.append(_panel(panel, len(found) + 1, {"x": x, "y": y, "w": wide, "h": high}))
            x, tall = x + wide, high
        y += tall
    return found


def _heading(title: str, number: int, y: int) -> dict[str, object]:
    place = {"x": 0, "y": y, "w": 3 * WIDTH, "h": 1}
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": place,
        "panels": [],
    }


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, object]:
    steps: list[dict[str, object]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    defaults: dict[str, object] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {},
    }
    if panel.kind == "timeseries":
        mode = "off" if panel.red_from is None else "dashed"
        defaults["custom"] = {"fillOpacity": 10, "thresholdsStyle": {"mode": mode}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.what,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": list(_targets(panel)),
    }


_OPTIONS: dict[str, dict[str, object]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "yAxis": {"unit": "s"},
    },
}


def _targets(panel: Panel) -> Iterator[dict[str, object]]:
    for letter, (expression, legend) in zip("ABCDEFGH", panel.lines, strict=False):
        yield {
            "refId": letter,
            "datasource": SOURCE,
            "expr": expression.replace("#", f"{{{CHOSEN}}}"),
            "legendFormat": legend or "__auto",
            "format": "heatmap" if panel.kind == "heatmap" else "time_series",
            "instant": panel.kind == "stat",
            "range": panel.kind != "stat",
        }


def dashboard() -> dict[str, object]:
    """The whole document, for Grafana 10 and later."""
    source = {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}
    query = "label_values(muniment_build_info, instance)"
    instance = {
        "name": "instance",
        "label": "Recorder",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "instances"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }
    return {
        "title": "Muniment",
        "uid": "muniment",
        "description": "Numbers of the recorder; docs/operations.md, Metrics, says what each is.",
        "tags": ["muniment"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [source, instance]},
        "annotations": {"list": []},
        "panels": drawn(),
    }


def main() -> None:
    """Print it."""
    sys.stdout.write(json.dumps(dashboard(), indent=1) + "\n")


if __name__ == "__main__":
    main()
