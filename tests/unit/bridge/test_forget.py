"""What was discarded is destroyed in time, and its leaf stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bridge.forget import ROUND_SECONDS, Forget
from bridge.lifecycle import EntryState
from bridge.model import Outcome
from tests.fakes import samples
from tests.fakes.connector import OfferedFile
from tests.fakes.crash import Crash
from tests.unit.bridge.house import House, stopped, until

PLAN = samples.attachment("plan.pdf", size=8)
SECRET = "nobody may read this again"


@pytest.fixture
async def house(house: House) -> House:
    """One group is being recorded, and all but one of its messages are discarded."""
    await house.admit()
    house.classifier.default = house.classifier.verdict(Outcome.DISCARD)
    house.says("$kept", Outcome.CAPTURE)
    house.connector.files[PLAN.url] = OfferedFile(chunks=(b"%PDF-1.7",))
    await house.hear(
        samples.event("$1", body=SECRET, attachments=[PLAN]), samples.event("$kept", body="kept")
    )
    await house.settle()
    return house


def _forget(house: House, discard_after: timedelta, context_window: timedelta) -> Forget:
    return Forget(
        journal=house.journal,
        spool=house.spool,
        holds=house.holds,
        clock=house.clock,
        discard_after=discard_after,
        context_window=context_window,
    )


async def _entries_by_state(house: House) -> dict[str, int]:
    return dict((await house.journal.tally(now=house.clock.now())).entries_by_state)


@pytest.mark.parametrize(("days", "minutes"), [(4, 10), (0, 2880), (1, 2880), (4, 2880)])
async def test_it_is_the_later_of_window_and_days(house: House, days: int, minutes: int) -> None:
    """A discard stays for its days, and for two days more than its context window."""
    forget = _forget(house, timedelta(days=days), timedelta(minutes=minutes))
    house.later(days=4)
    await forget.round()
    assert (await _entries_by_state(house))["discarded"] == 1
    house.later(seconds=1)
    await forget.round()
    assert await _entries_by_state(house) == {"destroyed": 1, "stored": 1}


async def test_payload_record_orders_and_files_are_destroyed(house: House) -> None:
    """The content is gone from journal and spool; number, leaf and counts stay."""
    before = await house.leaves()
    assert len(house.spool.files) == 1
    house.later(days=31)
    await house.forget.round()
    assert [entry.event.upstream_id for entry in await house.entries()] == ["$kept"]
    assert house.spool.files == {}
    assert (await house.journal.tally(now=house.clock.now())).groups[0].discarded == 1
    assert await house.leaves() == before
    rows = await house.journal._reader.execute_fetchall(
        "SELECT payload_sealed, record_sealed, n FROM entry WHERE state = ?",
        ("destroyed",),
    )
    assert [tuple(row) for row in rows] == [(None, None, 0)]
    orders = await house.journal._reader.execute_fetchall("SELECT * FROM download")
    assert list(orders) == []


async def test_the_bytes_leave_the_files(house: House) -> None:
    """The sealed payload stands neither in the database nor in its write-ahead log."""
    (row,) = await house.journal._reader.execute_fetchall(
        "SELECT payload_sealed FROM entry WHERE state = 'discarded'"
    )
    sealed = bytes(row[0])

    def found() -> bool:
        files = house.path.parent.glob("journal.db*")
        return any(sealed[:64] in file.read_bytes() for file in files)

    assert await asyncio.to_thread(found)
    house.later(days=31)
    await house.forget.round()
    assert not await asyncio.to_thread(found)


async def test_what_is_kept_is_never_forgotten(house: House) -> None:
    """Captured, reviewed and restricted messages stay, however old; so does a promoted one."""
    house.says("$review", Outcome.REVIEW)
    house.classifier.verdicts["$secret"] = house.classifier.verdict(Outcome.REVIEW, restricted=True)
    house.says("$answer", Outcome.CAPTURE, "$1")
    await house.hear(*(samples.event(name) for name in ("$review", "$secret", "$answer")))
    await house.settle()
    house.later(days=10_000)
    await house.forget.round()
    assert await house.states() == {
        "$1": EntryState.STORED,
        "$kept": EntryState.STORED,
        "$review": EntryState.STORED,
        "$secret": EntryState.RESTRICTED,
        "$answer": EntryState.STORED,
    }


@pytest.mark.parametrize("point", ["before forget", "after forget", "before remove"])
async def test_a_crash_leaves_nothing_for_ever(house: House, point: str) -> None:
    """Wherever it dies, the next start has destroyed both content and files."""
    await house.journal.heard("matrix", at=house.later(days=31))
    house.die_at(Crash(point))
    with pytest.raises(asyncio.CancelledError):
        await house.forget.round()
    await house.restart()
    await house.forget.round()
    await house.downloads.sweep()
    assert await _entries_by_state(house) == {"destroyed": 1, "stored": 1}
    assert house.spool.files == {}


async def test_a_clock_that_is_ahead_at_the_start_destroys_nothing(house: House) -> None:
    """For a day, whatever is heard meanwhile; put right by then, it was never believed."""
    await house.restart()
    right = house.clock.now()
    house.clock.set_wall(right + timedelta(days=60))
    await house.forget.round()
    await house.journal.heard("matrix", at=house.clock.now())
    house.later(hours=23)
    await house.forget.round()
    assert (await _entries_by_state(house))["discarded"] == 1
    await house.journal.heard("matrix", at=right + timedelta(hours=23))
    house.clock.set_wall(right + timedelta(hours=23))
    house.later(hours=1)
    await house.forget.round()
    assert (await _entries_by_state(house))["discarded"] == 1


async def test_after_a_long_stop_it_is_destroyed_a_day_late(house: House) -> None:
    """The platform is heard again, and a day later the clock is believed."""
    house.later(days=60)
    await house.restart()
    await house.forget.round()
    await house.journal.heard("matrix", at=house.clock.now())
    assert (await _entries_by_state(house))["discarded"] == 1
    house.later(days=1)
    await house.forget.round()
    assert (await _entries_by_state(house))["destroyed"] == 1


async def test_time_passes_though_nothing_is_heard(house: House) -> None:
    """A platform that is gone for good keeps nothing from being destroyed."""
    await house.restart()
    house.later(days=29)
    await house.forget.round()
    assert (await _entries_by_state(house))["discarded"] == 1
    house.later(days=2)
    await house.forget.round()
    assert (await _entries_by_state(house))["destroyed"] == 1


async def test_the_newest_of_several_platforms_counts(house: House) -> None:
    """One that was heard until yesterday tells the time for one that was not."""
    await house.admit(samples.group("!second:example.org", connector="second"))
    await house.journal.heard("second", at=house.later(days=31))
    await house.restart()
    await house.forget.round()
    assert (await _entries_by_state(house))["destroyed"] == 1


async def test_a_journal_without_a_word_of_a_platform_waits_a_day(house: House) -> None:
    """An older version wrote no such moment: the clock is believed after a day."""
    await house.journal._writer.execute("DELETE FROM hearing")
    await house.journal._writer.commit()
    house.later(days=31)
    await house.restart()
    await house.forget.round()
    assert (await _entries_by_state(house))["discarded"] == 1
    house.later(days=1)
    await house.forget.round()
    assert (await _entries_by_state(house))["destroyed"] == 1


async def test_the_loop_goes_on_when_the_journal_fails(house: House) -> None:
    """A round that fails is made again, at start and then every few minutes."""
    house.later(days=31)
    await house.journal._writer.execute("PRAGMA query_only = ON")
    running = house.start(house.forget.run)
    await until(lambda: len(house.clock.slept) == 2)
    assert set(house.clock.slept) == {ROUND_SECONDS}
    await house.journal._writer.execute("PRAGMA query_only = OFF")
    await until(lambda: house.spool.files == {})
    await stopped(running)
    assert (await _entries_by_state(house))["destroyed"] == 1
