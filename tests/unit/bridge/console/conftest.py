"""One archive with a catalog for the whole run; one console over it for each test."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge import keys
from bridge.console.schedule import RetentionClass, Schedule
from bridge.console.site import Parts
from bridge.listings import act_of, listings_of
from bridge.notekeys import generate, origin
from bridge.protocols.catalog import Listing
from bridge.protocols.holds import Hold, HoldScope
from storage.catalog import SqliteCatalog, SqliteCatalogWriter
from storage.objects import LocalObjectStore
from storage.office import SqliteOffice
from storage.office.holds import SqliteHolds
from storage.office.people import SqlitePeople
from tests.archive import Archive, build
from tests.archive.archive import LOG_ORIGIN, TENANT
from tests.fakes.clock import FakeClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.samples import NOW
from tests.unit.bridge.console.desk import Desk, OpenLedger, desk_of
from tests.unit.bridge.console.proving import proofs_over

SEED = 8
SCHEDULE = Schedule(
    usual=RetentionClass(name="", days=2555),
    classes=(RetentionClass(name="short", days=365, authority="DfE/12"),),
    review=timedelta(days=23),
)
LEAVES = 300
HOLD_OF_NOTHING = Hold(
    authority="Head of examples",
    matter="EX/1",
    scope=HoldScope(gids=("f" * 16,)),
    by="placer",
    at=NOW,
    why="so that there is one",
)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive in a ``file:`` store. Shared: nobody writes into its folder."""
    return build(tmp_path_factory.mktemp("archive") / "store", seed=SEED, leaves=LEAVES)


@pytest.fixture(scope="session")
def blind_key(listings: dict[tuple[str, int], Listing]) -> bytes:
    """The key by which the archive's gids were made, drawn again as its story draws it."""
    rng = random.Random(SEED)
    generate(origin(LOG_ORIGIN, TENANT), rng.randbytes)
    generate("witness", rng.randbytes)
    key = rng.randbytes(32)
    assert {each.gid for each in listings.values() if each.platform} <= {
        keys.group_gid(key, each.platform, each.group_id) for each in listings.values()
    }
    return key


@pytest.fixture(scope="session")
def parts_listed(archive: Archive) -> dict[str, tuple[Listing, ...]]:
    """What the archive's manifest parts list, by their keys."""
    bodies = {stored.key: stored.body for stored in archive.objects}
    return {
        key: listings_of(key, body, bodies.get)
        for key, body in sorted(bodies.items())
        if key.startswith("manifests/")
    }


@pytest.fixture(scope="session")
def listings(parts_listed: dict[str, tuple[Listing, ...]]) -> dict[tuple[str, int], Listing]:
    """The listing that holds for each event."""
    held: dict[tuple[str, int], Listing] = {}
    for listed in parts_listed.values():
        for listing in listed:
            name = (listing.stream, listing.n)
            if name not in held or held[name].part <= listing.part:
                held[name] = listing
    return held


@pytest.fixture(scope="session")
def catalog_file(
    archive: Archive,
    parts_listed: dict[str, tuple[Listing, ...]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The catalog of the archive. Shared, like it."""
    path = tmp_path_factory.mktemp("catalog") / "catalog" / "catalog.db"

    async def fill() -> None:
        writer = await SqliteCatalogWriter.open(path)
        for key, listed in parts_listed.items():
            await writer.take(key, listings=listed)
        for stored in archive.objects:
            if stored.key.startswith("acts/"):
                await writer.take(stored.key, act=act_of(stored.key, stored.body))
        await writer.aclose()

    asyncio.run(fill())
    return path


@pytest.fixture
def clock(archive: Archive) -> FakeClock:
    """Time begins a minute after the archive ends."""
    return FakeClock(archive.now)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[SqlitePeople]:
    """An office that nobody uses yet."""
    opened = await SqlitePeople.open(tmp_path / "office.db")
    yield opened
    await opened.aclose()


@pytest.fixture
def journal(clock: FakeClock, blind_key: bytes) -> MemoryJournal:
    """A journal of a recorder that knows no group yet."""
    return MemoryJournal(clock=clock, random_bytes=os.urandom, blind_key=blind_key)


@pytest.fixture
async def parts(  # noqa: PLR0917
    archive: Archive,
    catalog_file: Path,
    blind_key: bytes,
    clock: FakeClock,
    office: SqlitePeople,
    journal: MemoryJournal,
    tmp_path: Path,
) -> AsyncIterator[Parts]:
    """What the console of a test stands on: the archive's own copy, its catalog, an office."""
    root = tmp_path / "store"
    await asyncio.to_thread(
        shutil.copytree, archive.root, root, copy_function=os.link, dirs_exist_ok=True
    )
    store = LocalObjectStore(root, archive.tenant)
    catalog = SqliteCatalog(catalog_file)
    orders = await SqliteOffice.open(tmp_path / "office.db")
    holds = await SqliteHolds.open(tmp_path / "office.db")
    await holds.place(HOLD_OF_NOTHING)
    made = Parts(
        catalog=catalog,
        ledger=OpenLedger(journal),
        store=store,
        office=office,
        clock=clock,
        blind_key=blind_key,
        zone=ZoneInfo("Europe/London"),
        department="Department of Examples",
        tenant=archive.tenant,
        hosts=frozenset({"127.0.0.1", "localhost"}),
        orders=orders,
        holds=holds,
        schedule=SCHEDULE,
        proofs=proofs_over(archive, root, clock),
    )
    yield made
    await made.exports.aclose()
    await catalog.aclose()
    await orders.aclose()
    await holds.aclose()
    await store.aclose()


@pytest.fixture
async def desk(  # noqa: PLR0917
    parts: Parts,
    archive: Archive,
    clock: FakeClock,
    office: SqlitePeople,
    journal: MemoryJournal,
    listings: dict[tuple[str, int], Listing],
    tmp_path: Path,
) -> AsyncIterator[Desk]:
    """A console over the whole archive."""
    made = await desk_of(
        parts,
        archive=archive,
        root=tmp_path / "store",
        clock=clock,
        office=office,
        journal=journal,
        listings=listings,
    )
    yield made
    await made.aclose()
