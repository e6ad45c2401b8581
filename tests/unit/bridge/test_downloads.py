"""Attachments come in beside the stream, and what cannot be had is a gap."""

from __future__ import annotations

import asyncio

import pytest

from bridge.downloads import GIVE_UP_AFTER
from bridge.errors import (
    ConnectorRejectedError,
    ConnectorUnavailableError,
    JournalError,
    SpoolError,
)
from bridge.model import Outcome
from bridge.protocols import DownloadState
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash, Failure
from tests.unit.bridge.house import MEDIA_MAX, House, stopped, until

TRIES = 24

PLAN = samples.attachment("plan.pdf", size=8)
DATA = b"%PDF-1.7"


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, and the platform holds one file."""
    await house.admit()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA[:4], DATA[4:]))
    return house


async def _state(house: House) -> tuple[DownloadState, ...]:
    entry = (await house.entries())[0]
    return tuple(media.state for media in await house.journal.media(entry.seq))


async def _gave_up(house: House) -> None:
    assert await _state(house) == (DownloadState.FAILED,)
    assert [why for why, _, _ in await house.gaps()] == ["media_not_obtained"]
    assert house.spool.files == {}
    assert house.spool.unfinished == 0


async def test_a_file_comes_into_the_spool(house: House) -> None:
    """The order is fulfilled with the file's bytes, size and digest, once."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    assert await house.downloads.step()
    assert not await house.downloads.step()
    (entry,) = await house.entries()
    (media,) = await house.journal.media(entry.seq)
    assert media.state is DownloadState.SPOOLED
    assert media.file is not None
    assert house.spool.files == {media.file.name: DATA}
    assert await house.gaps() == []


async def test_nothing_is_fetched_while_texts_go_first(house: House) -> None:
    """A pause leaves the orders where they are; they are fetched when it is over."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    house.downloads.paused = True
    assert not await house.downloads.step()
    assert await _state(house) == (DownloadState.WAITING,)
    house.downloads.paused = False
    assert await house.downloads.step()
    assert await _state(house) == (DownloadState.SPOOLED,)


async def test_the_earliest_deadline_is_fetched_first(house: House) -> None:
    """A short timer goes before an older order."""
    urgent = samples.attachment("urgent.pdf")
    house.connector.files[urgent.url] = OfferedFile(chunks=(b"now",))
    await house.hear(
        samples.event("$1", attachments=[PLAN]),
        samples.event("$2", attachments=[urgent], timer=10),
    )
    await house.downloads.step()
    assert list(house.spool.files.values()) == [b"now"]


@pytest.mark.parametrize(
    ("declared", "offered"),
    [
        (MEDIA_MAX + 1, OfferedFile(chunks=(DATA,))),  # the event says so
        (None, OfferedFile(chunks=(DATA,), size=MEDIA_MAX + 1)),  # the platform says so
        (8, OfferedFile(chunks=(b"x" * MEDIA_MAX, b"x"))),  # only the bytes say so
    ],
)
async def test_a_file_that_is_too_large_is_a_gap(
    house: House, declared: int | None, offered: OfferedFile
) -> None:
    """It is given up at once with size and reason, and the record is sealed without it."""
    large = samples.attachment("large.bin", size=declared)
    house.connector.files[large.url] = offered
    await house.hear(samples.event("$1", attachments=[large]))
    assert await house.downloads.step()
    assert not await house.downloads.step()
    await _gave_up(house)
    await house.settle()
    (record,) = house.documents("records")
    (named,) = record["media"] if isinstance(record["media"], list) else []
    assert not {"object", "sha256"} & set(named)
    assert [key for key in house.store.objects if "/media/" in key] == []


async def test_a_file_of_exactly_the_cap_is_fetched(house: House) -> None:
    """The cap is the largest size, not the first refused."""
    exact = samples.attachment("exact.bin", size=MEDIA_MAX)
    house.connector.files[exact.url] = OfferedFile(chunks=(b"x" * MEDIA_MAX,), size=MEDIA_MAX)
    await house.hear(samples.event("$1", attachments=[exact]))
    await house.downloads.step()
    assert await _state(house) == (DownloadState.SPOOLED,)


async def test_a_refused_file_is_a_gap_and_the_seal_waits_no_longer(house: House) -> None:
    """What the platform will never give is given up at once, and the entry is woken."""
    house.connector.files[PLAN.url] = ConnectorRejectedError("gone", code="M_NOT_FOUND")
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.triage.step()
    assert not await house.triage.step()
    await house.downloads.step()
    assert await house.triage.step()
    await _gave_up(house)


async def test_a_broken_transfer_is_tried_again(house: House) -> None:
    """Pauses grow; nothing of the broken file remains; in the end it is there."""
    broken = OfferedFile(chunks=(DATA[:4],), error=ConnectorUnavailableError("broken"))
    house.connector.files[PLAN.url] = broken
    await house.hear(samples.event("$1", attachments=[PLAN]))
    for pause in (1, 2, 4):
        assert await house.downloads.step()
        assert house.spool.unfinished == 0
        assert not await house.downloads.step()
        house.later(seconds=pause)
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    await house.downloads.step()
    assert list(house.spool.files.values()) == [DATA]


@pytest.mark.parametrize("where", ["open", "transfer", "spool"])
async def test_an_outage_is_outlasted_and_after_days_it_is_a_gap(house: House, where: str) -> None:
    """Hours of failure give nothing up; a week without an answer is one gap, not an order."""
    if where == "open":
        house.connector.files[PLAN.url] = ConnectorUnavailableError("503")
    elif where == "transfer":
        house.connector.files[PLAN.url] = OfferedFile(
            chunks=(DATA,), error=ConnectorUnavailableError("broken")
        )
    else:
        house.spool.faults = [SpoolError("input/output error") for _ in range(TRIES + 1)]
    await house.hear(samples.event("$1", attachments=[PLAN]))
    for _ in range(TRIES):
        assert await _state(house) == (DownloadState.WAITING,)
        assert await house.downloads.step()
        house.later(minutes=10)
    house.later(days=GIVE_UP_AFTER.days + 1)
    assert await house.downloads.step()
    assert not await house.downloads.step()
    await _gave_up(house)


async def test_a_full_spool_is_waited_for(house: House) -> None:
    """No room is never a reason to give an attachment up."""
    house.spool.room = 4
    await house.hear(samples.event("$1", attachments=[PLAN]))
    for _ in range(TRIES):
        assert await house.downloads.step()
        house.later(minutes=10)
    assert house.spool.unfinished == 0
    house.spool.room = 100
    await house.downloads.step()
    assert await _state(house) == (DownloadState.SPOOLED,)
    assert await house.gaps() == []


async def test_a_connector_that_is_not_configured_is_waited_for(house: House) -> None:
    """An order of a connector that is not there now is tried again."""
    house.connectors.clear()
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.downloads.step()
    assert await _state(house) == (DownloadState.WAITING,)
    house.connectors["matrix"] = house.connector
    house.later(seconds=1)
    await house.downloads.step()
    assert await _state(house) == (DownloadState.SPOOLED,)


@pytest.mark.parametrize("point", ["before downloaded", "after downloaded"])
async def test_a_crash_leaves_one_file(house: House, point: str) -> None:
    """A file that the journal does not know goes at the next start; a known one stays."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.downloads.step()
    await house.restart()
    while await house.downloads.step():
        pass
    assert await _state(house) == (DownloadState.SPOOLED,)
    assert list(house.spool.files.values()) == [DATA]
    assert await house.journal.spooled() == frozenset(house.spool.files)


