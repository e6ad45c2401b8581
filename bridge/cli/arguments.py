"""Verbs and options. ``--config`` may stand before or after the verb."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bridge.app import VERSION
from bridge.cli import classify, demo, doctor, groups, init, run, status

DESCRIPTION = "An openly announced recorder for official chat groups."


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
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
    default = Path(os.environ.get("MUNIMENT_CONFIG") or "muniment.toml")
    top.set_defaults(config=default)
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (demo, init, run, doctor, status, groups, classify):
        module.add(verbs, everywhere)
    return top
