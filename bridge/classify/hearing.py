"""A message heard among its neighbours: which of them count, and what each scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from bridge.classify.assignments import assigns
from bridge.classify.lexis import tokens
from bridge.classify.lines import Lines
from bridge.classify.memory import Memory
from bridge.classify.normalise import read
from bridge.classify.scene import Heard, scene
from bridge.model import Context, EventKind, RelationType, Utterance

NEIGHBOURS = 12
"""How many messages before and after are heard, at most."""

LONGEST = 20_000
_SPOKEN = frozenset(
    {EventKind.MESSAGE, EventKind.EDIT, EventKind.POLL, EventKind.MEDIA, EventKind.UNKNOWN}
)


class Hearing:
    """What texts score, by the linear part of a model."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self._heard = Memory[tuple[Heard, Heard]]()

    def row(self, utterance: Utterance, context: Context, window: timedelta) -> tuple[float, ...]:
        """The row of ``utterance`` with its neighbours of at most ``window`` before and after.

        What is edited is no neighbour of its edit.
        """
        earlier = _near(utterance, reversed(context.before), window)
        later = _near(utterance, context.after, window)
        target = _target(utterance, context)
        return scene(
            self.heard(utterance.body),
            [self._of(one, utterance) for one in earlier],
            [self._of(one, utterance) for one in later],
            None if target is None else self._of(target, utterance),
        )

    def heard(self, body: str) -> Heard:
        """What ``body`` scores by itself."""
        return self._both(body)[0]

    def _both(self, body: str) -> tuple[Heard, Heard]:
        """The same as what another person says and as what the person who is judged says."""
        return self._heard.of(body, self._hear)

    def _hear(self, body: str) -> tuple[Heard, Heard]:
        found = tokens(read(body, longest=LONGEST).text)
        words = [token.word for token in found]
        heard = Heard(
            heads=self.lines.scores(self.lines.rows(found)),
            asks="?" in words,
            votes="<vote>" in words[:2],
            assigns=assigns(words),
        )
        return heard, replace(heard, own=True)

    def _of(self, one: Utterance, utterance: Utterance) -> Heard:
        others, own = self._both(one.body)
        return own if one.sender_id == utterance.sender_id else others


def _near(
    utterance: Utterance, others: Iterable[Utterance], window: timedelta
) -> Sequence[Utterance]:
    """The neighbours that count, nearest first."""
    near: list[Utterance] = []
    for other in others:
        if other.kind not in _SPOKEN or other.upstream_id == utterance.upstream_id:
            continue
        if abs(utterance.sent_at - other.sent_at) <= window:
            near.append(other)
        if len(near) == NEIGHBOURS:
            break
    return near


def _target(utterance: Utterance, context: Context) -> Utterance | None:
    """The message that is explicitly answered, if it is at hand."""
    relation = utterance.relates_to
    if relation is None or relation.type is RelationType.EDIT:
        return None
    if context.target is not None:
        return context.target
    for earlier in reversed(context.before):
        if earlier.upstream_id == relation.upstream_id:
            return earlier
    return None
