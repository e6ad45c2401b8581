"""What lies on the disk: nothing anybody wrote, and nothing at all of what was destroyed."""

from __future__ import annotations

import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.canonical import Leaf
from bridge.errors import JournalKeyError
from bridge.lifecycle import EntryState
from bridge.model import Outcome, Reason, Sender
from bridge.protocols import Entry
from storage.journal import SqliteJournal
from storage.journal.cipher import JournalCipher
from storage.journal.rows import VerdictRow
from tests.fakes.samples import (
    JOURNAL_KEY,
    NOW,
    attachment,
    batch,
    event,
    loss,
    placement,
    sealing,
    seeded,
    spooled,
    verdict,
)
from tests.unit.storage.journal.files import every_byte, rows

SECRET = "Zangezur"
DISCARD = verdict(
    Outcome.DISCARD,
    reasons=[Reason(code="TRIVIAL", rule="t", start=0, end=8, text=SECRET)],
    context=[f"${SECRET}"],
    markings=[SECRET],
)


async def _discarded(journal: SqliteJournal, body: str) -> Entry:
    """A discard with an attachment in the spool."""
    told = event(
        f"${SECRET}",
        body=body,
        sender=Sender(id=f"@{SECRET}", display_name=SECRET),
        raw=body.encode(),
        upstream=(("room", SECRET),),
        attachments=[attachment(SECRET)],
    )
    await journal.append(batch(told))
    order = await journal.claim_download(now=NOW)
    assert order is not None
    await journal.downloaded(order, spooled(SECRET), at=NOW)
    await journal.judge([(order.seq, DISCARD)])
    entry = await journal.entry(order.seq)
    assert entry is not None
    await journal.seal([sealing(entry, body=body.encode(), media=1)])
    found = await journal.entry(entry.seq)
    assert found is not None
    return found


async def test_nothing_is_in_the_clear(journal: SqliteJournal, path: Path) -> None:
    """No text, name, id, file, reason, record, loss or document of a group is readable."""
    await _discarded(journal, SECRET * 3)
    await journal.append(batch(losses=[loss(detail=SECRET)]))
    await journal.queue(placement(body=SECRET.encode()))
    await journal.keep_body("matrix", SECRET.encode(), at=NOW)
    on_disk = every_byte(path)
    await journal.aclose()
    for each in (on_disk, every_byte(path)):
        assert SECRET.encode() not in each
        assert SECRET.lower().encode() not in each.lower()
        assert SECRET.encode("utf-16-le") not in each


async def test_the_file_is_its_owners_alone(journal: SqliteJournal, path: Path) -> None:
    """Nobody else on the machine may read the journal or its folder."""
    for each in path.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert journal is not None


@pytest.mark.parametrize("size", [1, 300, 3000, 50_000])
async def test_destroyed_bytes_are_gone(journal: SqliteJournal, path: Path, size: int) -> None:
    """After Forget no piece of the ciphertext stands in the database or its log, of any size."""
    await journal.append(batch(*(event(f"$before{i}") for i in range(20))))
    await journal.judge([(seq, verdict()) for seq in range(1, 21)])
    body = "".join(chr(97 + i % 26) for i in range(size))
    await _discarded(journal, body)
    await journal.append(batch(*(event(f"$after{i}") for i in range(20))))
    sealed = rows(
        path, "SELECT payload_sealed, record_sealed, verdict_sealed FROM entry WHERE seq = 21"
    )
    sealed += rows(path, "SELECT attachment_sealed, file_sealed FROM download")
    blobs = [blob for row in sealed for blob in row if isinstance(blob, bytes)]
    assert len(blobs) == 5
    pieces = [blob[at : at + 24] for blob in blobs for at in range(0, len(blob) - 23, 24)]
    before = every_byte(path)
    assert sum(piece in before for piece in pieces) > 0.9 * len(pieces)
    assert await journal.forget(discarded_before=NOW + timedelta(days=1), limit=9) == (SECRET,)
    after = every_byte(path)
    assert [piece for piece in pieces if piece in after] == []
    assert path.with_name("journal.db-wal").stat().st_size == 0


