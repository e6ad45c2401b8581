"""Accounts, sessions and the trail, as whoever runs the console relies on them."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.protocols.people import Account, Role, Session, TrailEntry
from storage.office.people import SqlitePeople

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[SqlitePeople]:
    """An office that nobody uses yet."""
    opened = await SqlitePeople.open(tmp_path / "office.db")
    yield opened
    await opened.aclose()


def session(*, seen_at: datetime = NOON, digest: bytes = b"d" * 32) -> Session:
    """A session of a reader of one group."""
    return Session(
        digest=digest,
        name="jo",
        roles=frozenset({Role.READER}),
        groups=frozenset({"0" * 16}),
        csrf="token",
        began_at=NOON,
        seen_at=seen_at,
        proved_at=NOON,
    )


async def test_an_account_is_made_once_under_its_name(people: SqlitePeople) -> None:
    """A second one of that name changes nothing."""
    account = Account(
        name="jo", roles=frozenset({Role.OWNER, Role.AUDITOR}), groups=frozenset({"ab"})
    )
    assert await people.create_account(account, at=NOON)
    assert not await people.create_account(
        Account(name="jo", roles=frozenset({Role.READER})), at=NOON
    )
    assert await people.account("jo") == account
    assert await people.account("Jo") is None
    assert await people.accounts() == (account,)


async def test_an_account_changes_under_its_name(people: SqlitePeople) -> None:
    """All but its name and who it is elsewhere."""
    account = Account(name="jo", roles=frozenset({Role.READER}), subject="issuer 1", password="p")
    assert not await people.change_account(account)
    assert await people.create_account(account, at=NOON)
    changed = Account(
        name="jo",
        roles=frozenset({Role.AUDITOR}),
        groups=frozenset({"ab"}),
        disabled=True,
        subject="issuer 2",
    )
    assert await people.change_account(changed)
    assert await people.account("jo") == replace(changed, subject="issuer 1")


async def test_who_signs_in_elsewhere_has_one_account(people: SqlitePeople) -> None:
    """It is found by who that is there; many have nothing there."""
    account = Account(name="jo", roles=frozenset({Role.READER}), subject="issuer 1")
    assert await people.create_account(account, at=NOON)
    assert await people.account_of("issuer 1") == account
    assert await people.account_of("issuer 2") is None
    for name, subject, is_made in (
        ("al", "issuer 1", False),
        ("al", None, True),
        ("bo", None, True),
    ):
        other = Account(name=name, roles=frozenset({Role.READER}), subject=subject)
        assert await people.create_account(other, at=NOON) is is_made


async def test_a_session_is_there_until_it_is_ended(people: SqlitePeople) -> None:
    """It reads back as it began, and moves on when it is used."""
    await people.begin_session(session())
    assert await people.session(b"d" * 32) == session()
    later = NOON + timedelta(minutes=1)
    await people.touch_session(b"d" * 32, seen_at=later)
    found = await people.session(b"d" * 32)
    assert found is not None
    assert (found.seen_at, found.proved_at) == (later, NOON)
    await people.touch_session(b"d" * 32, seen_at=later, proved_at=later)
    found = await people.session(b"d" * 32)
    assert found is not None
    assert found.proved_at == later
    await people.end_session(b"d" * 32)
    assert await people.session(b"d" * 32) is None


async def test_sessions_that_nobody_used_are_swept(people: SqlitePeople) -> None:
    """Those used since stay."""
    await people.begin_session(session())
    await people.begin_session(session(digest=b"e" * 32, seen_at=NOON + timedelta(hours=1)))
    assert await people.end_sessions(seen_before=NOON + timedelta(minutes=30)) == 1
    assert await people.session(b"d" * 32) is None
    assert await people.session(b"e" * 32) is not None


async def test_the_trail_reads_back_newest_first(people: SqlitePeople) -> None:
    """In pages, and for one person alone."""
    for i in range(5):
        entry = TrailEntry(
            at=NOON + timedelta(seconds=i), who="jo" if i % 2 else "al", what="search"
        )
        assert await people.record(entry) == i + 1
    page = await people.trail(limit=2)
    assert [each.number for each in page] == [5, 4]
    assert [each.number for each in await people.trail(before=4, limit=9)] == [3, 2, 1]
    assert [each.number for each in await people.trail(limit=9, who="jo")] == [4, 2]


async def test_a_line_that_was_changed_or_taken_out_breaks_the_chain(
    people: SqlitePeople, tmp_path: Path
) -> None:
    """Whoever gets round the triggers is found out, and which line it was."""
    for i in range(4):
        await people.record(TrailEntry(at=NOON, who="jo", what="view record", subject=f"{i}"))
    assert await people.broken_trail() is None
    with sqlite3.connect(tmp_path / "office.db") as db, pytest.raises(sqlite3.DatabaseError):
        db.execute("DELETE FROM trail WHERE number = 2")
    db.execute("DROP TRIGGER trail_never_goes")
    db.execute("DELETE FROM trail WHERE number = 2")
    db.commit()
    db.close()
    assert await people.broken_trail() == 3


async def test_two_processes_append_to_one_chain(people: SqlitePeople, tmp_path: Path) -> None:
    """The console and the recorder's own one may run at once."""
    other = await SqlitePeople.open(tmp_path / "office.db")
    try:
        lines = [TrailEntry(at=NOON, who="jo", what="search", subject=f"{i}") for i in range(20)]
        await asyncio.gather(*(each.record(line) for line in lines for each in (people, other)))
    finally:
        await other.aclose()
    assert len(await people.trail(limit=99)) == 40
    assert await people.broken_trail() is None


async def test_the_last_line_of_a_day_stands_for_all_before_it(people: SqlitePeople) -> None:
    """Its number and chain are what the log is told of the day."""
    assert await people.trail_digest(until=NOON) is None
    await people.record(TrailEntry(at=NOON - timedelta(hours=1), who="jo", what="search"))
    await people.record(TrailEntry(at=NOON + timedelta(hours=1), who="jo", what="search"))
    found = await people.trail_digest(until=NOON)
    (_, first) = await people.trail(limit=2)
    assert found == (1, first.chain)


async def test_a_name_that_is_no_unicode_is_refused_before_anything_is_shown(
    people: SqlitePeople,
) -> None:
    """A lone surrogate cannot stand in the chain."""
    with pytest.raises(Exception, match="canonical"):
        await people.record(TrailEntry(at=NOON, who="jo", what="search", details="\ud800"))
    assert await people.trail(limit=1) == ()


async def test_another_process_does_not_take_the_file_away(
    people: SqlitePeople, tmp_path: Path
) -> None:
    """A recorder with a console in its process opens the office twice; locks of both hold."""
    await people.accounts()
    again = await SqlitePeople.open(tmp_path / "office.db")
    path = str(tmp_path / "office.db")
    script = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        " db.execute(\"INSERT INTO account VALUES ('al', '[]', '[]', NULL, 0, '', NULL)\");"
        " db.commit(); db.close()"
    )
    command = [sys.executable, "-c", script, path]
    await asyncio.to_thread(subprocess.run, command, check=True)
    assert await people.account("al") is not None
    assert await again.account("al") is not None
    await again.aclose()
