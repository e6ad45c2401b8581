"""Downloads and who may have them: asked again at each fetch; every search for one is told."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from bridge import keys
from bridge.model import Outcome
from bridge.protocols import DecisionOrder, Label
from bridge.protocols.catalog import Listing
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Browser, Desk
from tests.unit.bridge.console.proving import kept
from tests.unit.bridge.console.test_downloads import prepared

ENDINGS = ("bag.tar", "records.jsonl", "table.csv")


async def _statuses(browser: Browser, path: str) -> set[int]:
    found = {(await browser.get(f"{path}/{ending}")).status_code for ending in ENDINGS}
    return found | {(await browser.get(f"{path}/bag.tar", range="bytes=0-")).status_code}


async def _mark(desk: Desk, listing: Listing, outcome: Outcome, label: Label | None) -> None:
    assert desk.parts.orders is not None
    order = DecisionOrder(
        stream=listing.stream,
        n=listing.n,
        outcome=outcome,
        by="al",
        at=desk.clock.now(),
        why="family",
        label=label,
    )
    await desk.parts.orders.decide(order)


async def test_a_download_is_of_the_groups_that_its_owner_is_for_now(desk: Desk) -> None:
    """Whoever came to be for other groups gets nothing of what was prepared before."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    listing = kept(desk)[0]
    path = await prepared(desk, browser, {"stem": [keys.stem_of(listing.key or "")]})
    account = await desk.office.account("jo")
    assert account is not None
    await desk.office.change_account(replace(account, groups=frozenset({"0" * 16})))
    assert await _statuses(browser, path) == {409}
    assert "Prepare it once more" in (await browser.get(f"{path}/records.jsonl")).text
    last = (await desk.trail())[-1]
    assert (last.what, last.subject, last.allowed) == (
        "denied",
        f"download {path.rpartition('/')[2]}",
        False,
    )
    await desk.office.change_account(replace(account, groups=frozenset({listing.gid})))
    assert await _statuses(browser, path) == {200, 206}


async def test_what_was_marked_since_is_not_downloaded(desk: Desk) -> None:
    """Marked as sensitive, it is for others to see until somebody decides."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    listing = kept(desk)[0]
    path = await prepared(desk, browser, {"selection": f"group={listing.gid}"})
    await _mark(desk, listing, Outcome.REVIEW, Label.PERSONAL)
    assert await _statuses(browser, path) == {409}
    await _mark(desk, listing, Outcome.CAPTURE, None)
    assert await _statuses(browser, path) == {200, 206}


@pytest.mark.parametrize("words", ["agreed", " OR ".join(f"word{i}" for i in range(60))])
async def test_every_search_for_a_download_stands_in_the_trail(desk: Desk, words: str) -> None:
    """Whole: when it only says how much there would be, and when that is prepared."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    link = urlencode({"q": words})
    await browser.get(f"/downloads?{link}")
    line = (await desk.trail())[-1]
    assert (line.what, line.details) == ("search", f"for a download: {link}")
    assert line.subject.endswith(" found")
    await prepared(desk, browser, {"selection": link})
    assert (await desk.trail())[-1].subject == f"search {link}"
