"""The tree of errors is the one that its module draws."""

from __future__ import annotations

import inspect
import re

import pytest

from bridge import errors
from bridge.errors import MunimentError

CLASSES = [
    each
    for each in vars(errors).values()
    if inspect.isclass(each) and issubclass(each, MunimentError)
]
_LINE = re.compile(r"^ {4}((?:[│ ] {3})*)([├└]── )?(\w+Error)", re.MULTILINE)


def _drawn() -> dict[str, str | None]:
    """The parent of each class in the drawing."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for indent, branch, name in _LINE.findall(errors.__doc__ or ""):
        depth = len(indent) // 4 + bool(branch)
        del above[depth:]
        parents[name] = above[-1] if above else None
        above.append(name)
    return parents


def test_the_drawing_is_the_tree() -> None:
    """Every class stands in the docstring under its parent, and nothing else does."""
    classes = {each.__name__: each.__bases__[0].__name__ for each in CLASSES}
    classes["MunimentError"] = "Exception"
    assert {name: parent or "Exception" for name, parent in _drawn().items()} == classes


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_says_whether_to_retry_and_what_to_do(error: type[MunimentError]) -> None:
    """Each class has a hint in a sentence, a retryable flag, and a docstring."""
    assert isinstance(error.retryable, bool)
    assert error.hint.endswith(".")
    assert error.__doc__
    assert not issubclass(error, RuntimeError)


@pytest.mark.parametrize(
    "error", [errors.ConfigError, errors.ConnectorUnavailableError, errors.ConnectorRejectedError]
)
def test_a_hint_can_be_given(error: type[MunimentError]) -> None:
    """A hint given replaces that of the class, for this error alone."""
    usual = error.hint
    assert error("fact", hint="Do this.").hint == "Do this."
    assert error("fact").hint == usual
    assert str(error("fact")) == "fact"


def test_what_errors_carry() -> None:
    """Some errors bring what is needed to go on."""
    assert errors.ConnectorUnavailableError("x", retry_after=2.5).retry_after == 2.5
    assert errors.ConnectorRejectedError("x", code="M_FORBIDDEN").code == "M_FORBIDDEN"
    assert errors.EnvelopeError("x", body=b"{").body == b"{"
    assert errors.ObjectConflictError("x", found="00").found == "00"
