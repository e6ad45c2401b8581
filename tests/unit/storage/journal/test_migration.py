"""A journal that version 1 wrote is this version's after one start, with all that was in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge import keys
from bridge.errors import JournalSchemaError, JournalUnavailableError
from bridge.lifecycle import EntryState
from bridge.model import Event, GroupTimer, Outcome, Timer
from storage.journal import SqliteJournal, core
from storage.journal.cipher import JournalCipher
from storage.journal.rows import to_ms
from storage.journal.statements import MIGRATIONS
from tests.fakes.samples import (
    BLIND_KEY,
    CONNECTOR,
    GROUP_ID,
    JOURNAL_KEY,
    NOW,
    PLATFORM,
    attachment,
    batch,
    event,
    seeded,
    verdict,
)
from tests.unit.storage.journal.files import content, looked_at, opened, rows

GID = keys.group_gid(BLIND_KEY, PLATFORM, GROUP_ID)
STREAM = keys.stream_id(b"x" * 32, PLATFORM, GROUP_ID)
DAY = f"{GID}/2026/03/01"
TIMER = Timer(seconds=40.0, basis="m.room.retention")


class VersionOne:
    """Writes a journal as version 1 did, with its statements."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher = JournalCipher(JOURNAL_KEY, seeded())
        path.parent.mkdir()
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN;\n{MIGRATIONS[0]}\nPRAGMA user_version = 1;\nCOMMIT;")
        check = self._cipher.seal_bytes(core.KEY_CHECK, column="key_check", row=b"")
        self._insert("meta", ["key_check", check])
        self._insert(
            "register",
            [
                CONNECTOR,
                GROUP_ID,
                PLATFORM,
                "Flood cell",
                "active",
                "posted",
                "joined",
                "",
                0,
                1,
                1,
            ],
        )
        key = self._cipher.seal_bytes(b"x" * 32, column="stream_key", row=STREAM.encode())
        self._insert("stream", [1, STREAM, CONNECTOR, GROUP_ID, GID, key, 5, to_ms(NOW), None])

    def _insert(self, table: str, values: Sequence[int | str | bytes | None]) -> None:
        marks = ", ".join("?" * len(values))
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - a table's name

    def entry(self, seq: int, state: str, outcome: Outcome | None, *, area: str = "") -> None:
        """An entry in ``state``, with a record under ``area`` if it has one."""
        said = event(f"${seq}", timer=TIMER)
        ident = keys.identity(BLIND_KEY, STREAM, said.upstream_id, None)
        decided = verdict(outcome) if outcome else None
        key = f"{area}/{PLATFORM}/{DAY}/090000000-{seq:012d}-{seq:016x}.json" if area else None
        if key:
            self._insert("leaf", [seq, "seen", b"{}"])
        self._insert(
            "entry",
            [
                seq,
                1,
                seq - 1,
                ident,
                said.kind.value,
                to_ms(NOW),
                to_ms(NOW + timedelta(seconds=30)),
                to_ms(NOW + timedelta(seconds=40)),
                state,
                outcome.value if outcome else None,
                self._cipher.seal(_as_version_1(said), column="payload", row=ident),
                self._cipher.seal(decided, column="verdict", row=ident) if decided else None,
                self._cipher.seal_bytes(b"{}", column="record", row=ident) if key else None,
                bytes(32) if key else None,
                key,
                seq if key else None,
                *(to_ms(NOW) if state == "stored" else None, None),
                *(0, 0, None, int(bool(key))),
            ],
        )

    def order(self, seq: int) -> None:
        """A waiting download of an entry."""
        ident = keys.identity(BLIND_KEY, STREAM, f"${seq}", None)
        sealed = self._cipher.seal(attachment(), column="attachment", row=ident)
        due = to_ms(NOW + timedelta(seconds=30))
        self._insert("download", [seq, seq, 0, "waiting", due, sealed, None, 0, 0, None])


