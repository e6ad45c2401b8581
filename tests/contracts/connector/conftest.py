"""The suite runs on a fake homeserver and on Synapse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from bridge.demo.homeserver import Homeserver
from tests.contracts.connector.sides import Side, fake_side, synapse_side
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake, matrix_connector
from tests.servers import synapse

homeserver = synapse.homeserver


_numbers = count()


@pytest.fixture(params=["fake", pytest.param("synapse", marks=synapse.MARKS)])
def server(request: pytest.FixtureRequest) -> Homeserver | None:
    """The real homeserver, or None for the fake one."""
    if request.param == "fake":
        return None
    running: Homeserver = request.getfixturevalue("homeserver")
    return running


@pytest.fixture
async def side(server: Homeserver | None, tmp_path: Path) -> AsyncIterator[Side]:
    """An official on either server."""
    if server is None:
        async with fake_side(tmp_path) as fake:
            yield fake
    else:
        async with synapse_side(server, tmp_path, f"contract-{next(_numbers)}") as real:
            yield real


@pytest.fixture
def clock() -> FakeClock:
    """The recorder's clock."""
    return FakeClock()


@pytest.fixture
async def intake(side: Side, clock: FakeClock) -> AsyncIterator[Intake]:
    """The recorder, not signed in yet."""
    intake = Intake(lambda: matrix_connector(side.sign, clock))
    yield intake
    await intake.connector.aclose()
