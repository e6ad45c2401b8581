"""A journal on SQLite with one active group."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.journal import SqliteJournal
from tests.fakes.samples import group
from tests.unit.storage.journal.files import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal stands."""
    return tmp_path / "var" / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    """The journal, open."""
    made = await opened(path)
    await made.set_group(group(), expect=None)
    yield made
    await made.aclose()
