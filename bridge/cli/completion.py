"""``muniment completion``: a script by which a shell completes verbs, options and files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ABOUT = """\
Prints a script for the shell, which completes verbs, options, choices and names of files. It starts
nothing of this program. Make it anew after an upgrade. Where each shell looks for it:
docs/operations.md, Completion.
"""
SHELLS = ("bash", "zsh", "fish")


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "completion",
        parents=[everywhere],
        help="print a script that completes commands in a shell",
        description=ABOUT,
    )
    verb.add_argument("shell", choices=SHELLS, help="whose script")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Print it."""
    import shtab

    from bridge.cli.arguments import parser

    whole = parser()
    for action in _actions(whole):
        if action.type is Path:
            vars(action)["complete"] = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
    sys.stdout.write(f"{shtab.complete(whole, options.shell)}\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Everything that is declared, in every verb."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to ask
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            for verb in action.choices.values():
                yield from _actions(verb)
