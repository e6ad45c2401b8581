"""``muniment backup``: an encrypted copy of what a lost machine cannot be replaced without."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from bridge.app import read_settings
from bridge.app.backup.making import make_backup
from bridge.app.backup.progress import Step
from bridge.cli.terminal import standard_error

ABOUT = """\
Writes the databases, the keys and the settings into one new file, encrypted to [backup] recipient.
A running `muniment run` goes on. Whoever has the file and the identity that belongs to the
recipient has every secret of this recorder: keep the two apart.
"""


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "backup",
        parents=[everywhere],
        help="write an encrypted copy of databases, keys and settings",
        description=ABOUT,
    )
    verb.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="a new file (default: muniment-TENANT-TIME.age in the working folder)",
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Write it, and say what it is."""
    settings = read_settings(options.config)
    console = standard_error()
    with Bars(*columns(), console=console, transient=True) as bars:
        made = make_backup(settings, options.config, options.file, show=Screen(bars).show)
    for path in made.missing:
        console.print(f"Not in it, since it is not there: {path}", markup=False)
    console.print(f"Written: {made.file} ({made.size:,} bytes).", markup=False)
    return 0


def columns() -> tuple[TextColumn, BarColumn, TaskProgressColumn]:
    """What is being done, and how much of it."""
    return TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()


class Screen:
    """A bar for the step that it is at."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None)

    def show(self, step: Step) -> None:
        """How far it is."""
        self._bars.update(
            self._task, description=step.what, completed=step.done, total=step.total or None
        )
