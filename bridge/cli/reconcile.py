"""``muniment reconcile``: do the journal, the store and the platforms hold the same?"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import msgspec
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from bridge.app import read_settings
from bridge.app.reconciliation import reconcile
from bridge.cli.account import user
from bridge.cli.terminal import standard_error
from bridge.reconcile import GroupReport, Progress, Report

RESTS = "The recorder has too much to do: the comparison waits, and goes on by itself."


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "reconcile",
        parents=[everywhere],
        help="compare journal and store, and put again what is missing",
        description="Compares the journal with the store in both directions, and puts again what is"
        " missing; nothing is overwritten or deleted. A running `muniment run` does it, else this"
        " command. Exit code 1: something does not fit, or the end was not reached.",
    )
    verb.add_argument(
        "--source", action="store_true", help="compare the journal with the platforms instead"
    )
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Compare, and show what was found; 1 if anything does not fit."""
    log_to_stderr()
    settings = read_settings(options.config)
    console = standard_error()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        screen = Screen(bars)
        report = asyncio.run(
            reconcile(settings, source=options.source, by=user(), show=screen.show)
        )
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _show(report, console)
    return 0 if report.fits else 1


class Screen:
    """A bar while it lasts; that it rests is a line, which is also seen where no bar is."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("reconcile", total=None)
        self._rests = False

    def show(self, progress: Progress) -> None:
        """How far it is."""
        total = max(progress.total, progress.done) if progress.total is not None else None
        phase = f"{progress.phase}, waiting" if progress.resting else progress.phase
        self._bars.update(self._task, description=phase, completed=progress.done, total=total)
        if progress.resting and not self._rests:
            self._bars.console.print(RESTS)
        self._rests = progress.resting


def log_to_stderr() -> None:
    """Standard output is for the report; what is put again or changed is logged beside it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def _show(report: Report, console: Console) -> None:
    for group in report.groups:
        _show_group(group, console)
    for finding in report.findings:
        style = "bold red" if finding.fault else ""
        console.print(Text(f"{finding.count} {finding.kind.value}", style=style))
        console.print(Text(f"  {finding.sentence}"))
        for example in finding.examples:
            console.print(Text(f"    {example}"))
    counts = ", ".join(f"{count} {what}" for what, count in report.checked.items()) or "nothing"
    console.print(Text(f"looked at: {counts}"))
    if report.trouble:
        console.print(Text(f"Not complete: {report.trouble}", style="bold red"))
    console.print(Text("Everything fits." if report.fits else "Something does not fit."))


def _show_group(group: GroupReport, console: Console) -> None:
    name = _plain(f"{group.name or group.id} ({group.connector})")
    table = Table(title=Text(name), title_justify="left")
    table.add_column("day")
    for heading in ("upstream", "journalled", "excused", "missing"):
        table.add_column(heading, justify="right")
    table.add_column("why", overflow="fold")
    for day in group.days:
        table.add_row(
            day.day,
            *(str(n) for n in (day.upstream, day.journalled, day.excused, day.missing)),
            Text(", ".join(f"{n} {_plain(why)}" for why, n in day.reasons.items())),
        )
    console.print(table)
    if group.trouble:
        console.print(Text(f"  Not complete: {_plain(group.trouble)}", style="bold red"))


def _plain(text: str) -> str:
    """Names come from platforms: control and direction characters do not reach the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
