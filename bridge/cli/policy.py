"""``muniment policy check FILE``: whether a policy can be put in force, and what would change."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.app import candidate, classifier_of, policy_sample, read_settings
from bridge.classify import InForce, Policy
from bridge.cli.classify import conversation
from bridge.cli.terminal import standard_error
from bridge.errors import ConfigError, PolicyError
from bridge.model import Outcome, Verdict

EXIT_REFUSED = 1
LONGEST_QUOTE = 60


class SampleLine(msgspec.Struct, frozen=True):
    """A line of the data format as far as it is shown. ``label``: 1 significant, 0 not."""

    text: str
    conv: str = ""
    label: int | None = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a sample. Kept is capture or review; only labelled lines are counted so."""

    capture: int
    review: int
    discard: int
    significant: int
    significant_kept: int
    trivial: int
    trivial_kept: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A line that the checked policy decides otherwise. ``line`` counts from 1."""

    line: int
    conv: str
    text: str
    label: int | None
    now: str
    now_codes: list[str]
    then: str
    then_codes: list[str]


class SampleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The sample under the policy in force (``now``) and under the checked one (``then``)."""

    lines: int
    changed: int
    now: Counts
    then: Counts


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints of a policy that can be put in force."""

    policy: str
    title: str
    digest: str
    extends: str | None
    sources: list[str]
    capture_all: bool
    decide_within_days: int | None
    transitory: str | None
    codes: dict[str, str]
    rules: int
    cues: int
    compared_with: str
    compared_digest: str
    sample: SampleReport
    changes: list[Change]


class Refusal(msgspec.Struct, frozen=True):
    """What ``--json`` prints of one that cannot."""

    refused: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    lines: Sequence[SampleLine]
    verdicts: Sequence[Verdict]

    def counts(self) -> Counts:
        outcomes = Counter(verdict.outcome for verdict in self.verdicts)
        kept = Counter(
            line.label
            for line, verdict in zip(self.lines, self.verdicts, strict=True)
            if verdict.outcome is not Outcome.DISCARD
        )
        labels = Counter(line.label for line in self.lines)
        return Counts(
            capture=outcomes[Outcome.CAPTURE],
            review=outcomes[Outcome.REVIEW],
            discard=outcomes[Outcome.DISCARD],
            significant=labels[1],
            significant_kept=kept[1],
            trivial=labels[0],
            trivial_kept=kept[0],
        )


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb and its one step."""
    verb = verbs.add_parser(
        "policy",
        parents=[everywhere],
        help="check a policy file",
        description="A policy says which messages are significant.",
    )
    steps = verb.add_subparsers(title="steps", metavar="STEP", required=True)
    check = steps.add_parser(
        "check",
        parents=[everywhere],
        help="validate a policy and show what it would change",
        description="Refuses a policy file with the field and the remedy (exit code 1), or shows"
        " its digest, its codes, and which lines of a sample it would decide otherwise than the"
        " policy in force.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="the policy")
    check.add_argument(
        "--sample",
        type=Path,
        metavar="LINES",
        help="JSON lines with conv, speaker, text and label to try it on (default: a shipped one)",
    )
    check.add_argument("--json", action="store_true", help="one JSON document on stdout")
    check.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Check one file: 0 if it can be put in force, 1 if it is refused."""
    console = standard_error()
    named = options.config_named or options.config.exists()
    settings = read_settings(options.config) if named else None
    try:
        policy, checked = candidate(options.file, settings)
    except PolicyError as error:
        if options.json:
            _print(Refusal(refused=str(error), hint=error.hint))
        console.print(Text(f"refused: {error}", style="bold red"))
        console.print(Text(f"  {error.hint}"))
        return EXIT_REFUSED
    in_force = classifier_of(settings)
    data = policy_sample(options.sample)
    lines = _lines(data)
    now = _Judged(lines=lines, verdicts=tuple(conversation(in_force, data)))
    then = _Judged(lines=lines, verdicts=tuple(conversation(checked, data)))
    report = _report(policy, in_force, now, then)
    if options.json:
        _print(report)
    _show(report, console)
    return 0


def _lines(data: bytes) -> tuple[SampleLine, ...]:
    try:
        return tuple(
            msgspec.json.decode(raw, type=SampleLine) for raw in data.splitlines() if raw.strip()
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The sample is not JSON lines with a text each: {error}.",
            hint='Write a line as {"conv": "a", "speaker": "x", "text": "...", "label": 1}.',
        ) from None


def _report(policy: Policy, in_force: InForce, now: _Judged, then: _Judged) -> Report:
    changes = [
        Change(
            line=number,
            conv=line.conv,
            text=line.text,
            label=line.label,
            now=before.outcome.value,
            now_codes=_codes(before),
            then=after.outcome.value,
            then_codes=_codes(after),
        )
        for number, (line, before, after) in enumerate(
            zip(now.lines, now.verdicts, then.verdicts, strict=True), start=1
        )
        if before.outcome is not after.outcome
    ]
    return Report(
        policy=policy.label,
        title=policy.title,
        digest=policy.digest,
        extends=policy.extends,
        sources=list(policy.sources),
        capture_all=policy.capture_all,
        decide_within_days=policy.decide_within_days,
        transitory=policy.transitory.title if policy.transitory else None,
        codes={name: code.outcome.value for name, code in policy.codes.items()},
        rules=len(policy.rules),
        cues=sum(map(len, policy.cues.values())),
        compared_with=in_force.policy,
        compared_digest=in_force.digest,
        sample=SampleReport(
            lines=len(now.lines), changed=len(changes), now=now.counts(), then=then.counts()
        ),
        changes=changes,
    )


def _codes(verdict: Verdict) -> list[str]:
    return list(dict.fromkeys(reason.code for reason in verdict.reasons))


def _show(report: Report, console: Console) -> None:
    console.print(Text(f"{report.policy}: {report.title}", style="bold"))
    console.print(Text(f"  sha256 {report.digest}"))
    if report.extends:
        console.print(Text(f"  extends {report.extends}"))
    console.print(Text(f"  {report.rules} rules, {report.cues} cues, {len(report.codes)} codes"))
    for outcome in Outcome:
        codes = [code for code, leads_to in report.codes.items() if leads_to == outcome.value]
        console.print(Text(f"  {outcome.value}: {', '.join(codes)}"))
    if report.capture_all:
        console.print(Text("  every message is captured"))
    if report.transitory:
        console.print(Text(f"  before a discard: {report.transitory}"))
    if report.decide_within_days:
        console.print(Text(f"  undecided after {report.decide_within_days} days: captured"))
    _show_counts(report, console)
    _show_changes(report, console)


def _show_counts(report: Report, console: Console) -> None:
    table = Table(title=f"A sample of {report.sample.lines} messages", title_justify="left")
    for heading in ("policy", "capture", "review", "discard", "significant kept", "trivial kept"):
        table.add_column(heading)
    sides = ((report.compared_with, report.sample.now), (report.policy, report.sample.then))
    for name, counts in sides:
        table.add_row(
            name,
            str(counts.capture),
            str(counts.review),
            str(counts.discard),
            f"{counts.significant_kept} of {counts.significant}",
            f"{counts.trivial_kept} of {counts.trivial}",
        )
    console.print(table, markup=False)


def _show_changes(report: Report, console: Console) -> None:
    if not report.changes:
        console.print(Text("Nothing in the sample would be decided otherwise."))
        return
    table = Table(title=f"{len(report.changes)} would change", title_justify="left")
    for heading in ("line", "text", "now", "then"):
        table.add_column(heading, overflow="fold")
    for change in report.changes:
        table.add_row(
            str(change.line),
            Text(_quote(change.text)),
            f"{change.now} {', '.join(change.now_codes)}",
            f"{change.then} {', '.join(change.then_codes)}",
        )
    console.print(table, markup=False)


def _quote(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable if len(printable) <= LONGEST_QUOTE else printable[: LONGEST_QUOTE - 1] + "…"


def _print(document: Report | Refusal) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
