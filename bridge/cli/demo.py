"""``muniment demo``: everything on this machine, with a real homeserver and invented officials."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bridge.app import entries_of, read_settings
from bridge.demo.play import config_path, play
from bridge.demo.view import DemoEntry
from bridge.errors import ConfigError


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "demo",
        parents=[everywhere],
        help="show everything on this machine (needs Synapse)",
        description="Starts a homeserver on loopback, invented officials who talk, a recorder and"
        " its console, and shows what is captured and why. `make demo` in a clone brings Synapse.",
    )
    verb.add_argument("--once", action="store_true", help="unattended; exit 0 only if all is right")
    verb.add_argument(
        "--synapse",
        type=Path,
        metavar="PYTHON",
        default=Path(".synapse/bin/python"),
        help="the Python that has Synapse (default: .synapse/bin/python, made by `make demo`)",
    )
    verb.add_argument(
        "--folder", type=Path, metavar="DIR", help="where it happens (default: a new one)"
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Play the demonstration."""
    python: Path = options.synapse
    if not python.exists():
        raise ConfigError(
            f"There is no Synapse: {python} does not exist.",
            hint="Run `make demo`, which installs it beside the checkout.",
        )
    folder = options.folder or Path(tempfile.mkdtemp(prefix="muniment-demo-"))

    async def entries() -> tuple[DemoEntry, ...]:
        settings = await asyncio.to_thread(read_settings, config_path(folder))
        return tuple(map(DemoEntry.of, await entries_of(settings)))

    return asyncio.run(
        play(
            folder=folder,
            python=python.absolute(),
            command=[sys.executable, "-m", "bridge"],
            entries=entries,
            once=options.once,
        )
    )
