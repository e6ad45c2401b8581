"""What its sender said in other groups stands beside a message under review, for its reviewer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.model import Outcome, RelationType
from bridge.protocols import Label
from bridge.protocols.catalog import ListedReason, ListedRelation, Listing
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Desk
from tests.unit.bridge.console.test_review_backlog import MONDAY, stem, waiting
from tests.unit.bridge.console.told import GID, said, say, tell

OTHER, THIRD = "ff112233445566aa", "ee112233445566aa"
ASKED = "Should we award the ferry contract to the Scottish yard?"
AGAIN = "Did anybody object to the ferry contract going to the yard?"
HEADING = "Perhaps the same matter in other groups"


def _asked() -> Listing:
    return replace(waiting(1, MONDAY), body=ASKED)


def _there(n: int, body: str, *, gid: str = OTHER, hours: float = 2, by: str = "") -> Listing:
    listing = said(n, body, at=MONDAY + timedelta(hours=hours))
    return replace(
        listing,
        gid=gid,
        group_name="Ferries",
        stream=f"{n:016x}",
        key=(listing.key or "").replace(GID, gid),
        sender_id=by or listing.sender_id,
        reasons=(ListedReason(code="DECISION", rule="r"),),
    )


async def _page(desk: Desk, folder: Path, *others: Listing, groups: frozenset[str]) -> str:
    await tell(desk, folder, [_asked(), *others])
    browser = await desk.browser(Role.REVIEWER, groups=groups)
    answer = await browser.get(f"/review/{stem(_asked())}")
    assert answer.status_code == 200
    return answer.text


async def test_the_same_matter_in_another_group_is_shown_to_its_reviewer(
    desk: Desk, tmp_path: Path
) -> None:
    """With its group, and each message stands in the trail; what it replies to there does not."""
    there = replace(
        _there(7, AGAIN),
        relates_to=ListedRelation(type=RelationType.REPLY, upstream_id="$x", n=3),
    )
    page = await _page(desk, tmp_path, there, groups=frozenset())
    assert HEADING in page
    assert AGAIN in page
    assert "Ferries" in page
    assert "#n3-" not in page
    assert [(line.what, line.subject, line.details) for line in await desk.trail()] == [
        ("view review", stem(_asked()), ""),
        ("view review", stem(there), "said elsewhere"),
    ]


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(_there(7, AGAIN, by="@b:example.org"), id="by another person"),
        pytest.param(_there(7, AGAIN, hours=25), id="a day later"),
        pytest.param(_there(7, "The ferry is late again, the children are cold"), id="one word"),
        pytest.param(_there(7, AGAIN, gid=GID), id="in the same group"),
        pytest.param(_there(7, f"Scottish ferry: {' '.join(f'w{n:03}' for n in range(99))}"),
                     id="two words of hundreds"),
        pytest.param(
            replace(_there(7, AGAIN), body=None, key=None, outcome=Outcome.DISCARD), id="not kept"
        ),
    ],
)  # fmt: skip
async def test_what_shares_too_little_is_not_shown(
    desk: Desk, tmp_path: Path, there: Listing
) -> None:
    """Author, day and words must all agree."""
    assert HEADING not in await _page(desk, tmp_path, there, groups=frozenset())


async def test_only_the_groups_of_who_looks_count(desk: Desk, tmp_path: Path) -> None:
    """Whoever reviews for some groups sees and learns nothing of others."""
    there, allowed = _there(7, AGAIN), _there(8, AGAIN, gid=THIRD)
    assert HEADING not in await _page(desk, tmp_path, there, allowed, groups=frozenset({GID}))
    page = await _page(desk, tmp_path, there, allowed, groups=frozenset({GID, THIRD}))
    assert f"/groups/{THIRD}/" in page
    assert f"/groups/{OTHER}/" not in page


async def test_what_is_marked_as_sensitive_is_not_shown(desk: Desk, tmp_path: Path) -> None:
    """Not here either, to those who may not see it."""
    there = replace(_there(7, AGAIN), outcome=Outcome.REVIEW)
    await say(desk, [there], Label.PERSONAL)
    assert AGAIN not in await _page(desk, tmp_path, there, groups=frozenset())


async def test_few_are_shown_the_likest(desk: Desk, tmp_path: Path) -> None:
    """The nearest in words, then in time, in the order in which they were said."""
    alike = [_there(10 + n, f"{ASKED} ({n})", hours=n) for n in range(2)]
    less = [_there(20 + n, f"{AGAIN} ({n})", hours=5 + n) for n in range(4)]
    page = await _page(desk, tmp_path, *less, *alike, groups=frozenset())
    shown = sorted((*alike, *less), key=lambda each: page.find(f'id="n{each.n}-{each.stream}"'))
    assert [each.n for each in shown if f'id="n{each.n}-{each.stream}"' in page] == [10, 11, 20]


async def test_a_message_counts_once_however_often_it_was_edited(
    desk: Desk, tmp_path: Path
) -> None:
    """Its versions leave room for what was said in a third group."""
    first = _there(10, ASKED)
    edit = ListedRelation(type=RelationType.EDIT, upstream_id=first.upstream_id or "", n=10)
    versions = [
        replace(_there(10 + n, ASKED), stream=first.stream, relates_to=edit) for n in range(1, 5)
    ]
    third = _there(30, AGAIN, gid=THIRD)
    page = await _page(desk, tmp_path, first, *versions, third, groups=frozenset())
    assert page.count(f"/groups/{OTHER}/") == 1
    assert page.count(f"/groups/{THIRD}/") == 1


async def test_whoever_writes_much_is_not_passed_over(desk: Desk, tmp_path: Path) -> None:
    """What they said of other things, here and there, hides nothing; nor does the own name."""
    there = _there(7, f"{AGAIN} Ann", hours=1)
    here = [_there(100 + n, f"The ferry is late. ({n})", gid=GID, hours=3) for n in range(120)]
    others = [_there(300 + n, f"Ann, ferry, {n}", hours=4) for n in range(120)]
    page = await _page(desk, tmp_path, there, *here, *others, groups=frozenset())
    assert AGAIN in page


async def test_a_message_of_the_first_year_is_shown(desk: Desk, tmp_path: Path) -> None:
    """Whatever time its sender's clock had: the page is there."""
    early = MONDAY.replace(year=1, month=1, day=1)
    listing = replace(_asked(), sent_at=early, observed_at=early)
    await tell(desk, tmp_path, [listing])
    browser = await desk.browser(Role.REVIEWER)
    assert (await browser.get(f"/review/{stem(listing)}")).status_code == 200
