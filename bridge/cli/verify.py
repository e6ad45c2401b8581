"""``muniment verify``: is the archive what its keeper signed?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from bridge.app import VERSION, read_settings
from bridge.app.verification import Asked, Report, verification, verification_of_one
from bridge.cli.terminal import standard_error
from bridge.errors import ConfigError, MunimentError

if TYPE_CHECKING:
    from bridge.app import Settings

ABOUT = """\
Reads the whole archive and compares it with its signed log: every leaf, every object, the numbers
of every group, and that nothing is missing, added or changed. Exit code 0: intact; 1: something
does not fit, each thing named; 2: it cannot be told. With --store and --public-key no settings
file is needed.
"""
REFRESH_SECONDS = 0.2
SHOWN = 20
"""Of each code so many are shown to people; --json has them all."""


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "verify",
        parents=[everywhere],
        help="check the archive against its signed log",
        description=ABOUT,
    )
    verb.add_argument("--store", metavar="URL", help="file:PATH or s3://BUCKET[/PREFIX]")
    verb.add_argument("--public-key", type=Path, metavar="FILE", help="the log's public.key")
    verb.add_argument("--endpoint-url", metavar="U", help="with --store: the server")
    verb.add_argument("--region", metavar="R", help="with --store")
    verb.add_argument("--credentials-file", type=Path, metavar="F", help="with --store")
    _add_many(verb, "--known", "checkpoints you kept: the log must extend them")
    _add_many(verb, "--witness-key", "verifier keys of witnesses")
    verb.add_argument(
        "--tsa-ca", type=Path, metavar="FILE", help="certificates of the time-stamping authority"
    )
    verb.add_argument("--since", type=_moment, metavar="T", help="read only objects this new")
    verb.add_argument("--record", metavar="KEY", help="check this one record alone")
    verb.add_argument(
        "--proof", type=Path, metavar="FILE", help="with --record: write its proofs beside this"
    )
    verb.add_argument("--no-objects", action="store_true", help="check the log alone")
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(command=command)


def _add_many(verb: argparse.ArgumentParser, option: str, what: str) -> None:
    verb.add_argument(
        option, type=Path, nargs="+", action="extend", default=[], metavar="FILE", help=what
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def command(options: argparse.Namespace) -> int:
    """Verify, and say what was found; the verdict is the exit code."""
    try:
        report = _report(options)
    except MunimentError as error:
        if options.json:
            told = {"verdict": "cannot_tell", "why": str(error), "hint": error.hint}
            sys.stdout.write(json.dumps({**told, "version": VERSION}) + "\n")
        raise
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _show(report, standard_error())
    return 0 if report.verdict == "intact" else 1


def _report(options: argparse.Namespace) -> Report:
    asked = _asked(options)

    def settings() -> Settings:
        return read_settings(options.config)

    if options.record is not None:
        report, proofs = verification_of_one(asked, settings, key=options.record)
        if options.proof is not None:
            for proof in proofs:
                _write(_beside(options.proof, proof.kind), proof.body)
        return report
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = standard_error()
    hidden = not console.is_terminal  # a file would get an empty line of it
    with Progress(
        *columns, console=console, transient=True, disable=hidden, auto_refresh=False
    ) as bars:
        screen = _Screen(bars)
        return verification(asked, settings, step=screen.step)


def _asked(options: argparse.Namespace) -> Asked:
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("endpoint_url", "region", "credentials_file")
        if getattr(options, name)
    ]
    if given and options.store is None:
        raise ConfigError(f"{given[0]} needs --store.", hint="Name the store as well.")
    if options.proof is not None and options.record is None:
        raise ConfigError("--proof needs --record.", hint="Name the record by its key.")
    return Asked(
        store=options.store,
        public_key=options.public_key,
        endpoint_url=options.endpoint_url,
        region=options.region,
        credentials_file=options.credentials_file,
        known=tuple(options.known),
        witness_keys=tuple(options.witness_key),
        tsa_ca=options.tsa_ca,
        since=options.since,
        objects=not options.no_objects,
    )


def _beside(path: Path, kind: str) -> Path:
    """The `seen` leaf's proof has the name that was asked for, the `stored` one's its own."""
    return path if kind == "seen" else path.with_name(f"{path.stem}-{kind}{path.suffix}")


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise ConfigError(
            f"--proof {path} cannot be written ({error.strerror}).", hint="Name another file."
        ) from None


class _Screen:
    """A bar for the leaves, then one for the objects. No thread draws it: `verify` forks."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._next = 0.0

    def step(self, what: str, done: int, total: int | None) -> None:
        """So much more is done."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.advance(self._tasks[what], done)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REFRESH_SECONDS
            self._bars.refresh()


def _show(report: Report, console: Console) -> None:
    for finding in _some(report):
        console.print(finding)
    counts = msgspec.structs.asdict(report.counts)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("store", Text(report.store))
    table.add_row("log", Text(report.origin))
    if report.checkpoint is not None:
        table.add_row("checkpoint", f"{report.checkpoint.size} leaves")
        table.add_row("", report.checkpoint.root)
    table.add_row("looked at", ", ".join(f"{n} {what}" for what, n in counts.items() if n))
    for name, value in _vouches(report):
        table.add_row(name, Text(value))
    console.print(table)
    verdict = "INTACT" if report.verdict == "intact" else "TAMPERED"
    count = f": {len(report.findings)} findings" if report.findings else ""
    console.print(Text(f"{verdict}{count}", style="bold red" if report.findings else "bold green"))


def _some(report: Report) -> Iterator[Text]:
    """The first of each code, findings in red, with how many more there are."""
    for found, style in ((report.listed, ""), (report.findings, "bold red")):
        counts = Counter(each.code for each in found)
        shown: Counter[str] = Counter()
        for each in found:
            shown[each.code] += 1
            if shown[each.code] <= SHOWN:
                yield Text(f"{each.code}: {_plain(each.what)}", style=style)
            elif shown[each.code] == SHOWN + 1:
                more = counts[each.code] - SHOWN
                yield Text(f"{each.code}: {more} more; --json names them.", style=style)


def _vouches(report: Report) -> Iterator[tuple[str, str]]:
    vouches = report.vouches
    if vouches.size:
        when = f", {vouches.time}" if vouches.time else ""
        yield "vouches for", f"{vouches.size} leaves{when}, by its keeper's signature"
    if vouches.witnessed_by:
        who = ", ".join(vouches.witnessed_by)
        yield "witnessed", f"{vouches.witnessed_size} leaves, by {who}"
    if vouches.timestamped_at:
        yield "timestamped", f"{vouches.timestamped_size} leaves, {vouches.timestamped_at}"
    if vouches.known:
        yield "extends", f"known checkpoints of {', '.join(map(str, vouches.known))} leaves"


def _plain(text: str) -> str:
    """Names in a store may hold anything: control characters do not reach the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
