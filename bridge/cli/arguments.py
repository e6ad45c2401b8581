"""Verbs and options. ``--config`` may stand before or after the verb."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bridge.app import VERSION

VERBS = (
    "demo",
    "init",
    "run",
    "doctor",
    "status",
    "groups",
    "reconcile",
    "keys",
    "backup",
    "restore",
    "classify",
    "evaluate",
    "policy",
    "calibrate",
    "verify",
    "witness",
    "console",
    "catalog",
    "completion",
)
"""Each is a module here, in the order in which the help shows them."""

DESCRIPTION = "An openly announced recorder for official chat groups."


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with the settings file filled in; ``config_named`` where someone named one."""
    by_environment = os.environ.get("MUNIMENT_CONFIG")
    # A verb loads what it needs and nothing else; without one the help names them all.
    named = tuple(verb for verb in VERBS if verb in arguments)
    options = parser(named or VERBS).parse_args(arguments)
    options.config_named = hasattr(options, "config") or bool(by_environment)
    options.config = getattr(options, "config", Path(by_environment or "muniment.toml"))
    return options


def parser(shown: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """The command line, with these verbs of it."""
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="settings file (default: $MUNIMENT_CONFIG or ./muniment.toml)",
    )
    top = argparse.ArgumentParser(prog="muniment", description=DESCRIPTION, parents=[everywhere])
    top.add_argument("--version", action="version", version=f"muniment {VERSION}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in shown:
        import_module(f"bridge.cli.{verb}").add(verbs, everywhere)
    return top
