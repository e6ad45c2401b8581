"""Step 8: what is placed is listed, and nothing that happens to the catalog stops anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.errors import CatalogUnfitError, ObjectStoreUnavailableError
from bridge.indexer import PATIENCE_SECONDS, Binding, Indexer, Made
from bridge.model import Outcome
from bridge.protocols.catalog import CatalogWriter, Listing, Search
from storage.catalog import SqliteCatalog, SqliteCatalogWriter
from tests.fakes import samples
from tests.unit.bridge.house import House


class Shelf:
    """Implements :class:`bridge.indexer.Binding` with a real file; ``troubles`` come first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "catalog" / "catalog.db"
        self.troubles: list[Exception] = []
        self.rebuilt = 0
        self.aside = 0

    async def open(self) -> CatalogWriter:
        """Open it."""
        return await SqliteCatalogWriter.open(self.path)

    async def set_aside(self) -> None:
        """Throw it away."""
        self.aside += 1
        for ending in ("", "-wal", "-shm"):
            await asyncio.to_thread(Path(f"{self.path}{ending}").unlink, missing_ok=True)

    async def make_anew(self, advance: Callable[[int], None]) -> Made:
        """Make none: the journal of these tests has everything."""
        if self.troubles:
            raise self.troubles.pop(0)
        self.rebuilt += 1
        advance(7)
        return Made(whole=True, sentence="It is made.")


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded."""
    await house.admit()
    return house


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Where the catalog stands."""
    shelf = Shelf(tmp_path)
    _: Binding = shelf
    return shelf


@pytest.fixture
async def indexer(house: House, shelf: Shelf) -> AsyncIterator[Indexer]:
    """The indexer of the house."""
    made = indexer_of(house, shelf)
    yield made
    await made.aclose()


def indexer_of(house: House, shelf: Shelf) -> Indexer:
    """An indexer as a new process has it."""
    return Indexer(journal=house.journal, store=house.store, binding=shelf, clock=house.clock)


async def heard(house: House, *names: str) -> None:
    """These messages come, are stored, and their manifest is placed."""
    await house.hear(*(samples.event(name) for name in names))
    await house.triage.step()
    await stored(house)
    await house.scribe.round(flush=True)


async def stored(house: House) -> None:
    """What is sealed is stored."""
    while await house.writer.step():
        pass


async def listed(shelf: Shelf) -> dict[int, Listing]:
    """What the catalog holds, by number."""
    catalog = SqliteCatalog(shelf.path)
    found = await catalog.search(Search(limit=500))
    await catalog.aclose()
    return {each.n: each for each in found.listings}


async def rounds(indexer: Indexer, house: House, number: int) -> None:
    """Run the loop for so many pauses."""
    task = asyncio.create_task(indexer.run())
    end = len(house.clock.slept) + number
    while len(house.clock.slept) < end:  # noqa: ASYNC110 - turns of a clock without time
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_placed_is_listed_once(house: House, indexer: Indexer, shelf: Shelf) -> None:
    """With its text where it is kept; acts as well; and what comes later in the next round."""
    house.says("$2", Outcome.DISCARD)
    await heard(house, "$1", "$2")
    await indexer.round()
    found = await listed(shelf)
    assert [found[n].outcome for n in (0, 1)] == [Outcome.CAPTURE, Outcome.DISCARD]
    assert found[0].body
    assert found[1].body is None
    catalog = SqliteCatalog(shelf.path)
    assert {act.kind for act in await catalog.acts(limit=9)} >= {"open"}
    await catalog.aclose()
    await heard(house, "$3")
    await indexer.round()
    assert set(await listed(shelf)) == {0, 1, 2}


async def test_a_new_process_goes_on_where_the_last_one_stopped(
    house: House, indexer: Indexer, shelf: Shelf
) -> None:
    """What is listed is not read again."""
    await heard(house, "$1")
    await indexer.round()
    await indexer.aclose()
    await heard(house, "$2")
    later = indexer_of(house, shelf)
    await later.round()
    await later.aclose()
    assert set(await listed(shelf)) == {0, 1}


