"""What SQLite adds to the office: the file, its schema, and what goes wrong with it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import ConfigError, JournalUnavailableError
from bridge.protocols import GroupStep, KeyTransfer, Request, RequestKind, StepKind
from storage.office import SqliteOffice, schema
from tests.patience import PATIENCE

STEP = GroupStep(
    kind=StepKind.PROPOSE,
    connector="matrix",
    group_id="!room:example.org",
    name=None,
    by="ada",
    at=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
    why="",
)
ORDER_ONE = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from bridge.protocols import GroupStep, StepKind
from storage.office import SqliteOffice

async def main():
    office = await SqliteOffice.open(Path(sys.argv[1]))
    await office.order(GroupStep(kind=StepKind.PROPOSE, connector="m", group_id="!a", name=None,
                                 by=sys.argv[2], at=datetime.now(UTC), why=""))
    await office.aclose()

asyncio.run(main())
"""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """An office file with one step in it."""
    file = tmp_path / "office.db"
    office = await SqliteOffice.open(file)
    await office.order(STEP)
    await office.aclose()
    return file


def run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Do something to the file from outside."""
    rows: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            rows += db.execute(statement).fetchall()
    return rows


async def test_the_file_is_private(tmp_path: Path) -> None:
    """The file, its write-ahead log and the folder made for it are for their owner only."""
    file = tmp_path / "var" / "office.db"
    office = await SqliteOffice.open(file)
    await office.order(STEP)
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in file.parent.iterdir()}
    folder = file.parent.stat().st_mode & 0o777
    await office.aclose()
    assert modes.pop("office.db") == 0o600
    assert set(modes.values()) == {0o600}
    assert folder == 0o700


async def test_the_file_is_durable(path: Path) -> None:
    """The file keeps a write-ahead log, and every connection writes through to the disk."""
    assert run(path, "PRAGMA journal_mode") == [("wal",)]
    office = await SqliteOffice.open(path)
    # White-box: `synchronous` belongs to a connection and cannot be seen from outside.
    rows = await office._db.execute_fetchall("PRAGMA synchronous")
    await office.aclose()
    assert [tuple(row) for row in rows] == [(2,)]


@pytest.mark.parametrize(("table", "kinds"), [("group_step", StepKind), ("request", RequestKind)])
async def test_the_schema_knows_every_kind(
    path: Path, table: str, kinds: type[StepKind | RequestKind]
) -> None:
    """The CHECK on `kind` holds exactly what a person may order or ask."""
    made = {row[0]: row[1] for row in run(path, "SELECT name, sql FROM sqlite_master")}
    listed = re.search(r"kind IN \(([^)]*)\)", str(made[table]))
    assert listed is not None
    assert re.findall(r"'(\w+)'", listed[1]) == [kind.value for kind in kinds]


@pytest.mark.parametrize("statement", ["UPDATE group_step SET why = 'x'", "DELETE FROM group_step"])
async def test_steps_are_never_altered(path: Path, statement: str) -> None:
    """Nobody changes or removes what was ordered."""
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        run(path, statement)


@pytest.mark.parametrize("statement", ["UPDATE request SET at = 'x'", "DELETE FROM request"])
async def test_requests_are_never_altered(path: Path, statement: str) -> None:
    """Nobody changes or removes what was asked."""
    office = await SqliteOffice.open(path)
    await office.ask(Request(kind=RequestKind.RECONCILE, by="ada", at=STEP.at))
    await office.aclose()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        run(path, statement)


async def test_a_newer_file_is_refused(path: Path) -> None:
    """A file of a newer version is left alone, with the remedy named."""
    run(path, "PRAGMA user_version = 999")
    with pytest.raises(ConfigError, match="newer version") as caught:
        await SqliteOffice.open(path)
    assert "newer version" in caught.value.hint
    assert run(path, "PRAGMA user_version") == [(999,)]


async def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    """Steps ordered under the first version are there beside the requests of this one."""
    file = tmp_path / "office.db"
    first = (await asyncio.to_thread(schema.migrations))[0]
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript(f"{first}\nPRAGMA user_version = 1;")
        db.execute(
            "INSERT INTO group_step (kind, connector, group_id, ordered_by, at, why)"
            " VALUES ('propose', 'matrix', '!a', 'ada', '2026-03-01T09:00:00+00:00', '')"
        )
    office = await SqliteOffice.open(file)
    assert await office.ask(Request(kind=RequestKind.RECONCILE, by="ada", at=STEP.at)) == 1
    assert [step.by for step in await office.steps(0)] == ["ada"]
    await office.aclose()
    known = len(await asyncio.to_thread(schema.migrations))
    assert run(file, "PRAGMA user_version") == [(known,)]


async def test_a_file_of_version_2_keeps_its_requests(tmp_path: Path) -> None:
    """They have the numbers they had, later ones go on from there, and none can be altered."""
    file = tmp_path / "office.db"
    before = (await asyncio.to_thread(schema.migrations))[:2]
    asked = Request(number=7, kind=RequestKind.RECONCILE_SOURCE, by="ada", at=STEP.at)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript("\n".join((*before, "PRAGMA user_version = 2;")))
        db.execute(
            "INSERT INTO request (number, kind, asked_by, at) VALUES (?, ?, ?, ?)",
            (asked.number, asked.kind.value, asked.by, asked.at.isoformat()),
        )
    office = await SqliteOffice.open(file)
    keys = KeyTransfer(connector="matrix", file=tmp_path / "k", passphrase_file=tmp_path / "p")
    later = replace(asked, number=8, kind=RequestKind.KEYS_IMPORT, keys=keys)
    assert await office.ask(later) == 8
    assert await office.requests(0) == (asked, later)
    await office.aclose()
    for statement in ("UPDATE request SET at = 'x'", "DELETE FROM request"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            run(file, statement)


@pytest.mark.parametrize(
    "values",
    [
        ("reconcile", "matrix", "/k", "/p"),
        ("keys_export", None, "/k", "/p"),
        ("keys_export", "matrix", None, "/p"),
        ("keys_import", "matrix", "/k", None),
        ("keys_import", "matrix", "k", "/p"),
        ("keys_import", "matrix", "/k", "hunter2"),
    ],
)
async def test_the_schema_refuses_half_a_request(
    path: Path, values: tuple[str | None, ...]
) -> None:
    """Keys are asked for with all details or none, and no secret fits where a path belongs."""
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as db,
        pytest.raises(sqlite3.IntegrityError, match="CHECK"),
    ):
        db.execute(
            "INSERT INTO request (kind, connector, file, passphrase_file, asked_by, at)"
            " VALUES (?, ?, ?, ?, 'ada', 'now')",
            values,
        )


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that SQLite cannot read is not overwritten."""
    file = tmp_path / "office.db"
    content = b"not a database, but longer than the header of one would be" * 20
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not a sound database"):
        await SqliteOffice.open(file)
    assert file.read_bytes() == content


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """What the file system refuses comes as our own error."""
    (tmp_path / "var").write_text("in the way")
    with pytest.raises(JournalUnavailableError, match=r"office\.db cannot be used"):
        await SqliteOffice.open(tmp_path / "var" / "office.db")


