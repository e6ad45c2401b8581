"""Verbs and options. ``--config`` may stand before or after the verb."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bridge.app import VERSION
from bridge.cli import (
    calibrate,
    catalog,
    classify,
    console,
    demo,
    doctor,
    evaluate,
    groups,
    init,
    keys,
    policy,
    reconcile,
    run,
    status,
    verify,
    witness,
)

DESCRIPTION = "An openly announced recorder for official chat groups."


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with the settings file filled in; ``config_named`` where someone named one."""
    by_environment = os.environ.get("MUNIMENT_CONFIG")
    options = parser().parse_args(arguments)
    options.config_named = hasattr(options, "config") or bool(by_environment)
    options.config = getattr(options, "config", Path(by_environment or "muniment.toml"))
    return options


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
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        demo,
        init,
        run,
        doctor,
        status,
        groups,
        reconcile,
        keys,
        classify,
        evaluate,
        policy,
        calibrate,
        verify,
        witness,
        console,
        catalog,
    ):
        module.add(verbs, everywhere)
    return top
