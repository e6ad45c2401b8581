"""``muniment restore``: what ``muniment backup`` wrote, put back where nothing is."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import Progress as Bars

from bridge.app.backup.restoring import restore
from bridge.cli.backup import Screen, columns
from bridge.cli.reconcile import log_to_stderr
from bridge.cli.terminal import standard_error

ABOUT = """\
Puts a back-up into a data directory without a journal, and replaces nothing. With no settings file
it writes that of the back-up. Messages whose time is over are destroyed, holds that were ordered
since are placed again, and each group will go on in a new stream.
"""


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "restore",
        parents=[everywhere],
        help="put back what backup wrote, where there is no journal",
        description=ABOUT,
    )
    verb.add_argument("file", type=Path, metavar="FILE", help="what `muniment backup` wrote")
    verb.add_argument(
        "--identity",
        type=Path,
        metavar="KEY",
        required=True,
        help="file with the age identity of the recipient, closed to others",
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Restore, and say what else is to be known."""
    log_to_stderr()
    console = standard_error()
    with Bars(*columns(), console=console, transient=True) as bars:
        done = restore(options.file, options.identity, options.config, show=Screen(bars).show)
    for sentence in done.sentences:
        console.print(sentence, markup=False)
    console.print(
        f"Restored as of {done.made_at:%Y-%m-%d %H:%M} UTC. Start `muniment run`; then give"
        " `muniment reconcile` and `muniment verify`.",
        markup=False,
    )
    return 0
