"""``muniment keys``: room keys of encrypted groups, out and in; the next key of the log."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn

from bridge.app import read_settings
from bridge.app.keys import transfer_keys
from bridge.app.succession import next_keys
from bridge.cli.account import user
from bridge.cli.reconcile import Screen, log_to_stderr
from bridge.cli.terminal import standard_error
from bridge.protocols import KeyTransfer, RequestKind

OUT = "Writes every key to a new file of mode 0600, and never over one that is there."
IN = "Takes keys that are new or reach further back; what waits for one of them is opened."
_STEPS = {
    "export": (RequestKind.KEYS_EXPORT, "write all keys to a new file, under a passphrase", OUT),
    "import": (RequestKind.KEYS_IMPORT, "take keys that a client exported", IN),
}


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb and its steps."""
    verb = verbs.add_parser(
        "keys",
        parents=[everywhere],
        help="move keys of encrypted groups; make the log's next key",
        description="Keys of encrypted groups go to files, and come from files, as other clients"
        " write them. Whoever has such a file and its passphrase reads what the keys are for.",
    )
    steps = verb.add_subparsers(title="steps", metavar="STEP", required=True)
    for name, (kind, purpose, means) in _STEPS.items():
        step = steps.add_parser(
            name,
            parents=[everywhere],
            help=purpose,
            description=means,
            epilog=f"example: muniment keys {name} matrix room-keys.txt --passphrase-file F",
        )
        step.add_argument("connector", metavar="CONNECTOR", help="name of the [[matrix]] table")
        step.add_argument("file", type=Path, metavar="FILE", help="as other clients write it")
        step.add_argument(
            "--passphrase-file",
            type=Path,
            metavar="P",
            required=True,
            help="file with the passphrase, readable by the recorder's account alone",
        )
        step.set_defaults(command=command, kind=kind)
    following = steps.add_parser(
        "next",
        parents=[everywhere],
        help="make the key that is to sign the log from then on",
        description="Makes the log's next signing key beside the one in force, which goes on"
        " signing until the settings name the next. It says which steps follow.",
    )
    following.set_defaults(command=make_next)


def make_next(options: argparse.Namespace) -> int:
    """Make them, and say what comes next."""
    made = next_keys(read_settings(options.config), random_bytes=os.urandom)
    print(
        f"Made {made.signing_key} and {made.public_key}; nothing uses them yet.\n"
        f"The next key of the log is:\n  {made.line}\n"
        "Next:\n"
        f"  1. Give {made.public_key}, which holds all keys of the log, to its witnesses and to\n"
        "     whoever verifies, and move it over [keys] public_key_file.\n"
        f'  2. Set [keys] next_signing_key_file = "{made.signing_key}" and restart.\n'
        "  3. Once `muniment status` says that the new key alone signs, move its file over\n"
        "     signing_key_file, remove next_signing_key_file, and restart.",
        file=sys.stderr,
    )
    return 0


def command(options: argparse.Namespace) -> int:
    """Do it, and say the counts."""
    log_to_stderr()
    settings = read_settings(options.config)
    keys = KeyTransfer(
        connector=options.connector,
        file=options.file.absolute(),
        passphrase_file=options.passphrase_file.absolute(),
    )
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Bars(*columns, console=standard_error(), transient=True) as bars:
        screen = Screen(bars)
        said = asyncio.run(
            transfer_keys(settings, kind=options.kind, keys=keys, by=user(), show=screen.show)
        )
    print(said, file=sys.stderr)
    return 0