async def test_reason_codes_stay(journal: SqliteJournal, path: Path) -> None:
    """Of the verdict of a destroyed discard stay its codes, without any word of the message."""
    entry = await _discarded(journal, SECRET)
    await journal.forget(discarded_before=NOW + timedelta(days=1), limit=9)
    ((sealed, ident),) = rows(path, "SELECT verdict_sealed, ident FROM entry")
    assert isinstance(sealed, bytes)
    assert isinstance(ident, bytes)
    cipher = JournalCipher(JOURNAL_KEY, seeded())
    kept = cipher.open(sealed, type(DISCARD), column="verdict", row=ident)
    assert entry.verdict == DISCARD
    assert kept.reasons == (Reason(code="TRIVIAL", rule="t"),)
    assert (kept.outcome, kept.context, kept.markings) == (Outcome.DISCARD, (), ())
    assert VerdictRow(verdict=None, ident=ident).wordless(cipher) is None


async def test_forget_empties_the_log_even_of_nothing(journal: SqliteJournal, path: Path) -> None:
    """A Forget that was cut short before its last step is made good by the next one."""
    await journal.append(batch(event()))
    wal = path.with_name("journal.db-wal")
    assert wal.stat().st_size > 0
    await journal.forget(discarded_before=NOW, limit=9)
    assert wal.stat().st_size == 0


async def test_altered_bytes_are_noticed(journal: SqliteJournal, path: Path) -> None:
    """A payload that was changed in the file is damage, never content."""
    await journal.append(batch(event()))
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(length(payload_sealed))")
    with pytest.raises(JournalKeyError, match="payload"):
        await journal.entry(1)


async def test_swapped_bytes_are_noticed(journal: SqliteJournal, path: Path) -> None:
    """A payload that was moved to another row is damage too."""
    await journal.append(batch(event("$1"), event("$2")))
    other = "(SELECT payload_sealed FROM entry WHERE seq = 2)"
    rows(path, f"UPDATE entry SET payload_sealed = {other} WHERE seq = 1")  # noqa: S608
    assert await journal.entry(2) is not None
    with pytest.raises(JournalKeyError):
        await journal.entry(1)


async def test_leaves_are_in_the_log_as_they_were_given(journal: SqliteJournal, path: Path) -> None:
    """Leaves are opaque already and stand in the clear, byte for byte."""
    leaf = Leaf(kind="step", body=b'{"k":"step"}')
    await journal.queue(placement())
    (waiting,) = await journal.placements(limit=1)
    await journal.place(await journal.number(waiting), leaf=leaf)
    assert rows(path, "SELECT idx, kind, body FROM leaf") == [(0, leaf.kind, leaf.body)]


def test_this_sqlite_overwrites_what_it_frees() -> None:
    """The SQLite in use knows `secure_delete`; without it Forget would promise too much."""
    db = sqlite3.connect(":memory:")
    assert db.execute("PRAGMA secure_delete = ON").fetchone() == (1,)
    db.close()


async def test_a_damaged_row_costs_its_neighbours_nothing(
    journal: SqliteJournal, path: Path
) -> None:
    """A claim passes a row that does not open by, counts it, and gives the others."""
    await journal.append(batch(event("$1"), event("$2")))
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99) WHERE seq = 1")
    claimed = await journal.claim(EntryState.RECEIVED, now=NOW + timedelta(hours=1), limit=9)
    assert [entry.seq for entry in claimed] == [2]
    assert journal.damaged == 1
    journal.release([2])
    assert [
        e.seq
        for e in await journal.claim(EntryState.RECEIVED, now=NOW + timedelta(hours=1), limit=1)
    ] == [2]


async def test_a_damaged_version_hides_no_other(journal: SqliteJournal, path: Path) -> None:
    """A message is found by the version that opens; where none does, that is said."""
    await journal.append(batch(event("$1"), event("$1", revision="rescued")))
    (first, rescued) = await journal.claim(EntryState.RECEIVED, now=NOW, limit=9)
    stream = first.stream.id
    assert await journal.find_open(stream, "$1") == rescued
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99) WHERE seq = 2")
    assert await journal.find_open(stream, "$1") == first
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99)")
    with pytest.raises(JournalKeyError):
        await journal.find_open(stream, "$1")
