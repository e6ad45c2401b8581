"""``muniment groups``: the register, and orders to change it."""

from __future__ import annotations

import argparse
import asyncio
import sys

from rich.table import Table

from bridge.app import known_groups, order_step, read_settings
from bridge.cli.account import user
from bridge.cli.terminal import standard_error
from bridge.protocols import StepKind

NO_REASON = "ordered on the command line"


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb and its steps."""
    verb = verbs.add_parser(
        "groups", parents=[everywhere], help="list groups, or order a step for one"
    )
    steps = verb.add_subparsers(title="steps", metavar="STEP", required=True)
    listing = steps.add_parser("list", parents=[everywhere], help="show the register")
    listing.set_defaults(command=show)
    for kind in StepKind:
        step = steps.add_parser(kind.value, parents=[everywhere], help=f"{kind.value} a group")
        step.add_argument("connector", help="name of the [[matrix]] or [[telegram]] table")
        step.add_argument("id", help="the platform's id of the group")
        step.add_argument("--name", help="the group's name for people")
        step.add_argument("--why", default=NO_REASON, help="the reason; it stands on the record")
        step.set_defaults(command=order, kind=kind)


def show(options: argparse.Namespace) -> int:
    """The register as a table."""
    table = Table(title="Groups", title_justify="left")
    for heading in ("connector", "id", "name", "state", "notice", "note"):
        table.add_column(heading, overflow="fold")
    for group in asyncio.run(known_groups(read_settings(options.config))):
        table.add_row(
            group.connector,
            group.group_id,
            group.name or "",
            group.state.value,
            group.notice.value,
            group.note,
        )
    standard_error().print(table, markup=False)
    return 0


def order(options: argparse.Namespace) -> int:
    """Put the step into the office; a running bridge takes it up within a second."""
    settings = read_settings(options.config)
    asyncio.run(
        order_step(
            settings,
            kind=options.kind,
            connector=options.connector,
            group_id=options.id,
            name=options.name,
            by=user(),
            why=options.why,
        )
    )
    print("Ordered. A running `muniment run` takes it up within a second.", file=sys.stderr)
    return 0
