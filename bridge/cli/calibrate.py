"""``muniment calibrate``: what the reviewed messages promise, and thresholds that follow."""

from __future__ import annotations

import argparse
import asyncio
import sys

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.app import CalibrationReport, calibrate, read_settings
from bridge.classify.calibrate import Method
from bridge.cli.terminal import standard_error

EXIT_NOT_APPLIED = 1


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "calibrate",
        parents=[everywhere],
        help="find thresholds on the messages that people reviewed, and show what they promise",
        description="Finds the score from which a discard is reviewed instead, on what people"
        " decided here. Without --apply nothing changes.",
    )
    verb.add_argument(
        "--alpha",
        type=_share,
        default=0.05,
        help="share of the significant messages among those reviewed that may score below"
        " (default: 0.05)",
    )
    verb.add_argument(
        "--method",
        type=Method,
        choices=list(Method),
        default=Method.EXPECTED,
        metavar="expected|confident",
        help="promise the share on average, or with 95 %% confidence (default: expected)",
    )
    verb.add_argument(
        "--apply", action="store_true", help="put the thresholds in force at the next start"
    )
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Calibrate; 1 if it was to be applied and could not be."""
    settings = read_settings(options.config)
    report: CalibrationReport = asyncio.run(
        calibrate(settings, alpha=options.alpha, method=options.method, apply=options.apply)
    )
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    _show(report, standard_error())
    return EXIT_NOT_APPLIED if options.apply and not report.applied else 0


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0001 <= value <= 0.5:
        raise argparse.ArgumentTypeError("give a share between 0.0001 and 0.5")
    return value


def _show(report: CalibrationReport, console: Console) -> None:
    console.print(Text(f"{report.policy} and {report.model}", style="bold"))
    console.print(
        Text(
            f"  reviewed by people: {report.reviewed}, significant: {report.significant}"
            f" (at least {report.least} are needed)"
        )
    )
    if report.set_aside:
        console.print(Text(f"  of another policy or model, not used: {report.set_aside}"))
    if report.asked_in_groups:
        console.print(Text(f"  kept because a group asked, not used: {report.asked_in_groups}"))
    if report.as_context:
        console.print(Text(f"  kept as context alone, not used: {report.as_context}"))
    table = Table(title=f"Thresholds for {report.alpha:.2%}", title_justify="left")
    for heading in ("group", "method", "n", "threshold", "guarantee"):
        table.add_column(heading, overflow="fold")
    for row in report.thresholds:
        value = "keep all" if row.value is None else f"{row.value:.4f}"
        source = Text(_plain(row.source or "all groups"))
        table.add_row(source, row.method, str(row.n), value, row.guarantee)
    console.print(table, markup=False)
    _show_effect(report, console)


def _show_effect(report: CalibrationReport, console: Console) -> None:
    rate = report.keep_rate
    if rate.now is not None and rate.then is not None:
        console.print(
            Text(
                f"Kept of {rate.messages} messages: {rate.now:.1%}; with these thresholds"
                f" {rate.then:.1%}, {rate.reviews_more} more to review."
            )
        )
    console.print(
        Text(
            "Discards are reviewed only where the lot draws them: of all significant messages a"
            " larger share may score below."
        )
    )
    audit = report.audit
    if audit.reviewed:
        console.print(
            Text(
                f"Discards drawn by lot and reviewed: {audit.reviewed}, significant:"
                f" {audit.significant}; with 95 % confidence at most {audit.share_at_most:.1%}"
                " of the discards are."
            )
        )
    console.print(Text(f"In force: {report.in_force or 'no calibration'}. {report.note}"))


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
