"""A real Synapse for the tests that need one, started once per session (and xdist worker)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.demo.homeserver import Homeserver

_CHECKOUT = Path(__file__).resolve().parents[2]
# Read at import: a fixture of the root conftest hides MUNIMENT_* from the tests themselves.
_NAMED = os.environ.get("MUNIMENT_TEST_SYNAPSE", "")

MARKS = [pytest.mark.synapse, pytest.mark.xdist_group("synapse")]
"""``pytestmark = MARKS`` in every module that uses :func:`homeserver`."""


def synapse_python() -> Path:
    """The python of the environment with Synapse. Without one: skip, but on CI fail."""
    python = Path(_NAMED) if _NAMED else _CHECKOUT / ".synapse" / "bin" / "python"
    if python.is_file():
        return python
    missing = f"no Synapse at {python}: run `make test`, or set MUNIMENT_TEST_SYNAPSE"
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    """A running homeserver with no accounts. It belongs to no loop: any test may stop it."""
    python = synapse_python()
    async with Homeserver(folder=tmp_path_factory.mktemp("synapse"), python=python) as server:
        yield server