async def test_a_failed_migration_leaves_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that breaks off undoes all of itself, and can be run again."""
    file = tmp_path / "office.db"
    good = await asyncio.to_thread(schema.migrations)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: (*good, "CREATE TABLE more (a);\nNONSENSE;\n"))
        with pytest.raises(JournalUnavailableError):
            await SqliteOffice.open(file)
    assert run(file, "PRAGMA user_version", "SELECT name FROM sqlite_master") == [(0,)]
    await (await SqliteOffice.open(file)).aclose()
    assert run(file, "PRAGMA user_version") == [(len(good),)]


async def test_a_file_that_stays_locked_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that cannot be written is refused as unavailable, and nothing is lost."""
    monkeypatch.setattr(schema, "BUSY_MS", 0)
    office = await SqliteOffice.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailableError, match="locked") as caught:
            await office.order(STEP)
        other.execute("ROLLBACK")
    assert caught.value.retryable
    assert await office.order(STEP) == 2
    await office.aclose()


async def test_processes_that_come_first_at_once(tmp_path: Path) -> None:
    """Several processes that open a file nobody made yet all get their order in."""
    file = tmp_path / "office.db"

    def order_all() -> list[int]:
        command = [sys.executable, "-c", ORDER_ONE, str(file)]
        started = [subprocess.Popen([*command, f"p{i}"]) for i in range(3)]
        return [process.wait(timeout=PATIENCE) for process in started]

    assert await asyncio.to_thread(order_all) == [0, 0, 0]
    office = await SqliteOffice.open(file)
    assert {step.by for step in await office.steps(0)} == {"p0", "p1", "p2"}
    await office.aclose()
