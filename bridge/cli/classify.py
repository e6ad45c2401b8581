"""``muniment classify``: what the policy says of a text, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from bridge.app import classifier_of, read_settings
from bridge.cli.terminal import standard_error
from bridge.model import CONTEXT_MESSAGES, Context, EventKind, Reason, Utterance, Verdict
from bridge.protocols import Classifier

NOBODY = frozenset({"", "unknown"})
START = datetime(2000, 1, 1, tzinfo=UTC)
"""Lines of a conversation carry no time; they are read as a minute apart from here on."""


class Line(msgspec.Struct, frozen=True):
    """A line of the data format: a turn of a conversation. Unknown fields are ignored."""

    text: str
    conv: str = ""
    speaker: str = ""


class ReasonOut(msgspec.Struct, frozen=True):
    """A reason as ``--json`` prints it."""

    code: str
    rule: str
    start: int
    end: int
    text: str


class VerdictOut(msgspec.Struct, frozen=True):
    """A verdict as ``--json`` prints it."""

    outcome: str
    score: float
    reasons: list[ReasonOut]
    markings: list[str]
    policy: str
    model: str
    context: list[str] = []
    restricted: bool = False


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "classify",
        parents=[everywhere],
        help="say what becomes of a text, and why",
        description="Asks the policy about the text on standard input; nothing is sent or stored."
        " Without a settings file the shipped policy answers.",
        epilog="example: echo 'Agreed, go ahead with option B' | muniment classify",
    )
    verb.add_argument("--json", action="store_true", help="JSON on stdout")
    verb.add_argument(
        "--conversation",
        action="store_true",
        help="stdin holds JSON lines with conv, speaker and text; one result per line",
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Classify standard input."""
    classifier = _classifier(options.config, named=options.config_named)
    data = sys.stdin.buffer.read()
    console = standard_error()
    if options.conversation:
        for verdict in conversation(classifier, data):
            _give(verdict, as_json=options.json, console=console)
        return 0
    text = data.decode("utf-8", "replace").removesuffix("\n")
    verdict = classifier.classify(_utterance(0, Line(text=text)), Context())
    _give(verdict, as_json=options.json, console=console)
    return 0


def conversation(classifier: Classifier, data: bytes) -> Iterator[Verdict]:
    """The verdict on each line, with the lines of its conversation before it as context."""
    windows: dict[str, list[Utterance]] = {}
    for number, raw in enumerate(line for line in data.splitlines() if line.strip()):
        line = _line(raw)
        window = windows.setdefault(line.conv, [])
        utterance = _utterance(number, line)
        verdict = classifier.classify(utterance, Context(before=tuple(window[-CONTEXT_MESSAGES:])))
        codes = tuple(reason.code for reason in verdict.reasons)
        window.append(replace(utterance, outcome=verdict.outcome, score=verdict.score, codes=codes))
        yield verdict


def _line(raw: bytes) -> Line:
    """A line of the format; one that is not is read as the text it is."""
    try:
        return msgspec.json.decode(raw, type=Line)
    except (msgspec.MsgspecError, ValueError):
        return Line(text=raw.decode("utf-8", "replace"))


def _utterance(number: int, line: Line) -> Utterance:
    return Utterance(
        upstream_id=f"line-{number}",
        kind=EventKind.MESSAGE,
        # Whoever is unknown may be anybody, and is not the same person twice.
        sender_id=line.speaker if line.speaker not in NOBODY else f"line-{number}",
        sent_at=START + timedelta(minutes=number),
        body=line.text,
    )


def _classifier(config: Path, *, named: bool) -> Classifier:
    """With a settings file its policy, without one the shipped default.

    A file that someone named and that is not there is an error: its policy is what they meant.
    """
    return classifier_of(read_settings(config) if named or config.exists() else None)


def _give(verdict: Verdict, *, as_json: bool, console: Console) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(_out(verdict)).decode() + "\n")
        return
    console.print(
        Text(f"{verdict.outcome.value}  score {verdict.score:.2f}  {verdict.policy}"), style="bold"
    )
    for reason in verdict.reasons:
        console.print(Text(f"  {reason.code:<12} {reason.rule}  {_quote(reason)}"))


def _quote(reason: Reason) -> str:
    printable = "".join(c if c.isprintable() else " " for c in reason.text)
    return f'"{printable}"' if printable else ""


def _out(verdict: Verdict) -> VerdictOut:
    return VerdictOut(
        outcome=verdict.outcome.value,
        score=verdict.score,
        reasons=[
            ReasonOut(r.code, r.rule, r.start, r.end, _unicode(r.text)) for r in verdict.reasons
        ],
        markings=list(verdict.markings),
        policy=verdict.policy,
        model=verdict.model,
        context=list(verdict.context),
        restricted=verdict.restricted,
    )


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
