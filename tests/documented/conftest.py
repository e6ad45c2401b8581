"""The walk of a test that is marked as :func:`tests.documented.walk.documented`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented.walk import Walk, wanted
from tests.servers.synapse import homeserver

__all__ = ["homeserver", "walk"]


@pytest.fixture
def walk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Walk]:
    """Its commands; those that it leaves out fail it."""
    marker = request.node.get_closest_marker("documented")
    assert marker is not None, "what does it walk through?"
    folder = tmp_path / "walk"
    folder.mkdir()
    made = Walk(waiting=wanted(marker), folder=folder)
    made.begin()
    failed = request.session.testsfailed
    yield made
    if request.session.testsfailed == failed:
        made.finish()
