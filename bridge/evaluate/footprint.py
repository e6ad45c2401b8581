"""What a classifier costs, measured in a process of its own: ``python -m``, a job on stdin.

The process holds the classifier and nothing of the program around it.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bridge.classify import RuleClassifier, parse_policy
from bridge.classify.model import read_model
from bridge.evaluate.corpus import Conversation, Message
from bridge.evaluate.results import utterances, verdicts
from bridge.secrecy import handed_on

MESSAGES = 10_000
_SECONDS = 300


class Job(msgspec.Struct, frozen=True):
    """A policy's text with what it extends, a model's file, and conversations as texts."""

    policy: str
    bases: dict[str, str]
    model: str
    sha256: str
    conversations: list[list[tuple[str, str]]]


class Cost(msgspec.Struct, frozen=True):
    """Milliseconds per message, and the resident memory of the process in MB."""

    p50: float
    p99: float
    rss_mb: float
    messages: int


def cost_of(
    policy: str,
    bases: Mapping[str, str],
    model: tuple[bytes, str],
    corpus: Sequence[Conversation],
) -> Cost | None:
    """The cost over a part of every file; None: it could not be measured."""
    total = sum(map(len, corpus))
    step = max(total // MESSAGES, 1)
    taken = _some(corpus, step)
    job = Job(
        policy=policy,
        bases=dict(bases),
        model=base64.b64encode(model[0]).decode(),
        sha256=model[1],
        conversations=[[(m.speaker, m.text) for m in conversation] for conversation in taken],
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bridge.evaluate.footprint"],
            input=msgspec.json.encode(job),
            stdout=subprocess.PIPE,
            env=handed_on(os.environ) | {"PYTHONPATH": paths},
            check=True,
            timeout=_SECONDS,
        )
        return msgspec.json.decode(done.stdout, type=Cost)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        return None


def _some(corpus: Sequence[Conversation], step: int) -> list[Conversation]:
    """Conversations from all through the corpus, one of every ``step`` messages."""
    taken: list[Conversation] = []
    seen = due = 0
    for conversation in corpus:
        seen += len(conversation)
        if due <= seen // step:
            taken.append(conversation)
            due += len(conversation)
    return taken


def measure(job: Job) -> Cost:
    """Classify the job's messages one at a time."""
    model = read_model(base64.b64decode(job.model), sha256=job.sha256)
    classifier = RuleClassifier(parse_policy(job.policy, job.bases), model)
    taken: list[float] = []
    for conversation in job.conversations:
        said = utterances(tuple(_message(speaker, text) for speaker, text in conversation))
        asked = verdicts(classifier, said)
        while True:
            start = time.perf_counter()
            if next(asked, None) is None:
                break
            taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    count = len(taken)
    return Cost(
        p50=round(taken[count // 2], 3) if taken else 0.0,
        p99=round(taken[count * 99 // 100], 3) if taken else 0.0,
        rss_mb=_resident(),
        messages=count,
    )


def _message(speaker: str, text: str) -> Message:
    return Message(
        file="",
        conversation="",
        turn=0,
        speaker=speaker,
        text=text,
        label=None,
        kind="",
        needs_context=False,
    )


def _resident() -> float:
    """The most memory that was resident since the job was read, in MB."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


if __name__ == "__main__":
    found = measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Job))
    sys.stdout.buffer.write(msgspec.json.encode(found))
