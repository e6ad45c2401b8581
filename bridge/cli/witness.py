"""``muniment witness``: co-sign the log of another department."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from bridge.app.witness import MEMORY, PUBLIC_KEY, SIGNING_KEY, new_witness, witnessing
from bridge.cli.run import configure_logging
from bridge.errors import ConfigError

MAKING = """\
Makes a folder with a signing key, the key to give away, and the memory of what was signed. The
memory must never be lost or put back from an old copy.
"""
ABOUT = """\
A witness remembers the largest checkpoint it signed of each log it knows, and signs none that
would contradict it. It sees sizes and hashes, never content. `muniment witness init NAME DIR` makes
its key and its memory; without `init` it listens. It speaks C2SP tlog-witness (add-checkpoint),
without TLS: that ends in front of it.
"""


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb and its one step."""
    verb = verbs.add_parser(
        "witness",
        parents=[everywhere],
        help="co-sign the log of another department",
        description=ABOUT,
    )
    verb.add_argument(
        "--listen",
        default="127.0.0.1:8091",
        metavar="HOST:PORT",
        help="where to listen (default: %(default)s)",
    )
    verb.add_argument(
        "--log-key",
        type=Path,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="verifier key (public.key) of each log to be witnessed",
    )
    verb.add_argument(
        "--signing-key-file", type=Path, metavar="FILE", help=f"the {SIGNING_KEY} that init made"
    )
    verb.add_argument("--state", type=Path, metavar="FILE", help=f"the {MEMORY} that init made")
    verb.set_defaults(command=command)
    steps = verb.add_subparsers(title="steps", metavar="init")
    init = steps.add_parser(
        "init", parents=[everywhere], help="make a key and a memory", description=MAKING
    )
    init.add_argument("name", metavar="NAME", help="name of the key, as witness.example.org/w1")
    init.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    init.set_defaults(command=make)


def make(options: argparse.Namespace) -> int:
    """Make the folder, and say what comes next."""
    folder: Path = options.folder
    line = new_witness(options.name, folder, random_bytes=os.urandom)
    print(
        f"Made {folder}. Never restore an old copy of {folder / MEMORY}, and never lose it: a"
        " witness that\nforgets would sign a second history.\n"
        f"Give this key ({folder / PUBLIC_KEY}) to those whose logs you witness:\n  {line}\n"
        "Next, with the public.key they gave you:\n"
        f"  muniment witness --log-key THEIR-public.key --signing-key-file {folder / SIGNING_KEY}"
        f" --state {folder / MEMORY}",
        file=sys.stderr,
    )
    return 0


def command(options: argparse.Namespace) -> int:
    """Answer until SIGTERM or SIGINT."""
    for name in ("log_key", "signing_key_file", "state"):
        if not getattr(options, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} is missing.",
                hint="See `muniment witness --help`; `muniment witness init` makes a key.",
            )
    configure_logging()
    return asyncio.run(_witness(options))


async def _witness(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with witnessing(
        listen=options.listen,
        log_keys=options.log_key,
        signing_key_file=options.signing_key_file,
        memory_file=options.state,
    ) as witness:
        host = options.listen.rpartition(":")[0]
        print(
            f"muniment: the witness {witness.name} listens on {host}:{witness.port} for"
            f" {', '.join(witness.origins)}.",
            file=sys.stderr,
        )
        await stop.wait()
    return 0
