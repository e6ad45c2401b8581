"""A homeserver that can misbehave, and a recorder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import (
    PASSWORD,
    RECORDER,
    FakeHomeserver,
)
from tests.fakes.intake import Intake, Sign, matrix_connector


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    """A homeserver that can misbehave."""
    async with FakeHomeserver() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """The recorder's clock."""
    return FakeClock()


@pytest.fixture
async def intake(server: FakeHomeserver, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Intake]:
    """A recorder."""
    sign = Sign(homeserver=server.url, user_id=RECORDER, folder=tmp_path, password=PASSWORD)
    intake = Intake(lambda: matrix_connector(sign, clock))
    yield intake
    await intake.connector.aclose()
