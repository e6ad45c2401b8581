"""``muniment status``: what is recorded, what is on its way, what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from rich.console import Console
from rich.text import Text

from bridge.app import (
    VERSION,
    AnchorReport,
    BackupReport,
    GroupReport,
    Settings,
    StatusReport,
    StoreReport,
    read_settings,
    status_of,
)
from bridge.cli.terminal import standard_error
from bridge.lifecycle import EntryState


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "status",
        parents=[everywhere],
        help="show groups, counts and alarms",
        description="Shows what a recorder on this machine says of itself, running or not. Exit"
        " code 0 whatever it says.",
    )
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Show the status; 0 whatever it says."""
    settings: Settings = read_settings(options.config)
    report = asyncio.run(status_of(settings))
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _show(report, standard_error())
    return 0


def _show(report: StatusReport, console: Console) -> None:
    """A paragraph for each group, then what concerns all: it fits a terminal of 80 columns."""
    console.print(Text(f"Muniment {VERSION}", style="bold"))
    if not report.groups:
        console.print(Text("no groups"))
    for group in report.groups:
        for line in _group(group):
            console.print(line)
    if report.capture_delay is not None:
        console.print(Text(f"from receipt to storage, lately: {report.capture_delay:.1f} s"))
    downloads = ", ".join(f"{n} {state}" for state, n in report.downloads.items()) or "none"
    console.print(Text(f"log: {_log(report)}   overdue: {report.overdue}   downloads: {downloads}"))
    if apart := report.journal.entries_by_state.get(EntryState.RESTRICTED, 0):
        console.print(Text(f"marked SECRET or above, and kept apart: {apart}"))
    for anchor in report.log.anchors:
        console.print(Text(_anchor(anchor)))
    if isinstance(report.store, StoreReport):
        console.print(Text(_store(report.store)))
        for warning in report.store.warnings:
            console.print(Text(f"store warning: {_plain(warning)}"))
    console.print(Text(_backup(report.backup)))
    for alarm in report.alarms:
        console.print(Text(f"ALARM {_plain(alarm)}", style="bold red"))


def _group(group: GroupReport) -> Iterator[Text]:
    timer = f", timer {group.timer:g} s" if group.timer is not None else ""
    yield Text(_plain(group.name or group.id), style="bold")
    if group.name:
        yield Text(f"  {_plain(group.id)} ({group.connector})")
    yield Text(f"  {group.state}, notice {group.notice}{timer}")
    if group.owner:
        yield Text(f"  owner {_plain(group.owner)}")
    if group.note:
        yield Text(f"  {_plain(group.note)}")
    yield Text(
        f"  seen {group.seen} = captured {group.captured} + review {group.review}"
        f" + discarded {group.discarded} + undecided {group.undecided}"
    )
    yield Text(f"  stored {group.stored}   gaps {group.gaps}   late {group.late}")
    yield Text(f"  last event {group.last_event_at or 'never'}")
    for each in group.unopened:
        why = _plain(each.why) or "not tried yet"
        age = _age(datetime.now(UTC) - datetime.fromisoformat(each.oldest_at))
        yield Text(f"  still encrypted {each.count}, the oldest for {age}: {why}")


def _log(report: StatusReport) -> str:
    waiting = f", {report.log.waiting} not published yet" if report.log.waiting else ""
    hashes = " and ".join(each.rpartition("+")[2] for each in report.log.signed_by)
    signed = f", signed by {hashes}" if hashes else ""
    return f"{report.log.size} leaves{waiting}{signed}"


def _anchor(anchor: AnchorReport) -> str:
    since = "never yet"
    if anchor.at is not None:
        since = f"{_age(datetime.now(UTC) - datetime.fromisoformat(anchor.at))} ago"
    trouble = f": {_plain(anchor.trouble)}" if anchor.trouble else ""
    return f"{anchor.kind} {_plain(anchor.name)}: {since}{trouble}"


def _backup(backup: BackupReport) -> str:
    made = "none"
    if backup.at is not None:
        made = f"{_age(datetime.now(UTC) - datetime.fromisoformat(backup.at))} ago"
    return (
        f"last back-up: {made}" if not backup.concern else f"last back-up: {made}. {backup.concern}"
    )


def _store(store: StoreReport) -> str:
    told = store.retention.replace("_", " ")
    return f"store: retention {told} (lock_mode {store.lock_mode}), by {store.by} at {store.at}"


def _age(age: timedelta) -> str:
    """In the largest unit that fits, rounded down."""
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _plain(text: str) -> str:
    """Names come from platforms: control and direction characters do not reach the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
