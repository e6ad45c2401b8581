"""``muniment status``: what is recorded, what is on its way, what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import sys

import msgspec
from rich.console import Console
from rich.table import Table

from bridge.app import VERSION, Settings, StatusReport, read_settings, status_of


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser("status", parents=[everywhere], help="show groups, counts and alarms")
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Show the status; 0 whatever it says."""
    settings: Settings = read_settings(options.config)
    report = asyncio.run(status_of(settings))
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _show(report, Console(stderr=True))
    return 0


def _show(report: StatusReport, console: Console) -> None:
    table = Table(title=f"Muniment {VERSION}", title_justify="left")
    for heading in ("group", "state", "notice"):
        table.add_column(heading)
    numbers = ("seen", "captured", "review", "discarded", "undecided", "stored", "gaps", "late")
    for heading in numbers:
        table.add_column(heading, justify="right")
    table.add_column("timer", justify="right")
    table.add_column("last event")
    for group in report.groups:
        table.add_row(
            _plain(group.name or group.id),
            group.state + (f"\n{_plain(group.note)}" if group.note else ""),
            group.notice,
            *(str(getattr(group, name)) for name in numbers),
            f"{group.timer:g} s" if group.timer is not None else "",
            group.last_event_at or "never",
        )
    console.print(table)
    if report.capture_delay is not None:
        console.print(f"from receipt to storage, lately: {report.capture_delay:.1f} s")
    console.print(
        f"log: {report.log.size} leaves   overdue: {report.overdue}   downloads: "
        + (", ".join(f"{n} {state}" for state, n in report.downloads.items()) or "none")
    )
    for alarm in report.alarms:
        console.print(f"ALARM {_plain(alarm)}", style="bold red", markup=False)


def _plain(text: str) -> str:
    """Names come from platforms: control and direction characters do not reach the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
