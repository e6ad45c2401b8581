"""What a classifier says of a corpus: each message in its conversation, and alone where asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

from bridge.evaluate.corpus import Conversation, Message
from bridge.evaluate.heads import INQUIRY, SMS
from bridge.model import CONTEXT_MESSAGES, Context, EventKind, Outcome, Utterance, Verdict
from bridge.protocols import Classifier

WINDOW = CONTEXT_MESSAGES
START = datetime(2000, 1, 1, tzinfo=UTC)
"""The format has no times; messages are read as a minute apart from here on."""

_NOBODY = frozenset({"", "unknown"})
_AT_ONCE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A message and its verdict. ``alone``: its score without any context, where it was asked.

    ``kept``: captured or reviewed, by itself or as the context of a captured message.
    """

    message: Message
    score: float
    outcome: Outcome
    kept: bool
    marked: bool
    alone: float | None = None


def utterances(conversation: Conversation) -> list[Utterance]:
    """The messages of a conversation as a classifier reads them."""
    return [
        Utterance(
            upstream_id=f"line-{number}",
            kind=EventKind.MESSAGE,
            # Whoever is unknown may be anybody, and is not the same person twice.
            sender_id=f"line-{number}" if message.speaker in _NOBODY else message.speaker,
            sent_at=START + timedelta(minutes=number),
            body=message.text,
        )
        for number, message in enumerate(conversation)
    ]


def decided(utterance: Utterance, verdict: Verdict) -> Utterance:
    """``utterance`` as later messages see it."""
    codes = tuple(reason.code for reason in verdict.reasons)
    return replace(utterance, outcome=verdict.outcome, score=verdict.score, codes=codes)


def verdicts(classifier: Classifier, said: Sequence[Utterance]) -> Iterator[Verdict]:
    """The last verdict on each message: with what came before, and what has been said since."""
    return (verdict for _, verdict in placed(classifier, said))


def placed(classifier: Classifier, said: Sequence[Utterance]) -> Iterator[tuple[Context, Verdict]]:
    """The last verdict on each message, behind the context that it was judged in."""
    before: list[Utterance] = []
    for number, utterance in enumerate(said):
        context = Context(
            before=tuple(before[-WINDOW:]), after=tuple(said[number + 1 : number + 1 + WINDOW])
        )
        verdict = classifier.classify(utterance, context)
        before.append(decided(utterance, verdict))
        yield context, verdict


def judge(classifier: Classifier, conversation: Conversation) -> list[Result]:
    """The results of one conversation."""
    said = utterances(conversation)
    found = list(verdicts(classifier, said))
    promoted = {
        id_ for verdict in found if verdict.outcome is Outcome.CAPTURE for id_ in verdict.context
    }
    return [
        Result(
            message=message,
            score=verdict.score,
            outcome=verdict.outcome,
            kept=verdict.outcome is not Outcome.DISCARD or utterance.upstream_id in promoted,
            marked=bool(verdict.markings),
            alone=_alone(classifier, message, utterance),
        )
        for message, utterance, verdict in zip(conversation, said, found, strict=True)
    ]


def _alone(classifier: Classifier, message: Message, utterance: Utterance) -> float | None:
    if message.file not in {SMS, INQUIRY}:
        return None
    return classifier.classify(utterance, Context()).score


class _Share:
    """What a worker process needs; set before it is forked, so that nothing is copied."""

    classifier: Callable[[Conversation], Classifier]
    parts: Sequence[Sequence[Conversation]] = ()


def judge_all(
    chosen: Callable[[Conversation], Classifier],
    corpus: Sequence[Conversation],
    *,
    processes: int,
    progress: Callable[[int, int], None],
) -> list[Result]:
    """The results of ``corpus``, whose classifier may differ by conversation (cross-validation)."""
    parts = [corpus[at : at + _AT_ONCE] for at in range(0, len(corpus), _AT_ONCE)]
    _Share.classifier = staticmethod(chosen)
    _Share.parts = parts
    results: list[Result] = []
    if processes == 1:
        for number in range(len(parts)):
            results += _judge_part(number)
            progress(number + 1, len(parts))
        return results
    with get_context("fork").Pool(processes) as pool:
        for number, part in enumerate(pool.imap(_judge_part, range(len(parts))), 1):
            results += part
            progress(number, len(parts))
    return results


def _judge_part(number: int) -> list[Result]:
    return [
        result
        for conversation in _Share.parts[number]
        for result in judge(_Share.classifier(conversation), conversation)
    ]
