"""Training a model, whole or once per fold; the parts run in two processes, in a fixed order.

For every two folds the heads are fitted without both: one fold's messages then teach the trees
that are tried on the other fold, and nothing of a fold is seen by what is tried on it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from multiprocessing import get_context
from types import MappingProxyType
from typing import TypeVar

from bridge.classify.hearing import Hearing
from bridge.classify.lines import Lines
from bridge.classify.model import Model
from bridge.classify.scene import ASSIGNS
from bridge.classify.trees import Forest
from bridge.errors import ConfigError
from bridge.evaluate.boosting import Growth, grow
from bridge.evaluate.corpus import Conversation, fold_of
from bridge.evaluate.finishing import Tried, finished
from bridge.evaluate.heads import GOV, INQUIRY, is_lesson, weight_as_meeting, weight_as_official
from bridge.evaluate.learning import FOLDS, Classes, Pupil, fit_lines, pupils
from bridge.evaluate.results import WINDOW, utterances
from bridge.model import Context

NAME = "heads-and-trees"
VERSION = "1"

Forests = tuple[Forest, Forest]
"""Trees of mail, and trees of meetings."""

Without = frozenset[int]
T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[str, int, int], None]
_HOUR = timedelta(hours=1)
NO_FOLD = -1
LEAST_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A row for the trees, with what is to be learnt of it."""

    numbers: tuple[float, ...]
    significant: bool
    weights: tuple[float, float]
    file: str
    in_place: bool


class _Share:
    """What a worker process needs; set before it is forked, so that nothing is copied."""

    pupils: Sequence[Pupil] = ()
    corpus: Sequence[Conversation] = ()
    classes: Classes = MappingProxyType({})
    growth: Growth = Growth()
    lines: Mapping[Without, Lines] = MappingProxyType({})
    forests: Mapping[int, Forests] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """``by_fold``: models that have not seen a fold. ``whole``: the one to ship, where asked."""

    by_fold: tuple[Model, ...]
    whole: Model | None


def train(
    corpus: Sequence[Conversation],
    classes: Classes,
    *,
    processes: int,
    progress: Progress,
    whole: bool,
    growth: Growth = Growth(),  # noqa: B008 - frozen
) -> Trained:
    """One model per fold, trained on the other folds, and perhaps one on all of ``corpus``.

    The curve and the thresholds of each come from scores of messages it was not trained on.

    Raises:
        ConfigError: ``corpus`` is too small for it.
    """
    _check_enough(corpus)
    _learn_from(corpus, classes)
    _Share.growth = growth
    wanted = [frozenset(pair) for pair in combinations(range(FOLDS), 2)]
    wanted += [frozenset({fold}) for fold in range(FOLDS)]
    if whole:
        wanted.append(frozenset())
    fitted = _each(_fit_without, wanted, processes, "heads", progress)
    _Share.lines = dict(zip(wanted, fitted, strict=True))
    folds = [*range(FOLDS), *([NO_FOLD] if whole else [])]
    _Share.forests = dict(
        zip(folds, _each(_forest_for, folds, processes, "trees", progress), strict=True)
    )
    tried = _each(_tried, list(range(FOLDS)), processes, "curve", progress)
    made = [_model(fold, [t for other, t in enumerate(tried) if other != fold]) for fold in folds]
    return Trained(by_fold=tuple(made[:FOLDS]), whole=made[FOLDS] if whole else None)


def _check_enough(corpus: Sequence[Conversation]) -> None:
    """Both kinds of trees MUST have something to learn from, whichever two folds are left out."""
    for kind, weight in (("mail", weight_as_official), ("meetings", weight_as_meeting)):
        taught = {
            fold_of(message, FOLDS)
            for conversation in corpus
            for message in conversation
            if is_lesson(message) and (weight(message, alone=False) or weight(message, alone=True))
        }
        if len(taught) < LEAST_FOLDS:
            raise ConfigError(
                f"The data have too few labelled conversations of {kind} to train a model.",
                hint="docs/model-card.md names the files; to score the shipped model give neither"
                " --cross-validate nor --train.",
            )


def _model(fold: int, tried: Sequence[Sequence[Tried]]) -> Model:
    without: Without = frozenset() if fold == NO_FOLD else frozenset({fold})
    return finished(
        NAME, VERSION, _Share.lines[without], _Share.forests[fold], [t for ts in tried for t in ts]
    )


def _learn_from(corpus: Sequence[Conversation], classes: Classes) -> None:
    _Share.corpus, _Share.classes = corpus, classes
    _Share.pupils = pupils(corpus, classes)
    gc.freeze()  # millions of small objects that live to the end: looked through only once


def _each(
    work: Callable[[T], R], things: list[T], processes: int, name: str, progress: Progress
) -> list[R]:
    done: list[R] = []
    if processes == 1 or len(things) == 1:
        for thing in things:
            done.append(work(thing))
            progress(name, len(done), len(things))
        return done
    with get_context("fork").Pool(processes) as pool:
        for result in pool.imap(work, things):
            done.append(result)
            progress(name, len(done), len(things))
    return done


def _fit_without(folds: Without) -> Lines:
    taught = [pupil for pupil in _Share.pupils if pupil.fold not in folds]
    return fit_lines(taught, _Share.classes)


def _forest_for(fold: int) -> Forests:
    """The trees for a model that is tried on ``fold``; NO_FOLD: for one that is tried on none."""
    rows: list[Row] = []
    hearings: dict[int, Hearing] = {}
    for conversation in _Share.corpus:
        own = fold_of(conversation[0], FOLDS)
        if own == fold:
            continue
        if own not in hearings:
            without = frozenset({own}) if fold == NO_FOLD else frozenset({own, fold})
            hearings[own] = Hearing(_Share.lines[without])
        rows += _rows(hearings[own], conversation)
    return (_grown(rows, 0), _grown(rows, 1))


def _grown(rows: Sequence[Row], which: int) -> Forest:
    own = [row for row in rows if row.weights[which]]
    return grow(
        [row.numbers[:ASSIGNS] for row in own],
        [row.significant for row in own],
        [row.weights[which] for row in own],
        _Share.growth,
    )


def _tried(fold: int) -> list[Tried]:
    """What the model without ``fold`` gives official messages of that fold."""
    hearing = Hearing(_Share.lines[frozenset({fold})])
    model = finished(NAME, VERSION, hearing.lines, _Share.forests[fold], [])
    return [
        Tried(odds=model.odds(row.numbers), significant=row.significant, file=row.file)
        for conversation in _Share.corpus
        if conversation[0].file in {GOV, INQUIRY} and fold_of(conversation[0], FOLDS) == fold
        for row in _rows(hearing, conversation)
        if row.in_place
    ]


def _rows(hearing: Hearing, conversation: Conversation) -> list[Row]:
    said = utterances(conversation)
    rows: list[Row] = []
    for number, message in enumerate(conversation):
        if not is_lesson(message):
            continue
        context = Context(
            before=tuple(said[max(0, number - WINDOW) : number]),
            after=tuple(said[number + 1 : number + 1 + WINDOW]),
        )
        for alone in (False, True):
            weights = (
                weight_as_official(message, alone=alone),
                weight_as_meeting(message, alone=alone),
            )
            if any(weights):
                around = Context() if alone else context
                numbers = hearing.row(said[number], around, _HOUR)
                rows.append(
                    Row(numbers, message.label == 1, weights, message.file, in_place=not alone)
                )
    return rows
