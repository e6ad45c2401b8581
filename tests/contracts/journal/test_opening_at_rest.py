"""What SQLite keeps of encrypted groups: no message, no name of a key, nothing that was dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.lifecycle import EntryState
from storage.journal import SqliteJournal
from storage.journal.statements import STATEMENTS
from tests.contracts.journal.encrypted import clear, shut
from tests.contracts.journal.subjects import LATER
from tests.fakes.samples import CONNECTOR, NOW, batch, event, group
from tests.unit.storage.journal.files import content, every_byte, opened, rows

SECRET = "Zangezur"


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


async def test_nothing_is_in_the_clear(journal: SqliteJournal, path: Path) -> None:
    """No message to our device, no name of a key and nothing decrypted is readable."""
    delivery = replace(batch(shut(session=SECRET)), to_device=(SECRET.encode() * 3,))
    await journal.append(delivery)
    told = replace(clear(shut("$2", session=SECRET)), body=SECRET)
    (found,) = await journal.unopened(CONNECTOR, limit=9)
    assert found.session == SECRET
    assert SECRET.encode() not in every_byte(path)
    (entry,) = await journal.claim(EntryState.RECEIVED, now=LATER, limit=9)
    journal.release([entry.seq])
    assert entry.event == shut(session=SECRET)
    await journal.append(batch(told))
    assert SECRET.encode() not in every_byte(path)


@pytest.mark.parametrize("size", [1, 300, 3000, 20_000])
async def test_dropped_messages_are_gone(journal: SqliteJournal, path: Path, size: int) -> None:
    """After a drop no piece of a message is in the database, and after Forget none in its log."""
    await journal.append(batch(*(event(f"$before{i}") for i in range(20))))
    messages = tuple(bytes([i]) * size for i in range(3))
    await journal.append(replace(batch(), to_device=messages))
    await journal.append(batch(*(event(f"$after{i}") for i in range(20))))
    await journal.forget(discarded_before=NOW, limit=1)  # the database has it all
    sealed = rows(path, "SELECT raw_sealed FROM to_device ORDER BY number")
    blobs = [blob for (blob,) in sealed if isinstance(blob, bytes)]
    pieces = [[blob[at : at + 24] for at in range(0, len(blob) - 23, 24)] for blob in blobs]
    before = content(path)
    assert all(sum(piece in before for piece in each) > 0.9 * len(each) for each in pieces)
    await journal.drop_to_device(CONNECTOR, through=2)
    after = content(path)
    assert [piece for each in pieces[:2] for piece in each if piece in after] == []
    assert any(piece in after for piece in pieces[2])
    await journal.forget(discarded_before=NOW, limit=1)
    after = every_byte(path)
    assert [piece for each in pieces[:2] for piece in each if piece in after] == []


async def test_a_damaged_message_costs_its_neighbours_nothing(
    journal: SqliteJournal, path: Path
) -> None:
    """What does not open is passed over and counted; a page is never empty for it."""
    await journal.append(replace(batch(), to_device=(b"1", b"2", b"3")))
    rows(path, "UPDATE to_device SET raw_sealed = zeroblob(99) WHERE number < 3")
    (found,) = await journal.to_device(CONNECTOR, after=0, limit=1)
    assert (found.number, found.raw) == (3, b"3")
    assert journal.damaged == 2


async def test_a_damaged_entry_is_passed_over(journal: SqliteJournal, path: Path) -> None:
    """An encrypted entry that does not open is in nobody's way, and is given up all the same."""
    await journal.append(batch(shut("$1"), shut("$2"), shut("$3")))
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99) WHERE seq < 3")
    found = await journal.unopened(CONNECTOR, limit=1)
    assert [each.seq for each in found] == [3]
    assert await journal.give_up_unopened(CONNECTOR, received_before=LATER, limit=9) == 3


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("to_device_waiting", "to_device_waiting"),
        ("to_device_drop", "to_device_waiting"),
        ("to_device_first", "to_device_waiting"),
        ("to_device_lift", "to_device_waiting"),
        ("to_device_forget", "to_device_taken"),
        ("unopened_waiting", "unopened_waiting"),
        ("unopened_of_sessions", "unopened_session"),
        ("unopened_aged", "unopened_aging"),
    ],
)
async def test_what_is_asked_often_has_an_index(
    journal: SqliteJournal, path: Path, name: str, index: str
) -> None:
    """What the loop asks is answered from what is left to do, however much was done before."""
    await journal.append(batch(event()))
    sql = STATEMENTS[name].replace("from_hex(value)", "value")
    plan = rows(path, f"EXPLAIN QUERY PLAN {sql}", *([0] * sql.count("?")))
    steps = [str(step[3]) for step in plan]
    assert any(f"INDEX {index}" in step for step in steps), steps


async def test_all_that_waits_is_read_in_its_order(journal: SqliteJournal, path: Path) -> None:
    """A page of all that was ever given up is found where it stands, and not sorted."""
    await journal.append(batch(event()))
    plan = rows(path, f"EXPLAIN QUERY PLAN {STATEMENTS['unopened_all']}", 0, 0, 9)
    assert [str(step[3]) for step in plan] == [
        "SEARCH unopened USING INTEGER PRIMARY KEY (rowid>?)"
    ]
