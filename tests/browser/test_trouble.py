"""A store that is down and an object that was changed: the console alone, over a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser

from tests.browser import axe
from tests.browser.conftest import MARKS
from tests.browser.scene import Scene, Site, copied
from tests.browser.window import Kept, Window, window

pytestmark = MARKS

PHRASE = "%agreed to option B%"


@pytest.fixture(scope="module")
def damaged(played: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same records, one of them with other words than were logged, and no recorder."""
    site = copied(played.site, tmp_path_factory.mktemp("damaged") / "muniment")
    ((key,),) = played.listed(f"SELECT key FROM listing WHERE body LIKE '{PHRASE}'")  # noqa: S608
    file = site.objects / key
    file.write_bytes(file.read_bytes().replace(b"option B", b"option A"))
    site.start("console")
    yield site
    site.stop()


@pytest.fixture
def page(browser: Browser, damaged: Site, cookies: Mapping[str, Kept]) -> Iterator[Window]:
    """Maya's window there; her session was copied, too."""
    with window(browser, damaged, signed_in=cookies["maya"]) as opened:
        yield opened


def test_a_changed_object_is_red_and_told(page: Window, played: Scene, damaged: Site) -> None:
    """Not hidden: the page says what does not fit, an alarm is raised, its download goes on."""
    page.go(f"/records/{played.stem(PHRASE)}")
    page.says("Not proved", "What does not fit", "An alarm was raised")
    red = page.main.locator(".govuk-tag--red").first
    assert red.inner_text() == "Not proved"
    axe.clean(page)
    assert "record_unproved" in damaged.last_words()
    page.go("/audit")
    page.says("record unproved")


def test_without_a_recorder_the_pages_say_so(page: Window) -> None:
    """What is decided waits, and nothing pretends to be recorded."""
    page.go("/overview")
    page.says("The recorder does not run: nothing is recorded.")
    axe.clean(page)


def test_a_store_that_is_down_is_told_and_still_searched(page: Window, damaged: Site) -> None:
    """Search, days and groups are there; a record says that its object could not be read."""
    store = damaged.data / "store"
    away = store.rename(damaged.data / "elsewhere")
    store.write_bytes(b"what was mounted here is gone")
    try:
        page.go("/search?q=option")
        page.says("3 found")
        page.follow("Record number")
        page.says("Not verified", "The store is not to be had now", "comes from the index")
        axe.clean(page)
        page.follow("Flood response,")
        page.says("Flood response", "Significant")
        page.go("/groups")
        page.says("Flood response")
    finally:
        store.unlink()
        away.rename(store)
