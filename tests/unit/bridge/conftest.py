"""One recorder per test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.bridge.house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A recorder that was just started; no group is in its register."""
    made = House(tmp_path)
    await made.open()
    yield made
    await made.close()
