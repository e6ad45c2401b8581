"""The rules of accessibility where something waits: holds, samples, proposals, and apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bridge.model import Outcome
from bridge.protocols.catalog import ListedReason, Listing, Search
from storage.catalog import SqliteCatalog
from storage.catalog.writing import SqliteCatalogWriter
from tests.browser.conftest import MARKS
from tests.browser.scene import Scene, Site, copied
from tests.browser.test_accessibility import stands
from tests.browser.window import Kept, Window, window

pytestmark = MARKS

Opening = Callable[[str], Window]


@pytest.fixture(scope="module")
def queue(
    played: Scene, cookies: Mapping[str, Kept], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The same records and sessions; of what waits, one is of the sample and one is apart."""
    assert cookies
    site = copied(played.site, tmp_path_factory.mktemp("queue") / "muniment")
    with ThreadPoolExecutor(1) as thread:  # this one has a loop of the browser's
        thread.submit(asyncio.run, _listed(site.data / "catalog" / "catalog.db")).result()
    site.start("console")
    yield site
    site.stop()


async def _listed(file: Path) -> None:
    """As if a discard had been drawn and a message marked SECRET: no play has both at will."""
    catalog = SqliteCatalog(file)
    found = (await catalog.search(Search(outcomes=(Outcome.REVIEW,)))).listings
    await catalog.aclose()
    drawn, *_, marked = [each for each in found if each.key and not each.media]
    other = next(each for each in found if each.gid != drawn.gid)
    later = [_drawn(drawn), _elsewhere(_drawn(drawn), other), _apart(marked)]
    writer = await SqliteCatalogWriter.open(file)
    await writer.take("manifests/later", listings=later)
    await writer.aclose()


def _drawn(listing: Listing) -> Listing:
    reason = ListedReason(code="AUDIT", rule="sample")
    body = "Should the ferry contract go to the northern yard?"
    part = listing.part + 1
    return replace(listing, part=part, body=body, reasons=(reason, *listing.reasons))


def _elsewhere(listing: Listing, other: Listing) -> Listing:
    """The same in the group of another message."""
    return replace(
        listing,
        gid=other.gid,
        group_id=other.group_id,
        group_name=other.group_name,
        key=(listing.key or "").replace(listing.gid, other.gid),
        stream="e" * 16,
        outcome=Outcome.CAPTURE,
        reasons=(ListedReason(code="ADVICE", rule="r"),),
    )


def _apart(listing: Listing) -> Listing:
    return Listing(
        gid=listing.gid,
        group_id=listing.group_id,
        group_name=listing.group_name,
        stream=listing.stream,
        n=listing.n,
        leaf=listing.leaf,
        part=listing.part + 1,
        day=listing.day,
        outcome=Outcome.REVIEW,
        reasons=(ListedReason(code="PROTECTIVE_MARKING", rule="secret"),),
        score=listing.score,
        policy=listing.policy,
        model=listing.model,
        sent_at=listing.sent_at,
    )


@pytest.fixture
def opened(browser: Browser, queue: Site, cookies: Mapping[str, Kept]) -> Iterator[Opening]:
    """Opens windows of somebody there."""
    with ExitStack() as windows:

        def open_one(name: str) -> Window:
            return windows.enter_context(window(browser, queue, signed_in=cookies[name]))

        yield open_one


def refused(page: Window, button: str) -> None:
    """The form, sent as it is, says what is missing, leads there, and breaks no rule."""
    page.press(button)
    page.says("There is a problem")
    stands(page)


def test_a_record_under_hold_breaks_no_rule(opened: Opening, played: Scene) -> None:
    """Nor the hold, nor its release that says no reason."""
    page, other = opened("maya"), opened("harriet")
    page.go("/holds/new")
    page.page.get_by_label("Flood response", exact=True).check()
    for label, text in (("Authority", "A"), ("Matter", "INQ/9"), ("Reason", "C")):
        page.fill(label, text)
    page.press("Place the hold")
    placed = page.path
    page.go(f"/records/{played.stem('%agreed to option B%')}")
    page.says("Under legal hold", "INQ/9")
    stands(page)
    other.go(placed)
    stands(other)
    refused(other, "Release the hold")


def test_a_sample_with_items_breaks_no_rule(opened: Opening) -> None:
    """The list, one of it with what was said elsewhere, and its form without a decision."""
    page = opened("maya")
    page.go("/review?list=sample")
    assert page.main.locator("tbody a").count() == 1
    stands(page)
    page.leave_by(page.main.locator("tbody a").first)
    page.says("Perhaps the same matter in other groups")
    stands(page)
    refused(page, "Decide and go to the next")


def test_proposals_that_wait_break_no_rule(opened: Opening) -> None:
    """The form, sent empty, and the list with what was proposed."""
    page = opened("maya")
    page.go("/groups/new")
    stands(page)
    refused(page, "Propose")
    page.page.locator("#connector").select_option("telegram")
    for field, text in (
        ("id", "-1009999999999"),
        ("name", "Winter resilience"),
        ("owner", "Head of resilience"),
        ("purpose", "Winter planning"),
        ("why", "A new team"),
    ):
        page.page.locator(f"#{field}").fill(text)
    page.press("Propose")
    page.says("Proposed, and not taken up by the recorder yet: Winter resilience.")
    stands(page)


def test_what_is_kept_apart_breaks_no_rule(opened: Opening) -> None:
    """The list, one message's form, that form empty, and once it is decided."""
    page = opened("sam")
    page.go("/review?list=restricted")
    page.says("1 message")
    stands(page)
    page.leave_by(page.main.locator("tbody a").first)
    page.says("One message marked SECRET or above")
    stands(page)
    refused(page, "Decide")
    page.page.get_by_label("Release it", exact=True).check()
    page.fill("Your reason", "A wrong mark")
    page.press("Decide")
    page.says("Decided, and not carried out yet")
    stands(page)
