"""The audit trail in the browser: read, filtered, checked, taken away."""

from __future__ import annotations

import json
import sqlite3
from asyncio import to_thread
from contextlib import closing
from pathlib import Path

import pytest

from bridge.protocols.people import Role, TrailEntry
from tests.unit.bridge.console.desk import Desk


async def _write(desk: Desk, count: int, *, who: str = "ada", what: str = "search") -> None:
    for i in range(count):
        await desk.office.record(
            TrailEntry(at=desk.clock.now(), who=who, what=what, subject=f"s{i}", allowed=i % 2 == 0)
        )


async def test_lines_stand_newest_first_page_by_page(desk: Desk) -> None:
    """A hundred on a page, and a link to older ones with the same filter."""
    await _write(desk, 150)
    browser = await desk.browser(Role.AUDITOR)
    answer = await browser.get("/audit?who=ada")
    assert answer.text.index(">s149<") < answer.text.index(">s50<")
    assert ">s49<" not in answer.text
    assert 'href="/audit?who=ada&amp;before=51"' in answer.text
    assert ">s49<" in (await browser.get("/audit?who=ada&before=51")).text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("who=ada", 3),
        ("who=bo", 2),
        ("what=search", 3),
        ("subject=s0", 2),
        ("denied=1", 2),
        ("who=nobody", 0),
        ("from=2000-01-01&to=2100-01-01", 5),
        ("from=2100-01-01", 0),
        ("to=2000-01-01", 0),
    ],
)
async def test_filters_leave_out(desk: Desk, query: str, count: int) -> None:
    """By who, what, subject, day, and whether it was denied."""
    await _write(desk, 3)
    await _write(desk, 2, who="bo", what="view record")
    browser = await desk.browser(Role.AUDITOR)
    answer = await browser.get(f"/audit?{query}")
    assert answer.text.count('<th scope="row"') == count


@pytest.mark.parametrize("query", ["from=x", "to=2026-13-01", "before=x", "before=" + "9" * 40])
async def test_what_is_not_understood_is_said(desk: Desk, query: str) -> None:
    """A page with words, and no line."""
    browser = await desk.browser(Role.AUDITOR)
    answer = await browser.get(f"/audit?{query}")
    assert answer.status_code == 400
    assert "There is a problem" in answer.text


async def test_an_unbroken_trail_is_said_to_be(desk: Desk) -> None:
    """Up to its last line, with the value to compare with the log."""
    browser = await desk.browser(Role.AUDITOR)
    assert "has no line yet" in (await browser.get("/audit/check")).text
    await _write(desk, 3)
    answer = await browser.get("/audit/check")
    assert "unbroken up to line 4" in answer.text
    assert (await desk.trail())[3].chain.hex() in answer.text


async def test_a_changed_line_is_found(desk: Desk, tmp_path: Path) -> None:
    """Whoever has the file in hand can change a line, and not unseen."""
    await _write(desk, 3)

    def tamper() -> None:
        with closing(sqlite3.connect(tmp_path / "office.db")) as db, db:
            db.execute("DROP TRIGGER trail_never_changes")
            db.execute("UPDATE trail SET who = 'eve' WHERE number = 2")

    await to_thread(tamper)
    browser = await desk.browser(Role.AUDITOR)
    assert "broken at line 2" in (await browser.get("/audit/check")).text


async def test_the_whole_trail_is_taken_away(desk: Desk) -> None:
    """JSON Lines, oldest first, with the chain; that it was taken is its last line."""
    await _write(desk, 3)
    browser = await desk.browser(Role.AUDITOR)
    answer = await browser.get("/audit/export")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["what"] == "export trail"
    assert [line["chain"] for line in lines] == [each.chain.hex() for each in await desk.trail()]
    assert "attachment" in answer.headers["content-disposition"]


async def test_taking_it_away_asks_again_who_one_is(desk: Desk) -> None:
    """After ten minutes the password comes first."""
    browser = await desk.browser(Role.AUDITOR)
    desk.clock.advance(601)
    answer = await browser.get("/audit/export")
    assert answer.headers["location"] == "/prove?next=%2Faudit%2Fexport"
    assert await desk.trail() == ()
