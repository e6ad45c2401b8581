"""``muniment groups``: the register, and orders to change it."""

from __future__ import annotations

import argparse
import asyncio
import sys

import msgspec
from rich.table import Table

from bridge.app import known_groups, order_step, read_settings
from bridge.canonical import rfc3339
from bridge.cli.account import user
from bridge.cli.terminal import standard_error
from bridge.model import Group, Particulars
from bridge.protocols import StepKind

NO_REASON = "ordered on the command line"
MEANS = {
    StepKind.PROPOSE: "Puts a group into the register; nothing is kept before it is approved.",
    StepKind.APPROVE: "Approves a group: the recorder joins once it is invited, and tells it so.",
    StepKind.PAUSE: "Pauses a group: nothing of it is kept until it is resumed; a gap stands.",
    StepKind.RESUME: "Resumes a group that was paused.",
    StepKind.CLOSE: "Ends the recording of a group for good; it is not opened again.",
}
DESCRIBING = frozenset({StepKind.PROPOSE, StepKind.APPROVE})


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group of the register, as ``groups list --json`` has it. ``notice_at``: of the last one."""

    connector: str
    id: str
    name: str | None
    platform: str
    state: str
    notice: str
    note: str
    owner: str | None
    purpose: str | None
    retention: str | None
    dpia: str | None
    device_type: str | None
    capture_all: bool
    listed: bool
    proposed_by: str | None
    approved_by: str | None
    approved_at: str | None
    notice_version: str | None
    notice_at: str | None


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb and its steps."""
    verb = verbs.add_parser(
        "groups",
        parents=[everywhere],
        help="list groups, or order a step for one",
        description="A step is an order: a running `muniment run` takes it up within a second, a"
        " stopped one at its next start.",
    )
    steps = verb.add_subparsers(title="steps", metavar="STEP", required=True)
    listing = steps.add_parser(
        "list",
        parents=[everywhere],
        help="show the register",
        description="Shows the groups with their state, their notice and who answers for them.",
    )
    listing.add_argument("--json", action="store_true", help="one JSON document on stdout")
    listing.set_defaults(command=show)
    for kind in StepKind:
        step = steps.add_parser(
            kind.value,
            parents=[everywhere],
            help=f"{kind.value} a group",
            description=MEANS[kind],
            epilog=f"example: muniment groups {kind.value} matrix '!abcdefgh:example.org' --why"
            " 'agreed at the board'",
        )
        step.add_argument(
            "connector", metavar="CONNECTOR", help="name of the [[matrix]] or [[telegram]] table"
        )
        step.add_argument("id", metavar="ID", help="the platform's id of the group")
        step.add_argument("--name", help="the group's name for people")
        step.add_argument("--why", default=NO_REASON, help="the reason; it stands on the record")
        if kind in DESCRIBING:
            _add_particulars(step)
        step.set_defaults(command=order, kind=kind)


def _add_particulars(step: argparse.ArgumentParser) -> None:
    said = step.add_argument_group(
        "on record",
        "What is left out stays as it was proposed; an approval should have owner and purpose.",
    )
    said.add_argument("--owner", help="who answers for the group")
    said.add_argument("--purpose", help="what official business it serves")
    said.add_argument("--retention", metavar="CLASS", help="name of a [[retention]] class")
    said.add_argument("--dpia", help="reference of the data protection impact assessment")
    said.add_argument("--device-type", help="devices it is used on: corporate, personal or mixed")
    said.add_argument(
        "--capture-all",
        action=argparse.BooleanOptionalAction,
        help="keep every message, or only what the policy finds significant",
    )


def show(options: argparse.Namespace) -> int:
    """The register as a table, or as JSON."""
    groups = asyncio.run(known_groups(read_settings(options.config)))
    if options.json:
        print(msgspec.json.encode([_row(group) for group in groups]).decode())
        return 0
    table = Table(title="Groups", title_justify="left")
    for heading in ("connector", "id", "name", "state", "notice", "owner", "retention", "note"):
        table.add_column(heading, overflow="fold")
    for group in groups:
        said = group.particulars
        cells = (
            group.connector,
            group.group_id,
            group.name or "",
            group.state.value,
            group.notice.value,
            said.owner or "",
            said.retention or "",
            group.note,
        )
        table.add_row(*(_plain(cell) for cell in cells))
    standard_error().print(table, markup=False)
    return 0


def _row(group: Group) -> GroupRow:
    said = group.particulars
    return GroupRow(
        connector=group.connector,
        id=group.group_id,
        name=group.name,
        platform=group.platform,
        state=group.state.value,
        notice=group.notice.value,
        note=group.note,
        owner=said.owner,
        purpose=said.purpose,
        retention=said.retention,
        dpia=said.dpia,
        device_type=said.device_type,
        capture_all=group.capture_all,
        listed=group.listed,
        proposed_by=group.proposed_by,
        approved_by=group.approved_by,
        approved_at=rfc3339(group.approved_at) if group.approved_at else None,
        notice_version=group.notice_version or None,
        notice_at=rfc3339(group.notice_at) if group.notice_at else None,
    )


def _plain(text: str) -> str:
    """A stranger may have chosen it: nothing in it steers the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def order(options: argparse.Namespace) -> int:
    """Put the step into the office; a running bridge takes it up within a second."""
    settings = read_settings(options.config)
    said = Particulars()
    if options.kind in DESCRIBING:
        said = Particulars(
            owner=options.owner,
            purpose=options.purpose,
            retention=options.retention,
            dpia=options.dpia,
            device_type=options.device_type,
        )
    ordered = asyncio.run(
        order_step(
            settings,
            kind=options.kind,
            connector=options.connector,
            group_id=options.id,
            name=options.name,
            by=user(),
            why=options.why,
            said=said,
            capture_all=options.capture_all if options.kind in DESCRIBING else None,
        )
    )
    print("Ordered. A running `muniment run` takes it up within a second.", file=sys.stderr)
    if ordered.unsaid:
        print(
            "It does not say who answers for the group, or what official business it serves:"
            f" approve it again with {' and '.join(ordered.unsaid)}.",
            file=sys.stderr,
        )
    return 0