async def test_a_part_waits_for_a_record_that_is_still_on_its_way(
    house: House, indexer: Indexer, shelf: Shelf
) -> None:
    """It is no damage that a manifest is placed before its record; after a time it is."""
    await house.hear(samples.event("$1"))
    await house.triage.step()
    await house.scribe.round(flush=True)
    await indexer.round()
    assert await listed(shelf) == {}
    await stored(house)
    await indexer.round()
    assert not (await listed(shelf))[0].damaged
    await house.hear(samples.event("$2"))
    await house.triage.step()
    await house.scribe.round(flush=True)
    await indexer.round()
    house.clock.advance(PATIENCE_SECONDS)
    await indexer.round()
    assert (await listed(shelf))[1].damaged


async def test_a_store_that_does_not_answer_is_an_alarm_and_ends_by_itself(
    house: House, indexer: Indexer, shelf: Shelf
) -> None:
    """The next round takes what this one could not."""
    await heard(house, "$1")
    house.store.down = True
    with capture_logs() as logs:
        await rounds(indexer, house, 2)
    assert "does not list" in indexer.health
    assert [line["event"] for line in logs if line["event"] == "not_listing"] == ["not_listing"]
    house.store.down = False
    await rounds(indexer, house, 4)
    assert indexer.health == ""
    assert set(await listed(shelf)) == {0}


@pytest.mark.parametrize("damage", ["other version", "no database", "torn"])
async def test_an_unfit_catalog_is_made_anew(
    house: House, indexer: Indexer, shelf: Shelf, damage: str
) -> None:
    """It is set aside, made from the store, and what this journal placed is listed in it."""
    await heard(house, "$1")
    await indexer.round()
    await indexer.aclose()
    await asyncio.to_thread(spoil, shelf.path, damage)
    await rounds(indexer, house, 4)
    assert (shelf.aside, shelf.rebuilt, indexer.health) == (1, 1, "")
    assert set(await listed(shelf)) == {0}


def spoil(path: Path, damage: str) -> None:
    """Make a file unfit."""
    data = bytearray(path.read_bytes())
    if damage == "other version":
        data[60:64] = (99).to_bytes(4, "big")
    elif damage == "no database":
        data[:16] = b"not a database!!"
    else:
        data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)


async def test_where_the_store_cannot_be_read_the_journal_alone_serves_and_the_alarm_stays(
    house: House, indexer: Indexer, shelf: Shelf
) -> None:
    """Until somebody rebuilds it."""
    await heard(house, "$1")
    await indexer.round()
    await indexer.aclose()
    await asyncio.to_thread(spoil, shelf.path, "other version")
    shelf.troubles = [ObjectStoreUnavailableError("It is far away.")]
    await rounds(indexer, house, 4)
    assert "catalog rebuild" in indexer.health
    assert set(await listed(shelf)) == {0}
    told: list[int] = []
    assert (await indexer.make_anew(told.append)).whole
    await rounds(indexer, house, 2)
    assert (told, indexer.health) == ([7], "")


async def test_what_is_no_document_of_ours_is_left_out(
    house: House, indexer: Indexer, shelf: Shelf
) -> None:
    """It is logged; the others are listed."""
    await heard(house, "$1")
    for key in house.objects("manifests"):
        house.store.objects[key] = replace(house.store.objects[key], data=b"[]")
    with capture_logs() as logs:
        await indexer.round()
    assert "document_not_listed" in {line["event"] for line in logs}
    assert await listed(shelf) == {}


def test_unfit_is_a_trouble_of_the_catalog() -> None:
    """Whoever waits out a catalog that cannot be used waits that out too."""
    assert CatalogUnfitError("x").retryable
