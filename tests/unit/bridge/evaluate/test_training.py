from __future__ import annotations

import pytest

from bridge.classify.model import Model, digest, read_model, write_model
from bridge.errors import ConfigError
from bridge.evaluate.boosting import Growth, grow
from bridge.evaluate.training import Trained, train
from tests.unit.bridge.evaluate.invented import corpus

SMALL = Growth(trees=8, least_weight=0.5)
CLASSES = {"minister": ("office",), "treaty": ("diplomacy",), "train": ("travel",)}


def _silent(_name: str, _done: int, _of: int) -> None:
    """Say nothing."""


def _train() -> Trained:
    return train(corpus(), CLASSES, processes=1, progress=_silent, whole=True, growth=SMALL)


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Models of the invented corpus."""
    return _train()


@pytest.fixture
def model(trained: Trained) -> Model:
    """The model of all of it."""
    assert trained.whole is not None
    return trained.whole


def test_training_again_gives_the_same_bytes(model: Model) -> None:
    """The file of a model depends on the data alone."""
    again = _train().whole
    assert again is not None
    assert write_model(model) == write_model(again)


def test_a_model_comes_back_from_its_file(model: Model) -> None:
    """What is read scores as what was written."""
    data = write_model(model)
    back = read_model(data, sha256=digest(data))
    text = "please prepare advice for the minister on the treaty"
    assert back.lines.heads(text) == model.lines.heads(text)
    assert (back.official, back.meeting) == (model.official, model.meeting)
    assert write_model(back) == data


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "other"])
def test_a_file_that_was_changed_is_refused(model: Model, harm: str) -> None:
    """Any other byte, and any other digest, is named as the fault."""
    data = write_model(model)
    harmed = {
        "flip": data[:-1] + bytes([data[-1] ^ 1]),
        "cut": data[: len(data) // 2],
        "empty": b"",
        "other": data,
    }[harm]
    with pytest.raises(ConfigError, match="model's file"):
        read_model(harmed, sha256=digest(data) if harm != "other" else "0" * 64)


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"muniment significance model, format 1\nxx"])
def test_a_file_of_another_format_is_refused(data: bytes) -> None:
    """A digest that fits does not make it a model."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_model(data, sha256=digest(data))


def test_the_curve_rises_and_stays_between_none_and_all(model: Model) -> None:
    """A message with higher odds never gets a lower score."""
    shares = [model.curve.share(odds / 10) for odds in range(-120, 121)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1


def test_a_fold_is_scored_by_a_model_that_has_not_seen_it(trained: Trained) -> None:
    """There is one model for each fold, and they differ."""
    assert len({write_model(model) for model in trained.by_fold}) == 5


def test_trees_learn_what_no_single_column_says() -> None:
    """Two columns together decide, as an assent and the question before it do."""
    rows = [(a / 10, b / 10) for a in range(10) for b in range(10)]
    labels = [(a > 0.45) == (b > 0.45) for a, b in rows]
    growth = Growth(trees=60, rate=0.3, rows=1.0, columns=1.0, least_weight=0.5, hold=0.1)
    rows = [*rows, *rows[:7]]
    labels = [*labels, *labels[:7]]
    forest = grow(rows, labels, [1.0] * len(rows), growth)
    right = sum((forest.value(row) > 0) == label for row, label in zip(rows, labels, strict=True))
    assert right > 0.9 * len(rows)
