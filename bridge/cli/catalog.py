"""``muniment catalog rebuild``: the index of the console, made anew from the store."""

from __future__ import annotations

import argparse
import asyncio

from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from bridge.app import read_settings
from bridge.app.catalog import rebuild_catalog
from bridge.cli.account import user
from bridge.cli.terminal import standard_error
from bridge.reconcile import Progress


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "catalog",
        parents=[everywhere],
        help="the index of the console",
        description="The catalog is what the console searches; it can always be made anew.",
    )
    inner = verb.add_subparsers(metavar="VERB", required=True)
    rebuild = inner.add_parser(
        "rebuild",
        parents=[everywhere],
        help="make it anew from the store alone",
        description="Makes the catalog anew from the store alone. `muniment run` may go on"
        " meanwhile. Exit code 1: a record is not as its manifest names it.",
    )
    rebuild.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Rebuild; 1 if anything in the store is not as its manifest names it."""
    settings = read_settings(options.config)
    console = standard_error()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("reading the store")

        def show(progress: Progress) -> None:
            done = f": {progress.done:,}" if progress.done else ""
            bars.update(task, description=f"{progress.phase}{done}")

        made = asyncio.run(rebuild_catalog(settings, by=user(), show=show))
    console.print(made.sentence, markup=False)
    return 0 if made.whole else 1
