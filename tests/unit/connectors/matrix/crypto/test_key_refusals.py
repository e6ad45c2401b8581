"""Every refusal of exported keys and of a backup is named, drawn and has a remedy."""

from __future__ import annotations

import inspect
import re

import pytest

from bridge.errors import ConnectorRejectedError, MunimentError
from connectors.matrix.crypto import key_refusals

CLASSES = [
    each
    for each in vars(key_refusals).values()
    if inspect.isclass(each) and each.__module__ == key_refusals.__name__
]


def test_the_drawing_is_the_tree() -> None:
    """Every class stands in the module's docstring, and nothing else of its own does."""
    drawn = set(re.findall(r"(?:└──|├──) (\w+Error)", key_refusals.__doc__ or ""))
    assert drawn == {each.__name__ for each in CLASSES}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_says_what_to_do(error: type[MunimentError]) -> None:
    """Each has a remedy, and waiting does not mend it."""
    assert error.hint.endswith(".")
    assert error.hint != ConnectorRejectedError.hint
    assert not error.retryable
    assert error.__doc__
