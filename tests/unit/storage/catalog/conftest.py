"""A catalog of an archive that has everything in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.listings import act_of, listings_of
from bridge.protocols.catalog import Listing
from storage.catalog import SqliteCatalog, SqliteCatalogWriter
from tests.archive import Archive, draft

LEAVES = 300


@pytest.fixture(scope="session")
def archive() -> Archive:
    """An archive in memory."""
    return draft(seed=8, leaves=LEAVES)


@pytest.fixture(scope="session")
def parts(archive: Archive) -> dict[str, tuple[Listing, ...]]:
    """What its manifest parts list, by their keys."""
    bodies = {stored.key: stored.body for stored in archive.objects}
    return {
        key: listings_of(key, body, bodies.get)
        for key, body in sorted(bodies.items())
        if key.startswith("manifests/")
    }


@pytest.fixture(scope="session")
def newest(parts: dict[str, tuple[Listing, ...]]) -> dict[tuple[str, int], Listing]:
    """The listing that holds for each event."""
    held: dict[tuple[str, int], Listing] = {}
    for listings in parts.values():
        for listing in listings:
            name = (listing.stream, listing.n)
            if name not in held or held[name].part <= listing.part:
                held[name] = listing
    return held


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[SqliteCatalogWriter]:
    """An empty catalog, to be written."""
    opened = await SqliteCatalogWriter.open(tmp_path / "catalog" / "catalog.db")
    yield opened
    await opened.aclose()


@pytest.fixture
async def catalog(
    tmp_path: Path,
    writer: SqliteCatalogWriter,
    archive: Archive,
    parts: dict[str, tuple[Listing, ...]],
) -> AsyncIterator[SqliteCatalog]:
    """The catalog of the archive."""
    for key, listings in parts.items():
        await writer.take(key, listings=listings)
    for stored in archive.objects:
        if stored.key.startswith("acts/"):
            await writer.take(stored.key, act=act_of(stored.key, stored.body))
    opened = SqliteCatalog(tmp_path / "catalog" / "catalog.db")
    yield opened
    await opened.aclose()
