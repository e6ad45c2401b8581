"""``muniment init DIR``: a folder with settings and keys that ``run`` takes as it is."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bridge.app import new_folder


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "init",
        parents=[everywhere],
        help="make a folder with settings and keys",
        description="Makes a folder with muniment.toml and new keys. Tenant and log origin cannot"
        " be changed once something is stored.",
        epilog="example: muniment init ~/records --tenant mydept --log-origin records.example.org",
    )
    verb.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    verb.add_argument(
        "--tenant",
        default="demo",
        metavar="T",
        help="short name of the archive; it stands in every object key (default: %(default)s)",
    )
    verb.add_argument(
        "--log-origin",
        default="records.example.org",
        metavar="O",
        help="host name that names the log; it is part of the signing key's name (default:"
        " %(default)s)",
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Make the folder and say what comes next."""
    folder: Path = options.folder
    new_folder(
        folder, tenant=options.tenant, log_origin=options.log_origin, random_bytes=os.urandom
    )
    print(
        f"Made {folder}. Keep {folder / 'keys'} safe: without its keys the journal is lost.\n"
        "Next: add a [[matrix]] or [[telegram]] table, and [[groups]] tables, to"
        f" {folder / 'muniment.toml'}, then\n"
        f"  muniment doctor --config {folder / 'muniment.toml'}\n"
        f"  muniment run --config {folder / 'muniment.toml'}",
        file=sys.stderr,
    )
    return 0
