"""``muniment console``: the pages for records managers, and who signs in there."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bridge.app import read_settings
from bridge.app.accounts import change_user, create_user, password_in, users
from bridge.app.console import serve_console
from bridge.cli.account import user
from bridge.cli.run import configure_logging
from bridge.cli.terminal import standard_error
from bridge.console.passwords import SHORTEST
from bridge.errors import ConfigError
from bridge.protocols.people import Role

ROLES = ", ".join(Role)


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb and its own verbs."""
    verb = verbs.add_parser(
        "console",
        parents=[everywhere],
        help="serve the pages for records managers",
        usage="muniment console [-h] [--config FILE] [VERB ...]",
        description="Without a verb it serves the pages until it is stopped, beside a recorder or"
        " without one. The verbs keep the accounts that sign in on this machine.",
    )
    verb.set_defaults(command=command)
    inner = verb.add_subparsers(metavar="VERB", prog="muniment console")
    made = inner.add_parser(
        "create-user",
        parents=[everywhere],
        help="make an account that signs in here",
        description="Makes an account. The password comes from a file, and stands in no list of"
        " processes.",
        epilog="example: muniment console create-user jo --role records_manager --password-file F",
    )
    _describe(made, is_new=True)
    made.set_defaults(command=create)
    changed = inner.add_parser(
        "change-user",
        parents=[everywhere],
        help="change an account, or disable it",
        description="Changes what is given, and leaves the rest of the account as it is.",
    )
    _describe(changed, is_new=False)
    switch = changed.add_mutually_exclusive_group()
    switch.add_argument("--disable", action="store_true", help="nobody signs in with it any more")
    switch.add_argument("--enable", action="store_true", help="it can be used again")
    changed.set_defaults(command=change)
    listed = inner.add_parser(
        "users",
        parents=[everywhere],
        help="list the accounts",
        description="Lists the accounts with their roles, and the groups that they may see.",
    )
    listed.set_defaults(command=show)


def _describe(verb: argparse.ArgumentParser, *, is_new: bool) -> None:
    verb.add_argument("name", metavar="NAME", help="the name to sign in with")
    verb.add_argument(
        "--role",
        action="append",
        required=is_new,
        default=[] if not is_new else None,
        metavar="ROLE",
        help=f"what the account may do: {ROLES}; may be given several times",
    )
    verb.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="GID",
        help="a group whose content it may see; may be given several times; without it all",
    )
    verb.add_argument(
        "--password-file",
        required=is_new,
        type=Path,
        metavar="FILE",
        help=f"holds the password, {SHORTEST} characters or more; closed to others",
    )


def command(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    configure_logging()
    settings = read_settings(options.config)

    def ready() -> None:
        print(f"muniment: console on http://{settings.service.console}/", file=sys.stderr)

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve_console(settings, stop=stop, ready=ready)

    asyncio.run(serve())
    return 0


def create(options: argparse.Namespace) -> int:
    """Make the account."""
    making = create_user(
        read_settings(options.config),
        options.name,
        options.role,
        groups=options.group,
        password=password_in(options.password_file),
        by=user(),
    )
    asyncio.run(making)
    roles = ", ".join(options.role)
    print(f"muniment: account {options.name} made, role {roles}.", file=sys.stderr)
    return 0


def change(options: argparse.Namespace) -> int:
    """Change what is given of the account."""
    file = options.password_file
    disabled = True if options.disable else False if options.enable else None
    if not (options.role or options.group or file or disabled is not None):
        raise ConfigError(
            "Nothing is to be changed.", hint="Give --role, --group, --password-file or --disable."
        )
    changing = change_user(
        read_settings(options.config),
        options.name,
        roles=options.role,
        groups=options.group,
        password=None if file is None else password_in(file),
        disabled=disabled,
        by=user(),
    )
    asyncio.run(changing)
    print(f"muniment: account {options.name} changed.", file=sys.stderr)
    return 0


def show(options: argparse.Namespace) -> int:
    """List the accounts."""
    table = Table("name", "roles", "groups", "signs in", box=None)
    for account in asyncio.run(users(read_settings(options.config))):
        where = "at the identity provider" if account.subject else "here"
        table.add_row(
            Text(account.name),
            Text(", ".join(sorted(account.roles))),
            Text(", ".join(sorted(account.groups)) or "all"),
            Text("disabled" if account.disabled else where),
        )
    standard_error().print(table)
    return 0
