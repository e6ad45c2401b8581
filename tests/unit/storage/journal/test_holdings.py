"""What the journal holds is told though some of it is old or damaged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bridge.lifecycle import EntryState
from bridge.model import Digest, Outcome
from bridge.protocols import EarlierStream
from storage.journal import SqliteJournal
from tests.fakes.samples import (
    CONNECTOR,
    GROUP_ID,
    NOW,
    batch,
    event,
    placed_leaf,
    placement,
    proof,
    sealing,
    verdict,
)
from tests.unit.storage.journal.files import rows

LATER = NOW + timedelta(hours=1)


async def test_documents_of_version_1_have_a_digest(journal: SqliteJournal, path: Path) -> None:
    """Their digest was not kept: it is that of their bytes."""
    await journal.queue(placement(body=b"old"))
    (waiting,) = await journal.placements(limit=1)
    await journal.place(await journal.number(waiting), leaf=placed_leaf(waiting, number=0))
    rows(path, "UPDATE placement SET digest = NULL")
    (kept,) = await journal.kept_documents(after=0, limit=9)
    assert kept.digest == Digest.of(b"old")


async def _reviewed(journal: SqliteJournal, *names: str) -> None:
    await journal.append(batch(*(event(name) for name in names)))
    for entry in await journal.claim(EntryState.RECEIVED, now=LATER, limit=9):
        await journal.judge([(entry.seq, verdict(Outcome.REVIEW))])
    for entry in await journal.claim(EntryState.JUDGED, now=LATER, limit=9):
        await journal.seal([sealing(entry)])
    for entry in await journal.claim(EntryState.SEALED, now=LATER, limit=9):
        await journal.store([proof(entry)])


async def test_a_damaged_review_does_not_stand_before_others(
    journal: SqliteJournal, path: Path
) -> None:
    """What does not open is passed by, however few are asked for."""
    await _reviewed(journal, "$1", "$2")
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99) WHERE seq = 1")
    await journal.undecided(received_before=LATER, limit=9)
    assert [e.seq for e in await journal.undecided(received_before=LATER, limit=1)] == [2]


async def test_what_does_not_open_stays_in_its_stream(journal: SqliteJournal, path: Path) -> None:
    """A damaged entry costs the others nothing when its stream is replaced."""
    await journal.append(batch(event("$1"), event("$2")))
    (before,) = rows(path, "SELECT id FROM stream")
    rows(path, "UPDATE entry SET payload_sealed = zeroblob(99) WHERE seq = 1")
    earlier = EarlierStream(
        connector=CONNECTOR,
        group_id=GROUP_ID,
        stream=str(before[0]),
        last_n=7,
        since=None,
        until=NOW,
    )
    await journal.supersede([earlier], at=NOW)
    assert rows(path, "SELECT seq, sid, n FROM entry ORDER BY seq") == [(1, 1, 0), (2, 2, 0)]
    assert rows(path, "SELECT next_n FROM stream ORDER BY sid") == [(2,), (1,)]
    moved = await journal.entry(2)
    assert moved is not None
    assert moved.event.upstream_id == "$2"
