"""``muniment evaluate``: how well the shipped model tells what is significant, on labelled data."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from bridge.app import read_settings
from bridge.app.models import SHIPPED, model_file, word_classes
from bridge.app.policies import DEFAULT, classifier_of, policy_of, shipped_policies, shipped_policy
from bridge.classify import Policy, RuleClassifier
from bridge.classify.model import digest, write_model
from bridge.cli.terminal import standard_error
from bridge.errors import ConfigError
from bridge.evaluate.bootstrap import DRAWS
from bridge.evaluate.checks import conformal, explained, rates
from bridge.evaluate.corpus import Conversation, fold_of, read_corpus
from bridge.evaluate.footprint import Cost, cost_of
from bridge.evaluate.learning import FOLDS
from bridge.evaluate.protocol import Protocol
from bridge.evaluate.report import TARGETS, Document, Latency, as_json, as_page, macro
from bridge.evaluate.results import Result, judge_all
from bridge.evaluate.training import train
from bridge.protocols import Classifier

_PROCESSES = 2
_PROMISES = (0.9, 0.95)


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "evaluate",
        parents=[everywhere],
        help="score the model on labelled conversations",
        description="Scores the model that ships, or one trained here, on conversations that people"
        " labelled. The model card names the files.",
    )
    verb.add_argument("folder", type=Path, metavar="DIR", help="files of the data format")
    verb.add_argument("--json", action="store_true", help="JSON on stdout")
    verb.add_argument(
        "--cross-validate",
        action="store_true",
        help="score models retrained without the conversations they are scored on",
    )
    verb.add_argument("--report", type=Path, metavar="DIR", help="write JSON and a page with plots")
    verb.add_argument(
        "--draws", type=int, default=DRAWS, help="draws for the intervals (default: %(default)s)"
    )
    verb.add_argument("--train", type=Path, metavar="FILE", help="train a model into FILE instead")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Score, print, and write the report."""
    console = standard_error()
    began = time.monotonic()
    corpus = read_corpus(options.folder)
    with Progress(console=console, transient=True) as bars:
        if options.train is not None:
            return _train(corpus, options.train, _reporting(bars))
        document, results = _evaluate(options, corpus, bars, began)
    if options.report is not None:
        _write(options.report, document, results)
    if options.json:
        sys.stdout.write(as_json(document).decode())
    else:
        _print(document, console)
    return 0


def _evaluate(
    options: argparse.Namespace, corpus: Sequence[Conversation], bars: Progress, began: float
) -> tuple[Document, list[Result]]:
    named = options.config_named or options.config.exists()
    settings = read_settings(options.config) if named else None
    policy = shipped_policy(DEFAULT) if settings is None else policy_of(settings)
    shipped: Classifier = classifier_of(settings)
    chosen = _choice(options, corpus, policy, shipped, bars)
    report = _reporting(bars)
    results = judge_all(
        chosen,
        corpus,
        processes=min(_PROCESSES, os.cpu_count() or 1),
        progress=lambda done, of: report("messages", done, of),
    )
    protocol = Protocol(results, draws=options.draws)
    cost = _cost(policy, corpus)
    by_file = rates(results)
    return Document(
        metrics=protocol.metrics(),
        shipped=by_file,
        macro=macro(by_file),
        further=protocol.recalls(),
        conformal=[conformal(results, promised) for promised in _PROMISES],
        explanation=explained(shipped, corpus),
        latency_ms=None if cost is None else Latency(cost.p50, cost.p99),
        rss_mb=None if cost is None else cost.rss_mb,
        policy=shipped.policy,
        model=shipped.model,
        cross_validated=options.cross_validate,
        messages=len(results),
        seconds=round(time.monotonic() - began, 1),
    ), results


def _choice(
    options: argparse.Namespace,
    corpus: Sequence[Conversation],
    policy: Policy,
    shipped: Classifier,
    bars: Progress,
) -> Callable[[Conversation], Classifier]:
    """Which classifier judges a conversation."""
    if not options.cross_validate:
        return lambda _: shipped
    trained = train(
        corpus,
        word_classes(),
        processes=min(_PROCESSES, os.cpu_count() or 1),
        progress=_reporting(bars),
        whole=False,
    )
    by_fold = [RuleClassifier(policy, model) for model in trained.by_fold]
    return lambda conversation: by_fold[fold_of(conversation[0], FOLDS)]


def _train(
    corpus: Sequence[Conversation], path: Path, report: Callable[[str, int, int], None]
) -> int:
    trained = train(
        corpus,
        word_classes(),
        processes=min(_PROCESSES, os.cpu_count() or 1),
        progress=report,
        whole=True,
    )
    if trained.whole is None:
        raise RuntimeError("a whole model was asked for")
    data = write_model(trained.whole)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}).", hint="Name a file in a folder you own."
        ) from None
    print(f"{path}: {len(data)} bytes, sha256 {digest(data)}", file=sys.stderr)
    return 0


def _cost(policy: Policy, corpus: Sequence[Conversation]) -> Cost | None:
    """What the shipped model costs, with a policy of the distribution."""
    texts = shipped_policies()
    wanted = f"{policy.name}-{policy.version}"
    try:
        file = model_file(SHIPPED)
    except ConfigError:
        return None
    return cost_of(texts.get(wanted, texts[DEFAULT]), texts, file, corpus)


def _reporting(bars: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def report(name: str, done: int, of: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name)
        bars.update(tasks[name], completed=done, total=of)

    return report


def _write(folder: Path, document: Document, results: Sequence[Result]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evaluation.json").write_bytes(as_json(document))
        (folder / "evaluation.html").write_text(as_page(document, results), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}).", hint="Name a folder you own."
        ) from None


def _print(document: Document, console: Console) -> None:
    table = Table("measure", "value", "95 % interval", "messages", "target")
    for name, figure in document.metrics.items():
        sign, value = TARGETS.get(name, ("", None))
        table.add_row(
            name,
            _number(figure.value),
            f"{_number(figure.low)} to {_number(figure.high)}",
            str(figure.n),
            "" if value is None else f"{sign} {value:.2f}",
        )
    console.print(table)
    kept = Table("file", "messages", "recall", "false keeps", "kept in all")
    for name, rate in document.shipped.items():
        kept.add_row(
            name,
            str(rate.messages),
            _number(rate.recall),
            _number(rate.false_keep),
            _number(rate.keep_rate),
        )
    console.print(kept)
    if document.latency_ms is not None:
        console.print(
            f"p50 {document.latency_ms.p50} ms, p99 {document.latency_ms.p99} ms,"
            f" {document.rss_mb} MB; {document.policy}, {document.model}"
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
