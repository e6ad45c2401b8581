"""A classifier that says what it was told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.model import Context, Outcome, Utterance, Verdict
from bridge.protocols import Classifier
from tests.fakes import samples


class ScriptedClassifier:
    """Verdicts by upstream id, else ``default``. An exception in place of a verdict is raised.

    ``in_hindsight`` has those of a message that is judged with what followed it.

    ``asked`` holds what was asked, in order. ``gate``, where set, holds the worker thread until
    the test sets it; ``begun`` is set when a classification begins, after which ``on_ask`` is
    done in the worker thread. It is pure: the same utterance in the same context is given the same
    verdict, however often it is asked.
    """

    policy = "scripted@1"
    model = "script-1"

    def __init__(self, default: Verdict | None = None) -> None:
        self.default = default or self.verdict()
        self.verdicts: dict[str, Verdict | Exception] = {}
        self.in_hindsight: dict[str, Verdict | Exception] = {}
        self.asked: list[tuple[Utterance, Context]] = []
        self.gate: threading.Event | None = None
        self.begun = threading.Event()
        self.on_ask: Callable[[], None] = lambda: None

    def verdict(
        self,
        outcome: Outcome = Outcome.CAPTURE,
        *,
        context: tuple[str, ...] = (),
        restricted: bool = False,
    ) -> Verdict:
        """A verdict under this classifier's policy and model."""
        return samples.verdict(
            outcome,
            context=context,
            restricted=restricted,
            policy=self.policy,
            model=self.model,
        )

    @property
    def alarm(self) -> str:
        """Nothing."""
        return ""

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """See the class."""
        assert threading.current_thread() is not threading.main_thread(), "not in a worker thread"
        self.asked.append((utterance, context))
        self.begun.set()
        self.on_ask()
        if self.gate is not None:
            self.gate.wait()
        verdict = self.verdicts.get(utterance.upstream_id, self.default)
        if context.after:
            verdict = self.in_hindsight.get(utterance.upstream_id, verdict)
        if isinstance(verdict, Exception):
            raise verdict
        return verdict


if TYPE_CHECKING:
    _: type[Classifier] = ScriptedClassifier
