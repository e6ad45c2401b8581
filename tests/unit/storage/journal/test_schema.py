"""The schema and the statements: whole, numbered, and answered by an index."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

import storage.journal
from bridge.lifecycle import EntryState
from bridge.model import GroupState, NoticeState, Outcome, Presence
from bridge.protocols import DownloadState
from storage.journal.statements import MIGRATIONS, STATEMENTS

SCHEMA = "\n".join(MIGRATIONS)


def _fresh() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    db.create_function("from_hex", 1, bytes.fromhex, deterministic=True)
    return db


def _checked(table: str, column: str) -> set[str]:
    """The words a CHECK allows."""
    with closing(_fresh()) as db:
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    found = re.search(rf"CHECK \({column} IN \(([^)]*)\)\)", sql)
    assert found is not None
    return set(re.findall(r"'(\w+)'", found[1]))


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("entry", "state", EntryState),
        ("entry", "outcome", Outcome),
        ("register", "state", GroupState),
        ("register", "notice", NoticeState),
        ("register", "presence", Presence),
        ("download", "state", DownloadState),
    ],
)
def test_the_checks_are_the_enums(
    table: str, column: str, words: type[EntryState | GroupState]
) -> None:
    """SQL allows exactly the words that the code knows."""
    assert _checked(table, column) == {word.value for word in words}


def test_migrations_are_numbered_without_holes() -> None:
    """Migration files count from 1, so that `user_version` says which ones ran."""
    names = sorted(
        entry.name
        for entry in (files("storage.journal") / "migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    assert [int(name.partition("_")[0]) for name in names] == list(range(1, len(names) + 1))
    assert len(names) == len(MIGRATIONS)


def _parameters(sql: str) -> dict[str, int] | list[int]:
    named = re.findall(r":(\w+)", sql)
    if named:
        return dict.fromkeys(named, 0)
    numbered = [int(number) for number in re.findall(r"\?(\d)", sql)]
    return [0] * (max(numbered) if numbered else sql.count("?"))


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_fits_the_schema(name: str) -> None:
    """Each statement is one that SQLite can prepare."""
    with closing(_fresh()) as db:
        db.execute(f"EXPLAIN {STATEMENTS[name]}", _parameters(STATEMENTS[name]))


def test_every_statement_is_used() -> None:
    """No statement is left over."""
    folder = Path(storage.journal.__file__).parent
    code = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    assert [name for name in STATEMENTS if f'"{name}"' not in code] == []


@pytest.mark.parametrize("state", ["received", "judged", "sealed"])
@pytest.mark.parametrize(("name", "lanes"), [("entry_due", 2), ("entry_due_to_store", 2)])
def test_work_is_found_by_its_index(name: str, lanes: int, state: str) -> None:
    """Looking for work reads what waits, in its order, never the whole journal."""
    parameters = {"state": state, "now": 0, "feasible": 0, "pressing": 0, "limit": 1}
    with closing(_fresh()) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {STATEMENTS[name]}", parameters)]
    assert len([step for step in plan if "USING INDEX entry_work (state=?)" in step]) == lanes
    # A lane is read row by row, as far as it is asked for.
    assert not [step for step in plan if "SCAN" in step and "SCAN (subquery" not in step]
    assert not [step for step in plan if "MATERIALIZE" in step]
    assert not [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step]


def test_what_presses_is_found_by_its_expiry() -> None:
    """The most pressing entry is read from an index, however much waits."""
    parameters = {"state": "sealed", "now": 0, "feasible": 0, "pressing": 0, "limit": 1}
    sql = STATEMENTS["entry_due_to_store"]
    with closing(_fresh()) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert any("USING INDEX entry_expiring (state=? AND expires_at>? AND" in step for step in plan)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("download_due", "download_work"),
        ("entry_manifest_due", "entry_manifest"),
        ("entry_manifest_places", "entry_manifest"),
        ("entry_filed", "entry_filed"),
        ("entry_undecided", "entry_undecided"),
        ("placement_known", "placement_number"),
        ("placement_highest", "placement_number"),
        ("entry_forgettable", "entry_discarded"),
        ("entry_roster", "entry_roster"),
        ("tally_pending", "entry_work"),
        ("tally_overdue", "entry_work"),
        ("placement_waiting", "placement_waiting"),
        ("counts_waiting", "entry_work"),
        ("counts_reviews", "entry_undecided"),
        ("counts_encrypted", "unopened_aging"),
        ("counts_downloads", "download_work"),
    ],
)
def test_frequent_questions_have_an_index(name: str, index: str) -> None:
    """What every loop asks is answered from an index of what is left to do."""
    sql = STATEMENTS[name]
    with closing(_fresh()) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", _parameters(sql))]
    assert any(f"INDEX {index}" in step for step in plan)
    assert not [step for step in plan if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", [name for name in STATEMENTS if not name.startswith("register")])
def test_no_statement_is_prepared_anew_each_time(name: str) -> None:
    """A bare parameter beside a column of a partial index would be looked at by the planner."""
    conditions = re.findall(r"\b(?:WHERE|AND|OR) (?:\w+\.)?(\w+) = [?:]", STATEMENTS[name])
    assert not {"state", "outcome", "manifest_due", "done", "gave_up", "said"} & set(conditions)


def test_places_with_rows_that_wait_are_found_among_these_rows_alone() -> None:
    """However much was ever filed, looking for the next place passes over none of it."""
    with closing(_fresh()) as db:
        sql = f"EXPLAIN QUERY PLAN {STATEMENTS['entry_manifest_places']}"
        plan = [row[3] for row in db.execute(sql)]
    looked_up = [step for step in plan if "entry" in step]
    assert len(looked_up) == 2
    assert all("INDEX entry_manifest" in step for step in looked_up)
