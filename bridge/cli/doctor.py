"""``muniment doctor``: try everything the recorder depends on, before it depends on it."""

from __future__ import annotations

import argparse
import asyncio

from rich.table import Table

from bridge.app import examine, read_settings
from bridge.cli.terminal import standard_error

MARKS = {True: "ok", False: "FAIL", None: "cannot tell"}


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "doctor", parents=[everywhere], help="probe platforms, store, clock and names"
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """The findings as a table; 1 if one of them failed."""
    findings = asyncio.run(examine(read_settings(options.config)))
    table = Table(title="muniment doctor", title_justify="left")
    for heading in ("check", "result", "what was found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        found = finding.fact if not finding.remedy else f"{finding.fact}\n{finding.remedy}"
        table.add_row(finding.check, MARKS[finding.passed], found)
    standard_error().print(table, markup=False)
    return 1 if any(finding.passed is False for finding in findings) else 0
