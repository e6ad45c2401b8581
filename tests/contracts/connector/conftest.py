"""The suite runs on a fake homeserver, on Synapse, on a Bot API server, and on a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from bridge.demo.homeserver import Homeserver
from tests.contracts.connector.sides import Side, fake_side, synapse_side
from tests.contracts.connector.tail_side import tail_side
from tests.contracts.connector.telegram_side import telegram_side
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake
from tests.servers import synapse

homeserver = synapse.homeserver


_numbers = count()


@pytest.fixture(params=["fake", pytest.param("synapse", marks=synapse.MARKS), "telegram", "tail"])
def server(request: pytest.FixtureRequest) -> Homeserver | str:
    """The real homeserver, or the name of another server."""
    if request.param != "synapse":
        return str(request.param)
    running: Homeserver = request.getfixturevalue("homeserver")
    return running


@pytest.fixture
async def side(server: Homeserver | str, tmp_path: Path) -> AsyncIterator[Side]:
    """An official on one of the servers."""
    if server == "fake":
        async with fake_side(tmp_path) as fake:
            yield fake
    elif server == "tail":
        yield await tail_side(tmp_path)
    elif isinstance(server, str):
        async with telegram_side(tmp_path) as telegram:
            yield telegram
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
    intake = Intake(lambda: side.connector(clock))
    yield intake
    await intake.connector.aclose()
