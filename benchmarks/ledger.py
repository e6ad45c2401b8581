"""Whether all that was said is in a journal and in its store: counted, after the recorder ended."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SAID = ("message", "edit", "reaction")
"""Kinds of what people do; besides them stand rosters, notices and late media."""

EVERY = 100
"""Of so many records one is read."""

_WANTED = ", ".join(f"'{kind}'" for kind in SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was found. ``lost`` counts what is not there once; ``unsettled`` what is on its way.

    ``skipped``: numbers left out in a stream. ``missing``: records that the journal has a receipt
    for and the store has not.
    """

    sent: int
    lost: int
    late: int
    skipped: int
    gaps: int
    captured: int
    review: int
    discarded: int
    unsettled: int
    stored: int
    missing: int
    read: int
    changed: int
    journal_mb: float

    @property
    def whole(self) -> bool:
        """Nothing is lost, late, unsettled, or other than it was."""
        wrong = (self.lost, self.late, self.skipped, self.gaps, self.unsettled)
        return not any((*wrong, self.missing, self.changed))


def balance(folder: Path, *, sent: int) -> Ledger:
    """Count what the recorder in ``folder`` has of so many messages. Blocks."""
    file = folder / "var" / "journal.db"
    store = folder / "var" / "store" / "v1" / "demo"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        outcomes = dict(
            database.execute(
                f"SELECT outcome, COUNT(*) FROM entry WHERE kind IN ({_WANTED}) GROUP BY outcome"  # noqa: S608 - our own words
            ).fetchall()
        )
        settled = "('stored', 'discarded', 'restricted')"
        (unsettled,) = _one(database, f"SELECT COUNT(*) FROM entry WHERE state NOT IN {settled}")  # noqa: S608
        (skipped,) = _one(
            database,
            "SELECT SUM(ABS(s.next_n - found.entries) + ABS(s.next_n - 1 - found.last))"
            " FROM stream s JOIN (SELECT sid, COUNT(*) AS entries, MAX(n) AS last"
            " FROM entry GROUP BY sid) found USING (sid)",
        )
        (late,) = _one(database, "SELECT COUNT(*) FROM entry WHERE late_ms IS NOT NULL")
        (gaps,) = _one(database, "SELECT COUNT(*) FROM gap")
        stored, missing, read, changed = _in_store(database, store)
    return Ledger(
        sent=sent,
        lost=abs(sent - sum(outcomes.values())),
        late=late,
        skipped=skipped,
        gaps=gaps,
        captured=outcomes.get("capture", 0),
        review=outcomes.get("review", 0),
        discarded=outcomes.get("discard", 0),
        unsettled=unsettled,
        stored=stored,
        missing=missing,
        read=read,
        changed=changed,
        journal_mb=file.stat().st_size / 1e6,
    )


def _one(database: sqlite3.Connection, statement: str) -> tuple[int, ...]:
    found: tuple[int | None, ...] = database.execute(statement).fetchone()
    return tuple(each or 0 for each in found)


def _in_store(database: sqlite3.Connection, store: Path) -> tuple[int, int, int, int]:
    """How many records the journal has receipts for; of these missing, read, and changed."""
    stored = missing = read = changed = 0
    rows = database.execute("SELECT key, digest FROM entry WHERE state = 'stored'")
    for key, digest in rows:
        stored += 1
        record = store / key
        if not record.is_file():
            missing += 1
        elif stored % EVERY == 0:
            read += 1
            changed += hashlib.sha256(record.read_bytes()).digest() != bytes(digest)
    return stored, missing, read, changed
