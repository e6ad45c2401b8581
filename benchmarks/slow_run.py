"""`muniment run` under observation: a slower classifier, and a probe behind the journal.

``--slow-classifier SECONDS`` makes each classification take that much longer; ``--probe FILE``
writes, for each batch and once it is durable, the time and the ids of its events. Everything else
is the program as it is. Used by :mod:`benchmarks.loss`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.app import classifier_of, read_settings, running
from bridge.cli.run import configure_logging
from bridge.model import Batch, Context, Utterance, Verdict
from bridge.protocols import Appended, Classifier
from storage.journal import SqliteJournal

Append = Callable[[SqliteJournal, Batch], Awaitable[Appended]]


class SlowClassifier:
    """A classifier, and a pause before each of its verdicts. It blocks only its own thread."""

    def __init__(self, inner: Classifier, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    @property
    def policy(self) -> str:
        """That of the classifier it slows."""
        return self._inner.policy

    @property
    def model(self) -> str:
        """That of the classifier it slows."""
        return self._inner.model

    @property
    def alarm(self) -> str:
        """Nothing."""
        return ""

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """The same verdict, later."""
        time.sleep(self._seconds)
        return self._inner.classify(utterance, context)


async def start_bridge(config: Path, slow_classifier: float) -> int:
    """Run the bridge of ``config`` until SIGTERM; each classification takes that much longer.

    MUST behave as `muniment run --config` does otherwise. Returns the exit code.
    """
    settings = await asyncio.to_thread(read_settings, config)
    asked_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_stop.set)
    classifier = SlowClassifier(classifier_of(settings), slow_classifier)
    async with running(settings, classifier=classifier):
        await asked_to_stop.wait()
    return 0


def probed(append: Append, file: Path) -> Append:
    """``append``, noting when each batch was durable."""

    async def timed(journal: SqliteJournal, batch: Batch) -> Appended:
        appended = await append(journal, batch)
        line = {"at": time.time(), "ids": [event.upstream_id for event in batch.events]}
        with file.open("a", encoding="utf-8") as notes:
            notes.write(json.dumps(line) + "\n")
        return appended

    return timed


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--slow-classifier", type=float, default=0.0)
    parser.add_argument("--probe", type=Path)
    settings = parser.parse_args()
    configure_logging()
    if settings.probe is not None:
        # From outside: the journal itself needs no clock for this, and gets none.
        setattr(SqliteJournal, "append", probed(SqliteJournal.append, settings.probe))  # noqa: B010
    raise SystemExit(asyncio.run(start_bridge(settings.config, settings.slow_classifier)))


if __name__ == "__main__":
    main()
