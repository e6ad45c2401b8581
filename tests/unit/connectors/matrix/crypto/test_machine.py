import asyncio
import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest

from bridge.errors import ConnectorError
from connectors.matrix.crypto.machine import EVENTS_A_TIME, Machine
from connectors.matrix.crypto.refusals import StoreDamagedError
from connectors.matrix.crypto.store import StoreUnavailableError, Transaction
from tests.unit.connectors.matrix.crypto.peer import KeyServer, Peer, numbered, opened, said


async def senders(machine: Machine, count: int) -> list[Peer]:
    """Devices that each have begun an Olm session with us."""
    server = KeyServer()
    await server.filled(machine)
    found = []
    for number in range(count):
        peer = Peer(f"@p{number}:example.org", f"D{number}")
        peer.begin(machine.device, server.claim())
        found.append(peer)
    return found


async def test_messages_taken_before_are_passed_over(tmp_path: Path) -> None:
    """A replay from the journal changes nothing, also after a restart; new ones are taken."""
    machine = await opened(tmp_path / "a.db")
    one, other = await senders(machine, 2)
    messages = numbered(one.room_key(machine.device), b"no message at all")
    assert await machine.taken() == 0
    await machine.take(messages)
    assert await machine.taken() == 2
    report = await machine.take(messages)
    assert (report.counts, report.keys) == ({}, ())
    await machine.aclose()
    machine = await opened(tmp_path / "a.db")
    assert await machine.taken() == 2
    report = await machine.take([*messages, *numbered(other.room_key(machine.device), after=2)])
    assert report.counts == {"room_key": 1}
    await machine.aclose()


async def test_killed_at_any_statement_a_take_is_replayed(tmp_path: Path) -> None:
    """Whatever statement the kill comes before, the same messages give the same keys after it."""
    live = tmp_path / "live"
    machine = await opened(live / "a.db")
    peers = await senders(machine, 3)
    device = machine.device
    messages = numbered(
        *(peer.room_key(device) for peer in peers),
        *(peer.olm(device, "m.dummy", {}) for peer in peers),
    )
    requests = [peer.say("hello") for peer in peers]
    copies: list[Path] = []
    numbers = itertools.count()

    def copied(statement: str) -> None:
        if statement.startswith("--") or next(numbers) % 4:
            return
        copies.append(tmp_path / f"killed-{len(copies)}")
        shutil.copytree(live, copies[-1])

    def traced(callback: bool) -> None:  # noqa: FBT001 - one switch
        machine._store._db.set_trace_callback(copied if callback else None)

    await machine.run(lambda _: traced(callback=True))
    report = await machine.take(messages)
    await machine.run(lambda _: traced(callback=False))
    await machine.aclose()
    copies.append(live)
    assert len(copies) > 10
    taken_before = set()
    for copy in copies:
        machine = await opened(copy / "a.db")
        taken = await machine.taken()
        taken_before.add(taken)
        again = await machine.take(messages)
        assert again.counts == ({} if taken else report.counts)
        answers = await machine.decrypt(requests)
        assert [said(answer.clear) for answer in answers] == ["hello"] * 3
        await machine.aclose()
    assert taken_before == {0, len(messages)}


