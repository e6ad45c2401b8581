"""A homeserver that can misbehave, and a recorder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.protocols import Journal
from storage.journal import SqliteJournal
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import (
    PASSWORD,
    RECORDER,
    FakeHomeserver,
)
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.fakes.journal import MemoryJournal
from tests.fakes.samples import BLIND_KEY, JOURNAL_KEY, seeded


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


@pytest.fixture(params=["memory", "sqlite"])
async def journal(
    request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Journal]:
    """A journal, in memory or on disk."""
    made: Journal
    if request.param == "memory":
        made = MemoryJournal(clock=clock, random_bytes=seeded(), blind_key=BLIND_KEY)
    else:
        made = await SqliteJournal.open(
            tmp_path / "journal.db",
            key=JOURNAL_KEY,
            blind_key=BLIND_KEY,
            random_bytes=seeded(),
            clock=clock,
        )
    yield made
    await made.aclose()