async def test_a_journal_that_cannot_write_leaves_no_file_behind(house: House) -> None:
    """Each try that the journal could not note takes its file with it, and counts as none."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.journal._writer.execute("PRAGMA query_only = ON")
    running = house.start(house.downloads.run)
    await until(lambda: len(house.clock.slept) > 20)
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    while await _state(house) != (DownloadState.SPOOLED,):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)
    await stopped(running)
    assert len(house.spool.files) == 1


@pytest.mark.parametrize("point", ["after media_stored", "after store", "before remove"])
async def test_a_stop_before_a_stored_file_goes_leaves_it_to_the_next_start(
    house: House, point: str
) -> None:
    """The store has it, so no entry needs it: it goes at the next start, and nothing is lost."""
    await house.hear(samples.event("$1", attachments=[PLAN]))
    assert await house.downloads.step()
    await house.triage.step()
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.writer.step()
    assert len(house.spool.files) == 1
    await house.restart()
    assert house.spool.files == {}
    await house.settle()
    assert len(house.objects("records")) == len(await house.leaves("stored")) == 1
    assert [held.data for key, held in house.store.objects.items() if "/media/" in key] == [DATA]


async def test_a_file_in_doubt_goes_though_nothing_is_to_be_fetched(house: House) -> None:
    """Its order was destroyed with its message: the next look for work removes it all the same."""
    house.says("$1", Outcome.DISCARD)
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.triage.step()
    house.die_at(Failure("before downloaded"))
    with pytest.raises(JournalError):
        await house.downloads.step()
    house.later(seconds=31)
    await house.triage.step()
    house.later(days=31)
    await house.forget.round()
    assert len(house.spool.files) == 1
    house.die_at(Failure("before remove"))
    assert not await house.downloads.step()
    assert len(house.spool.files) == 1
    assert not await house.downloads.step()
    assert house.spool.files == {}


async def test_a_file_of_a_destroyed_entry_goes(house: House) -> None:
    """What arrives after its message was forgotten is removed at once."""
    house.says("$1", Outcome.DISCARD)
    house.connector.files[PLAN.url] = ConnectorUnavailableError("503")
    await house.hear(samples.event("$1", attachments=[PLAN]))
    await house.triage.step()
    house.later(seconds=31)
    await house.triage.step()
    house.later(days=31)
    order = await house.journal.claim_download(now=house.clock.now())
    assert order is not None
    await house.forget.round()
    house.connector.files[PLAN.url] = OfferedFile(chunks=(DATA,))
    await house.downloads._fetch(order)
    assert house.spool.files == {}
    house.journal.release_download(order)
    assert not await house.downloads.step()


async def test_several_workers_fetch_each_file_once(house: House) -> None:
    """Orders are leased: none is fetched twice, and a stop gives them back."""
    plans = [samples.attachment(f"{i}.pdf") for i in range(6)]
    for plan in plans:
        house.connector.files[plan.url] = OfferedFile(chunks=(plan.url.encode(),))
    await house.hear(samples.event("$1", attachments=plans))
    running = house.start(house.downloads.run)
    await until(lambda: len(house.spool.files) == 6)
    await stopped(running)
    assert sorted(house.spool.files.values()) == sorted(plan.url.encode() for plan in plans)
    await house.restart()
    while await house.downloads.step():
        pass
    assert len(house.spool.files) == 6
