"""What whoever watches the demonstration sees."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console, Group

from bridge.demo.desk import new_desk
from bridge.demo.screen import Screen
from bridge.demo.view import DemoEntry
from bridge.lifecycle import EntryState
from bridge.model import EventKind, Outcome

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
DESK = new_desk("http://127.0.0.1:1")


@pytest.fixture
def screen() -> Screen:
    """A terminal of 40 lines."""
    console = Console(file=io.StringIO(), width=150, height=40, force_terminal=True)
    return Screen(console, people={}, groups={})


def entry(n: int) -> DemoEntry:
    """A message with so many reasons that its row takes several lines."""
    return DemoEntry(
        group_id="!room",
        upstream_id=f"${n}",
        kind=EventKind.MESSAGE,
        state=EntryState.STORED,
        outcome=Outcome.CAPTURE,
        reasons=("DECISION", "RATIONALE", "COMMITMENT", "EXTERNAL"),
        body=f"number {n}.",
        stored_at=AT,
        sent_at=AT,
        expires_at=None,
        key=None,
    )


def test_the_messages_leave_the_accounts_in_sight(screen: Screen) -> None:
    """The table takes what lines the accounts and suggestions leave, and shows the latest."""
    above = screen.height(Group(screen.desk(DESK), screen.suggestions(DESK)))
    entries = [entry(n) for n in range(100)]
    drawing = screen.live(entries, "caption", above=above)
    assert above > 10
    assert above + screen.height(drawing) < 40
    screen.console.print(drawing)
    assert "number 99." in shown(screen)


def test_both_accounts_are_told_with_their_passwords(screen: Screen) -> None:
    """Nobody could sign in otherwise, nor release a hold alone."""
    screen.console.print(screen.desk(DESK))
    for clerk in DESK.clerks:
        assert clerk.password in shown(screen)
        assert clerk.password not in repr(clerk)
    assert DESK.manager.password != DESK.authority.password


def test_what_is_wrong_with_the_console_is_said(screen: Screen) -> None:
    """And nothing in it steers the terminal."""
    said = screen.inspected(DESK, "the record shows \x1b[2J").plain
    assert said == "The console is not as expected: the record shows ·[2J"
    assert "verified against the log" in screen.inspected(DESK, "").plain


def shown(screen: Screen) -> str:
    """What the terminal got."""
    file = screen.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()
