"""The overview: what comes in, what waits, what is missing, what is wrong; and no content."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from bridge.console import plots
from bridge.console.pages.groups import GroupView
from bridge.console.pages.overview import (
    against_timers,
    backlog,
    by_age,
    covered,
    per_day,
)
from bridge.console.standing import Standing
from bridge.errors import JournalUnavailableError, LogUnavailableError
from bridge.model import Group, GroupState, Loss, Outcome, Timer
from bridge.protocols import Voucher
from bridge.protocols.catalog import DayCount
from bridge.protocols.people import Role
from storage.catalog import SqliteCatalog
from tests.unit.bridge.console.desk import Browser, Desk, OpenLedger, console_over

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
TODAY = NOW.date()


class FixedRecorder:
    """Implements :class:`bridge.console.standing.Recorder` with what a test says."""

    def __init__(self, found: Standing | LogUnavailableError) -> None:
        self._found = found

    async def standing(self) -> Standing:
        """What the test says."""
        if isinstance(self._found, LogUnavailableError):
            raise self._found
        return self._found


def view(gid: str, *, timer: float | None = None) -> GroupView:
    """A group of the register."""
    register = Group(
        connector="matrix",
        platform="matrix",
        group_id=f"!{gid}",
        name=gid,
        state=GroupState.ACTIVE,
        timer=None if timer is None else Timer(seconds=timer, basis="sent"),
    )
    return GroupView(gid=gid, name=gid, platform="matrix", register=register, listed=None)


def count(gid: str, back: int, *, captured: int = 0, review: int = 0) -> DayCount:
    """A day so many days ago."""
    day = (TODAY - timedelta(days=back)).isoformat()
    return DayCount(gid=gid, day=day, captured=captured, review=review, discarded=1)


async def opened(desk: Desk, found: Standing | LogUnavailableError, role: Role) -> Browser:
    """A browser of somebody, on a console beside such a recorder."""
    parts = replace(desk.parts, recorder=FixedRecorder(found))
    app = await asyncio.to_thread(console_over, parts)
    known = await desk.browser(role)
    browser = Browser(app)
    browser.cookies = known.cookies
    desk.browsers.append(browser)
    return browser


async def test_the_overview_says_what_is_wrong_and_how_the_log_stands(desk: Desk) -> None:
    """Alarms come first; a witness's trouble is told in its words."""
    standing = Standing(
        runs=True,
        alarms=("The store does not answer.", "<b>loud</b>"),
        capture_delay=2.5,
        store="s3://records",
        log_size=1234,
        checkpoint_at=desk.clock.now() - timedelta(seconds=90),
        vouchers=(Voucher(kind="witness", name="w1", trouble="It does not answer."),),
    )
    browser = await opened(desk, standing, Role.AUDITOR)
    answer = await browser.get("/overview")
    assert answer.status_code == 200
    for words in (
        "The store does not answer.", "1,234", "90 seconds", "has not vouched", "It does not ans",
        "2.5 seconds", "s3://records", "&lt;b&gt;loud",
    ):  # fmt: skip
        assert words in answer.text, words
    assert "style=" not in answer.text
    assert "does not run" not in answer.text


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (True, "in the last 10 minutes, it stored no new message that had nothing to wait for"),
        (False, "No delay is known while the recorder does not run."),
    ],
)
async def test_a_delay_that_is_not_known_says_why(desk: Desk, *, runs: bool, said: str) -> None:
    """Not that nothing was stored: what waited for something tells nothing of the delay."""
    browser = await opened(desk, Standing(runs=runs), Role.AUDITOR)
    answer = await browser.get("/overview")
    assert said in " ".join(answer.text.split())


async def test_the_overview_has_no_content_and_counts_what_is_decided_now(desk: Desk) -> None:
    """An operator, who may not read, sees numbers."""
    browser = await opened(desk, Standing(runs=False), Role.OPERATOR)
    answer = await browser.get("/overview")
    assert "nothing is recorded" in answer.text
    said = {each.body for each in desk.listings.values() if each.body and len(each.body) > 9}
    assert not any(body in answer.text for body in said)
    reviews = Counter(e.gid for e in desk.listings.values() if e.outcome is Outcome.REVIEW)
    for number in reviews.values():
        assert f'govuk-table__cell--numeric">{number}</td>' in answer.text
    for plot in re.findall(r"<svg.*?</svg>", answer.text, re.DOTALL):
        assert ET.fromstring(plot).get("aria-label")  # noqa: S314 - our own page


async def test_the_overview_is_of_the_groups_that_somebody_is_for(desk: Desk) -> None:
    """Others are not counted, nor named."""
    gids = sorted({each.gid for each in desk.listings.values()})
    browser = await desk.browser(Role.READER, groups=frozenset({gids[0]}))
    answer = await browser.get("/overview")
    assert f"/groups/{gids[0]}" in answer.text
    assert f"/groups/{gids[1]}" not in answer.text


