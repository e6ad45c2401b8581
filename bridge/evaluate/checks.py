"""What else a classifier must keep to: conformal recall, reasons that matter, the thresholds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from bridge.evaluate.corpus import Conversation
from bridge.evaluate.heads import GOV, INQUIRY, SMS
from bridge.evaluate.protocol import shares
from bridge.evaluate.results import Result, placed, utterances
from bridge.model import Context, Outcome, Utterance, Verdict
from bridge.protocols import Classifier

SPLITS = 200
_SEED = 20_231
_EXPLAINED = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRates:
    """What the thresholds that ship do to one file. ``outcomes``: the part of each outcome."""

    messages: int
    recall: float | None
    recall_needs_context: float | None
    false_keep: float | None
    keep_rate: float | None
    outcomes: Mapping[str, float]
    marked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Of decisions that cite words: how many, and how often the score moves without them."""

    decisions: int
    with_reason: float | None
    citing: int
    moved: float | None
    moved_more_than_chance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Recall over splits with a threshold promised for ``promised``, and what it keeps."""

    promised: float
    recall: float | None
    false_keep_gov: float | None
    splits: int


def rates(results: Sequence[Result]) -> dict[str, FileRates]:
    """The rates of each file."""
    found: dict[str, FileRates] = {}
    for file in dict.fromkeys(r.message.file for r in results):
        own = [r for r in results if r.message.file == file]
        found[file] = FileRates(
            messages=len(own),
            recall=shares(r.kept for r in own if r.message.label == 1),
            recall_needs_context=shares(
                r.kept for r in own if r.message.label == 1 and r.message.needs_context
            ),
            false_keep=shares(r.kept for r in own if r.message.label == 0),
            keep_rate=shares(r.kept for r in own),
            outcomes={
                outcome.value: shares(r.outcome is outcome for r in own) or 0.0
                for outcome in Outcome
            },
            marked=sum(r.marked for r in own),
        )
    return found


def conformal(results: Sequence[Result], promised: float) -> Conformal:
    """Half of the conversations set the threshold, the other half try it; many times."""
    positive = [r for r in results if r.message.label == 1 and r.message.file in {GOV, INQUIRY}]
    trivial = [r.score for r in results if r.message.label == 0 and r.message.file == GOV]
    names = sorted({r.message.conversation for r in positive})
    chance = random.Random(_SEED)  # noqa: S311 - a fixed draw, so that a figure can be repeated
    recalls: list[float] = []
    keeps: list[float] = []
    for _ in range(SPLITS if names else 0):
        half = set(chance.sample(names, len(names) // 2))
        setting = sorted(r.score for r in positive if r.message.conversation in half)
        trying = [r.score for r in positive if r.message.conversation not in half]
        k = int((1 - promised) * (len(setting) + 1))
        threshold = setting[k - 1] if k else -1.0
        recalls.append(sum(score >= threshold for score in trying) / max(len(trying), 1))
        keeps.append(sum(score >= threshold for score in trivial) / max(len(trivial), 1))
    return Conformal(
        promised=promised,
        recall=round(sum(recalls) / len(recalls), 4) if recalls else None,
        false_keep_gov=round(sum(keeps) / len(keeps), 4) if keeps else None,
        splits=len(recalls),
    )


def explained(classifier: Classifier, corpus: Sequence[Conversation]) -> Explained:
    """Take the cited words out of some messages, and as many others, and judge again."""
    decisions = reasoned = citing = moved = more = 0
    chance = random.Random(_SEED)  # noqa: S311 - a fixed draw, so that a figure can be repeated
    for conversation in _some(corpus):
        said = utterances(conversation)
        for utterance, (around, verdict) in zip(said, placed(classifier, said), strict=True):
            decisions += 1
            reasoned += bool(verdict.reasons)
            spans = [(r.start, r.end) for r in verdict.reasons if r.end > r.start]
            if not spans or verdict.restricted:
                continue
            cited = _shift(classifier, utterance, around, verdict, spans)
            others = [_elsewhere(chance, utterance.body, span) for span in spans]
            citing += 1
            moved += cited > 0
            more += cited > _shift(classifier, utterance, around, verdict, others)
    return Explained(
        decisions=decisions,
        with_reason=round(reasoned / decisions, 4) if decisions else None,
        citing=citing,
        moved=round(moved / citing, 4) if citing else None,
        moved_more_than_chance=round(more / citing, 4) if citing else None,
    )


def _some(corpus: Sequence[Conversation]) -> list[Conversation]:
    wanted = {GOV, INQUIRY, SMS}
    chosen = [c for c in corpus if c[0].file in wanted]
    chosen.sort(key=lambda c: crc32(c[0].conversation.encode()))
    taken: list[Conversation] = []
    count = 0
    for conversation in chosen:
        if count < _EXPLAINED:
            taken.append(conversation)
            count += len(conversation)
    return taken


def _shift(
    classifier: Classifier,
    utterance: Utterance,
    around: Context,
    full: Verdict,
    spans: Sequence[tuple[int, int]],
) -> float:
    """How far the score falls (of a discard: rises) when the spans are taken out."""
    body = utterance.body
    for start, end in sorted(spans, reverse=True):
        body = f"{body[:start]} {body[end:]}"
    without = classifier.classify(replace(utterance, body=body), around).score
    shift = full.score - without
    return -shift if full.outcome is Outcome.DISCARD else shift


def _elsewhere(chance: random.Random, body: str, span: tuple[int, int]) -> tuple[int, int]:
    size = span[1] - span[0]
    start = chance.randrange(max(len(body) - size, 0) + 1)
    return (start, start + size)
