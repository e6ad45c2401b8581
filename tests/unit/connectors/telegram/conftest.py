"""The scenes that several modules play in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.connectors.telegram.scene import Office, office


@pytest.fixture(name="at")
async def _at() -> AsyncIterator[Office]:
    """A bot that gets all that is said."""
    async with office() as found:
        yield found
