"""The suite runs on the journal in memory and on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.journal.subjects import Backing, MemoryBacking, SqliteBacking, Subject
from tests.fakes.clock import FakeClock
from tests.fakes.samples import GROUP_ID


@pytest.fixture(params=["memory", "sqlite"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """A journal with one active group; what must always hold is looked at when a test is over."""
    clock = FakeClock(waiting=True)
    backing: Backing
    if request.param == "memory":
        backing = MemoryBacking(clock)
    else:
        backing = await SqliteBacking.open(tmp_path / "journal.db", clock)
    made = Subject(backing, clock)
    await made.admit(GROUP_ID)
    yield made
    made.leaves()
    await made.journal.aclose()
