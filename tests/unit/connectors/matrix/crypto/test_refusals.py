"""Every refusal of an identity, of keys and of a backup is named, drawn and has a remedy."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from bridge.errors import ConnectorRejectedError, MunimentError
from connectors.matrix.crypto import key_refusals, refusals

MODULES = (refusals, key_refusals)


def _own(module: ModuleType) -> list[type[MunimentError]]:
    return [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, MunimentError)
        and each.__module__ == module.__name__
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_drawing_is_the_tree(module: ModuleType) -> None:
    """Every class stands in its module's docstring, and nothing else of its own does."""
    drawn = set(re.findall(r"(?:└──|├──) (\w+Error)", module.__doc__ or ""))
    assert drawn == {each.__name__ for each in _own(module)}


@pytest.mark.parametrize(
    "error", [each for module in MODULES for each in _own(module)], ids=lambda each: each.__name__
)
def test_each_says_what_to_do(error: type[MunimentError]) -> None:
    """Each has a remedy of its own, and waiting does not mend it."""
    assert error.hint.endswith(".")
    assert error.hint != ConnectorRejectedError.hint
    assert not error.retryable
    assert error.__doc__