async def test_what_cannot_be_read_is_said(desk: Desk, tmp_path: Path) -> None:
    """Each part that cannot be had leaves the rest."""
    browser = await opened(desk, LogUnavailableError("log.db is locked."), Role.READER)
    answer = await browser.get("/overview")
    assert (answer.status_code, "log.db is locked." in answer.text) == (200, True)
    parts = replace(
        desk.parts,
        ledger=OpenLedger(JournalUnavailableError("There is no journal yet.")),
        catalog=SqliteCatalog(tmp_path / "none.db"),
    )
    for bare in (parts, replace(parts, catalog=desk.parts.catalog)):
        browser = Browser(await asyncio.to_thread(console_over, bare), host="localhost:1")
        browser.cookies = desk.browsers[-1].cookies
        answer = await browser.get("/overview")
        await browser.aclose()
        assert answer.status_code == 200
        assert "There is no journal yet." in answer.text
    await parts.catalog.aclose()


def test_days_are_counted_over_all_groups_and_none_is_left_out() -> None:
    """Thirty days, the oldest first, the quiet ones with zeros."""
    days = per_day([count("a", 0, captured=2), count("b", 0, captured=3), count("a", 40)], TODAY)
    assert len(days) == 30
    assert (days[-1].day, days[-1].captured, days[-1].discarded) == ("2026-03-31", 5, 2)
    assert sum(each.captured + each.discarded for each in days[:-1]) == 0


def test_the_backlog_has_the_oldest_first() -> None:
    """Only groups of which something waits, with the age of the oldest of it."""
    groups = [view("a"), view("b"), view("c")]
    counts = [count("a", 3, review=2), count("a", 1, review=1), count("b", 20, review=1)]
    found = backlog(groups, [*counts, count("c", 9)], TODAY)
    assert [(each.group.gid, each.number, each.oldest) for each in found] == [
        ("b", 1, 20),
        ("a", 3, 3),
    ]
    assert by_age(counts, TODAY) == [
        ("up to a day", 1),
        ("2 to 7 days", 2),
        ("8 to 14 days", 0),
        ("over 14 days", 1),
    ]


def test_the_shortest_timer_comes_first_with_the_part_that_recording_takes() -> None:
    """A group without a timer is none of them."""
    groups = [view("a", timer=100), view("b"), view("c", timer=10)]
    found = against_timers(groups, 5.0)
    assert [(each.group.gid, each.share) for each in found] == [("c", 0.5), ("a", 0.05)]
    assert [each.share for each in against_timers(groups, None)] == [None, None]


def test_gaps_are_cut_to_the_period_and_overlaps_count_once() -> None:
    """One that has no end goes on until now."""
    since = NOW - timedelta(days=30)

    def loss(start: float | None, end: float | None) -> Loss:
        return Loss(
            group_id="!a",
            why="offline",
            since=None if start is None else NOW - timedelta(hours=start),
            until=None if end is None else NOW - timedelta(hours=end),
        )

    found = covered(
        view("a"),
        [loss(10, 8), loss(9, 7), loss(2, None), loss(9999, 9000)],
        since=since,
        until=NOW,
    )
    assert found.hours == pytest.approx(5)
    assert len(found.losses) == 3
    assert found.marks[-1][1] == 1


def test_a_pause_takes_its_own_time_and_an_attachment_none() -> None:
    """The two gaps of a pause are its beginning and its end; one of an attachment has no time."""
    since = NOW - timedelta(days=28)
    began = Loss(group_id="!a", why="paused", since=NOW - timedelta(hours=3))
    ended = Loss(group_id="!a", why="paused", until=NOW - timedelta(hours=2))
    attachment = Loss(group_id="!a", why="media_not_obtained")
    found = covered(view("a"), [began, ended, attachment], since=since, until=NOW)
    assert found.hours == pytest.approx(1)
    assert len(found.losses) == 2
    assert len(found.marks) == 1
    lasting = covered(view("a"), [began], since=since, until=NOW)
    assert lasting.hours == pytest.approx(3)


@pytest.mark.parametrize(
    ("number", "end"), [(0, 1), (1, 1), (3, 5), (6, 10), (11, 20), (99, 100), (450, 500)]
)
def test_a_scale_ends_at_a_round_number(number: float, end: float) -> None:
    """At the next of 1, 2 or 5 times a power of ten."""
    assert plots.round_up(number) == end


@pytest.mark.parametrize(
    "plot",
    [
        plots.stacked("<t>", [], []),
        plots.stacked(
            "t", ["a", "b"], [plots.Series(name="<n>", colour=plots.GOOD, numbers=[0, 3])]
        ),
        plots.lanes(
            "t", [plots.Lane(name='"<\u202e' + "x" * 99, marks=[(0, 0.5), (1, 1)])], "a", "b"
        ),
        plots.bars('t"', [("a&b", 0.0), ("c", 1234.5)], " %"),
    ],
)
def test_plots_are_sound_without_style_or_script(plot: Markup) -> None:
    """Whatever names come; nothing in them needs what the policy of the page forbids."""
    svg = ET.fromstring(str(plot))  # noqa: S314 - our own plot
    assert svg.get("role") == "img"
    for element in svg.iter():
        assert element.tag in {"svg", "rect", "line", "text"}
        assert not {name for name in element.attrib if name == "style" or name.startswith("on")}
