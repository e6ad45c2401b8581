"""What decides."""

from __future__ import annotations

from typing import Protocol

from bridge.model import Context, Utterance, Verdict


class Classifier(Protocol):
    """Says what is to become of a message, and why."""

    @property
    def policy(self) -> str:
        """``name@version`` of the policy in force."""

    @property
    def model(self) -> str:
        """Name of the model in force."""

    @property
    def alarm(self) -> str:
        """What an operator must mend, in words; empty where all of it is in force."""

    def classify(self, utterance: Utterance, context: Context) -> Verdict:
        """The verdict on ``utterance``.

        MUST be pure, synchronous and deterministic; MUST NOT raise for any text; MUST give at
        least one reason; in doubt MUST answer ``review``, never ``discard``.
        """