def _as_version_1(said: Event) -> dict[str, object]:
    """What version 1 sealed: an event had no timer of its own then."""
    names = [each.name for each in fields(said) if each.name != "own_timer"]
    return {name: getattr(said, name) for name in names}


@pytest.fixture
def old(path: Path) -> Path:
    """A journal of version 1 with an entry in each state that matters, and a waiting download."""
    version = VersionOne(path)
    version.entry(1, "received", None)
    version.entry(2, "sealed", Outcome.CAPTURE, area="records")
    version.entry(3, "stored", Outcome.REVIEW, area="review")
    version.entry(4, "discarded", Outcome.DISCARD, area="records")
    version.entry(5, "stored", Outcome.CAPTURE, area="records")
    version.order(5)
    return path


async def test_places_are_filled_from_keys(old: Path) -> None:
    """Each entry with a record knows its group's day, in either area; what has none has none."""
    journal = await opened(old)
    await journal.aclose()
    assert rows(old, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert rows(old, "SELECT seq, place FROM entry ORDER BY seq") == [
        (1, None),
        (2, DAY),
        (3, DAY),
        (4, DAY),
        (5, DAY),
    ]


async def test_everything_is_still_there(old: Path) -> None:
    """Entries open as they were, the group has no timer yet, and work goes on."""
    journal = await opened(old)
    (group,) = await journal.groups()
    assert (group.group_id, group.listed, group.timer) == (GROUP_ID, True, None)
    found = await journal.after(0, limit=9)
    assert [entry.event.upstream_id for entry in found] == ["$1", "$2", "$3", "$4", "$5"]
    assert {entry.event.timer for entry in found} == {TIMER}
    assert {entry.event.own_timer for entry in found} == {None}
    assert (await journal.append(batch(event("$1"), event("$6")))).repeated == 1
    assert [e.seq for e in await journal.claim(EntryState.SEALED, now=NOW, limit=9)] == [2]
    await journal.aclose()


async def test_old_deadlines_are_kept(old: Path) -> None:
    """A timer told now does not take away what version 1 cannot say the reason of."""
    journal = await opened(old)
    told = replace(batch(event("$6", timer=90.0)), timers=(GroupTimer(group_id=GROUP_ID),))
    await journal.append(told)
    await journal.append(replace(told, events=()))
    found = await journal.after(0, limit=9)
    assert {entry.expires_at for entry in found[:5]} == {NOW + timedelta(seconds=40)}
    assert found[5].expires_at is None
    order = await journal.claim_download(now=NOW)
    assert order is not None
    assert order.due == NOW + timedelta(seconds=30)
    await journal.aclose()


async def test_a_migration_that_breaks_off_leaves_version_1(old: Path) -> None:
    """All of a migration is done or none of it, and it can be run again."""
    rows(old, "CREATE TABLE saying (x)")
    with pytest.raises(JournalUnavailableError, match="schema 2"):
        await opened(old)
    assert rows(old, "PRAGMA user_version") == [(1,)]
    columns = rows(old, "SELECT name FROM pragma_table_info('entry')")
    assert ("place",) not in columns
    rows(old, "DROP TABLE saying")
    await (await opened(old)).aclose()
    assert rows(old, "PRAGMA user_version") == [(len(MIGRATIONS),)]


async def test_who_only_looks_does_not_migrate(old: Path) -> None:
    """A reader names the remedy and leaves the file as it is."""
    before = content(old)
    with pytest.raises(JournalSchemaError, match="schema 1") as refusal:
        await looked_at(old)
    assert "muniment run" in refusal.value.hint
    assert content(old) == before


async def test_version_1_refuses_this_version(
    journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that knows one migration does not touch what more of them made."""
    await journal.aclose()
    before = content(path)
    monkeypatch.setattr(core, "MIGRATIONS", MIGRATIONS[:1])
    for opener in (opened, looked_at):
        with pytest.raises(JournalSchemaError, match=f"schema {len(MIGRATIONS)}"):
            await opener(path)
    assert content(path) == before