async def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What cannot be written is not taken, and is when there is room: one-time keys stay."""
    machine = await opened(tmp_path / "a.db")
    peers = await senders(machine, 40)
    messages = numbered(*(peer.room_key(machine.device) for peer in peers))

    def limited(transaction: Transaction) -> None:
        (pages,) = transaction.execute("PRAGMA page_count").fetchone()
        transaction.execute(f"PRAGMA max_page_count = {pages}")

    def unlimited(transaction: Transaction) -> None:
        transaction.execute("PRAGMA max_page_count = 1000000")

    await machine.run(limited)
    with pytest.raises(StoreUnavailableError):
        await machine.take(messages)
    assert await machine.taken() == 0
    assert machine.fresh() == frozenset()
    await machine.run(unlimited)
    assert (await machine.take(messages)).counts == {"room_key": 40}
    assert len(machine.fresh()) == 40
    await machine.aclose()


async def test_work_that_raises_is_undone(tmp_path: Path) -> None:
    """One transaction each: what raises leaves neither rows nor keys in memory."""
    machine = await opened(tmp_path / "a.db")

    def failing(transaction: Transaction) -> None:
        transaction.execute("UPDATE meta SET taken = 9")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await machine.run(failing)
    assert await machine.taken() == 0
    await machine.aclose()


async def test_more_events_than_one_slice_are_answered_in_order(tmp_path: Path) -> None:
    """Each event has its answer at its place, over the slices."""
    machine = await opened(tmp_path / "a.db")
    [peer] = await senders(machine, 1)
    await machine.take(numbered(peer.room_key(machine.device)))
    count = 2 * EVENTS_A_TIME + 1
    answers = await machine.decrypt([peer.say(str(number)) for number in range(count)])
    assert [said(answer.clear) for answer in answers] == [str(number) for number in range(count)]
    assert await machine.decrypt([]) == ()
    await machine.aclose()


async def test_a_cancelled_take_is_done_or_undone_whole(tmp_path: Path) -> None:
    """Whoever asked may be gone; the store has all or nothing, and the next take ends it."""
    machine = await opened(tmp_path / "a.db")
    peers = await senders(machine, 5)
    messages = numbered(*(peer.room_key(machine.device) for peer in peers))
    task = asyncio.create_task(machine.take(messages))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await machine.taken() in {0, 5}
    await machine.take(messages)
    assert await machine.taken() == 5
    # Also those of the take that nobody waited for.
    assert machine.fresh() == {peer.group.session_id for peer in peers}
    await machine.aclose()


async def test_a_cancelled_opening_leaves_the_store_to_others(tmp_path: Path) -> None:
    """Nothing holds the file afterwards."""
    task = asyncio.create_task(opened(tmp_path / "a.db"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    machine = await opened(tmp_path / "a.db")
    assert await machine.taken() == 0
    await machine.aclose()


async def test_a_closed_machine_says_so(tmp_path: Path) -> None:
    """Its verbs are unavailable, not broken; closing again is nothing."""
    machine = await opened(tmp_path / "a.db")
    await machine.aclose()
    await machine.aclose()
    with pytest.raises(StoreUnavailableError):
        await machine.taken()


@pytest.mark.parametrize("pickle", ["x", ""])
async def test_a_damaged_account_is_refused(tmp_path: Path, pickle: str) -> None:
    """A device whose own keys cannot be read is not replaced by another in silence."""
    file = tmp_path / "a.db"
    machine = await opened(file)
    await machine.run(
        lambda transaction: transaction.execute("UPDATE account SET pickle = ?", (pickle,)).close()
    )
    await machine.aclose()
    for _ in range(2):
        with pytest.raises(StoreDamagedError):
            await opened(file)


async def test_a_file_damaged_later_is_told_of(tmp_path: Path) -> None:
    """Pages that were overwritten are damage in our own words, from whatever verb."""
    file = tmp_path / "a.db"
    machine = await opened(file)
    peers = await senders(machine, 40)
    await machine.take(numbered(*(peer.room_key(machine.device) for peer in peers)))
    await machine.aclose()
    size = file.stat().st_size
    with file.open("r+b") as pages:
        pages.seek(8192)
        pages.write(b"\xa5" * (size - 8192))

    async def read() -> None:
        machine = await opened(file)
        try:
            await machine.keys(after=0, limit=100, unbacked=False)
        finally:
            await machine.aclose()

    with pytest.raises(ConnectorError):
        await read()


async def test_two_machines_on_one_store_stay_whole(tmp_path: Path) -> None:
    """A reader beside the machine (a back-up) neither blocks it nor sees a half."""
    file = tmp_path / "a.db"
    machine = await opened(file)
    [peer] = await senders(machine, 1)

    def looked() -> tuple[int, int]:
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        (taken,) = db.execute("SELECT taken FROM meta").fetchone()
        (keys,) = db.execute("SELECT count(*) FROM inbound").fetchone()
        db.close()
        return taken, keys

    assert await asyncio.to_thread(looked) == (0, 0)
    await machine.take(numbered(peer.room_key(machine.device)))
    assert await asyncio.to_thread(looked) == (1, 1)
    await machine.aclose()
