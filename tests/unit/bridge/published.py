"""The published log of a recorder under test."""

from __future__ import annotations

from tests.fakes.published import one_history, published
from tests.unit.bridge.house import House


async def published_as_journalled(house: House) -> None:
    """The store shows the journal's leaves, byte for byte, under one history of heads."""
    count = await house.journal.leaf_count()
    assert published(house.store) == await house.journal.leaves(0, count)
    one_history(house.heads, house.place)
    assert not house.publisher.health
