"""``muniment doctor``: try everything the recorder depends on, before it depends on it."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
from pathlib import Path

import msgspec
from rich.table import Table

from bridge.app import (
    VERSION,
    Finding,
    Settings,
    StorePlace,
    examine,
    examine_store,
    place_at,
    place_of,
    read_settings,
)
from bridge.canonical import rfc3339
from bridge.cli.terminal import standard_error
from bridge.errors import ConfigError
from bridge.protocols.probe import Result, StoreFindings

MARKS = {True: "ok", False: "FAIL", None: "cannot tell"}
WARNED = "warning"
_RESULTS = {
    Result.OK: "ok",
    Result.WARNING: WARNED,
    Result.FAIL: "FAIL",
    Result.CANNOT_TELL: "cannot tell",
    Result.NOT_APPLICABLE: "-",
}
CONFIGURED = ""
"""``--store`` without a URL."""


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """One check of a store."""

    check: str
    verdict: str
    result: str
    fact: str
    remedy: str


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``doctor --store --json``."""

    store: str
    lock_mode: str
    retention: str
    passed: bool
    checks: list[CheckReport]
    left: int
    at: str
    version: str = VERSION


class FindingReport(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of the whole."""

    check: str
    result: str
    fact: str
    remedy: str


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``doctor --json``."""

    passed: bool
    findings: list[FindingReport]
    version: str = VERSION


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "doctor",
        parents=[everywhere],
        help="probe platforms, store, clock and names",
        description="Tries everything that the recorder depends on, and says what to do about what"
        " fails. With --store it tries a store alone; what it writes there stands under probe/."
        " Exit code 1: something fails.",
    )
    verb.add_argument(
        "--store",
        metavar="URL",
        nargs="?",
        const=CONFIGURED,
        help="probe this store alone, or without URL that of the settings",
    )
    verb.add_argument(
        "--probe-credentials",
        type=Path,
        metavar="FILE",
        help="identity that may delete versions, for the controls; written as credentials_file",
    )
    verb.add_argument("--endpoint-url", metavar="U", help="with --store URL: the server")
    verb.add_argument("--region", metavar="R", help="with --store URL: its region")
    verb.add_argument(
        "--credentials-file", type=Path, metavar="F", help="with --store URL: the recorder's own"
    )
    verb.add_argument(
        "--addressing",
        choices=("auto", "path", "virtual"),
        help="with --store URL: where the bucket's name stands in an address (default: auto)",
    )
    verb.add_argument(
        "--lock-mode",
        choices=("none", "governance", "compliance"),
        help="with --store URL: what is to be enforced (default: governance; of a folder: none)",
    )
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """The findings as a table or as JSON; 1 if one of them failed."""
    if options.store is None:
        _refuse_alone(options)
        settings = read_settings(options.config)
        with standard_error().status("looking at everything"):
            found = asyncio.run(examine(settings, probe_credentials=options.probe_credentials))
        return _told(found, as_json=options.json)
    place, data_dir = _place(options)
    with standard_error().status(f"probing {place.name}"):
        findings = asyncio.run(
            examine_store(place, probe_credentials=options.probe_credentials, data_dir=data_dir)
        )
    return _told_of_store(findings, as_json=options.json)


_OF_URL = ("endpoint_url", "region", "credentials_file", "addressing", "lock_mode")


def _refuse_alone(options: argparse.Namespace) -> None:
    """What belongs to a store by its URL would change nothing of the settings' store."""
    given = [f"--{each.replace('_', '-')}" for each in _OF_URL if getattr(options, each)]
    if given:
        raise ConfigError(
            f"{given[0]} needs --store URL.", hint="Name the store, or correct the settings."
        )


def _place(options: argparse.Namespace) -> tuple[StorePlace, Path | None]:
    """The store to probe, and where its verdict is kept if it is that of the settings."""
    if options.store == CONFIGURED:
        _refuse_alone(options)
        settings = read_settings(options.config)
        return place_of(settings), settings.service.data_dir
    place = place_at(options.store, Path.cwd(), options.lock_mode)
    configured = _settings(options)
    if configured is not None and place_of(configured).location == place.location:
        place = place_of(configured)
        if not any(getattr(options, each) for each in _OF_URL):
            return place, configured.service.data_dir
    given = {each: getattr(options, each) for each in _OF_URL if getattr(options, each)}
    if "credentials_file" in given:
        given["credentials_file"] = options.credentials_file.absolute()
    return dataclasses.replace(place, **given), None


def _settings(options: argparse.Namespace) -> Settings | None:
    """The settings, where there are any: a bare URL needs none."""
    if not options.config_named and not options.config.exists():
        return None
    settings: Settings = read_settings(options.config)
    return settings


def _told(findings: tuple[Finding, ...], *, as_json: bool) -> int:
    passed = all(finding.passed is not False for finding in findings)
    if as_json:
        told = [
            FindingReport(
                check=each.check,
                result=_result(each),
                fact=each.fact,
                remedy=each.remedy,
            )
            for each in findings
        ]
        _write(DoctorReport(passed=passed, findings=told))
    else:
        table = _table("muniment doctor", "check", "result", "what was found")
        for each in findings:
            mark = WARNED if each.warned else MARKS[each.passed]
            table.add_row(each.check, mark, _found(each.fact, each.remedy))
        standard_error().print(table, markup=False)
    return 0 if passed else 1


def _result(finding: Finding) -> str:
    if finding.warned:
        return Result.WARNING.value
    results = {True: Result.OK, False: Result.FAIL, None: Result.CANNOT_TELL}
    return results[finding.passed].value


def _told_of_store(findings: StoreFindings, *, as_json: bool) -> int:
    if as_json:
        _write(_report(findings))
    else:
        _show(findings)
    return 1 if findings.failed else 0


def _report(findings: StoreFindings) -> ProbeReport:
    return ProbeReport(
        store=findings.store,
        lock_mode=findings.lock_mode,
        retention=findings.retention.value,
        passed=not findings.failed,
        checks=[
            CheckReport(
                check=each.check,
                verdict=each.verdict.value,
                result=each.result.value,
                fact=each.fact,
                remedy=each.remedy,
            )
            for each in findings.checks
        ],
        left=findings.left,
        at=rfc3339(findings.at),
    )


def _show(findings: StoreFindings) -> None:
    table = _table(f"what {findings.store} keeps", "check", "verdict", "result", "what was found")
    for each in findings.checks:
        table.add_row(
            each.check.replace("_", " "),
            each.verdict.words,
            _RESULTS[each.result],
            _found(each.fact, each.remedy),
        )
    console = standard_error()
    console.print(table, markup=False)
    said = f"retention with lock_mode {findings.lock_mode}: {findings.retention.words}"
    if findings.left:
        said += f"; {findings.left} canaries stay under probe/"
    console.print(f"{said}.", markup=False)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _found(fact: str, remedy: str) -> str:
    return fact if not remedy else f"{fact}\n{remedy}"


def _write(report: ProbeReport | DoctorReport) -> None:
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
