"""Every page in every state that it has, against the rules of accessibility, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser

from tests.browser import axe
from tests.browser.conftest import MARKS, Opening
from tests.browser.scene import Scene, Site, new_site
from tests.browser.window import NARROW, WIDE, Kept, Window, window

pytestmark = MARKS

STATES = {
    "/overview": 200,
    "/groups": 200,
    "/groups/{gid}": 200,
    "/groups/{gid}/{day}": 200,
    "/groups/{gid}/{day}?tz=Asia/Tokyo&n=9": 200,
    "/groups/{gid}/{day}?n=999999": 200,
    "/groups/{gid}/2020-01-01": 200,
    "/groups/{gid}/{day}?page=99": 400,
    "/groups/{gid}/{day}?tz=Mars": 400,
    "/groups/{gid}/2026-02-30": 404,
    "/groups/ffffffffffffffff": 404,
    "/search": 200,
    "/search?q=option": 200,
    "/search?q=nosuchword": 200,
    "/search?group={gid}&outcome=discard": 200,
    "/search?q=%22(&from=2026-02-30&to=x&tz=Mars&hold=99&type=%00&code=%20&file=1&before=x": 400,
    "/records/{record}": 200,
    "/records/{record}/proof": 200,
    "/records/{photo}": 200,
    "/records/x": 404,
    "/review": 200,
    "/review?list=sample": 200,
    "/review?group={gid}": 200,
    "/review/many?group={gid}&code=EVIDENCE": 200,
    "/review/{photo}": 200,
    "/holds": 200,
    "/holds/new": 200,
    "/retention": 200,
    "/downloads": 200,
    "/downloads?q=option": 200,
    "/downloads?stem={record}": 200,
    "/audit": 200,
    "/audit?from=x": 400,
    "/audit?who=nobody": 200,
    "/audit/check": 200,
    "/prove?next=/downloads": 200,
    "/nothing": 404,
}
"""What a records manager can be answered with, by its status."""


@pytest.fixture(scope="package")
def known(played: Scene) -> dict[str, str]:
    """Names of what is there."""
    ((gid, day),) = played.listed(
        "SELECT gid, day FROM listing WHERE body LIKE '%agreed to option B%'"
    )
    return {
        "gid": gid,
        "day": day,
        "record": played.stem("%agreed to option B%"),
        "photo": played.stem("Thornby bridge at 10:40%"),
    }


@pytest.fixture(scope="module")
def maya(played: Scene, browser: Browser, cookies: Mapping[str, Kept]) -> Iterator[Window]:
    """One window for all of her pages."""
    with window(browser, played.site, signed_in=cookies["maya"]) as page:
        yield page


@pytest.mark.parametrize("path", STATES)
def test_a_page_breaks_no_rule(maya: Window, known: dict[str, str], path: str) -> None:
    """It fits a wide window and a narrow one, and nobody is kept from it."""
    maya.go(path.format_map(known), status=STATES[path])
    stands(maya)


def stands(page: Window) -> None:
    """The page MUST break no rule, and MUST not need to be moved sideways."""
    axe.clean(page)
    page.check()
    assert [page.overflow(NARROW), page.overflow(WIDE)] == [0, 0], page.path


def test_forms_with_errors_break_no_rule(opened: Opening, known: dict[str, str]) -> None:
    """The errors stand first and lead to their fields."""
    page = opened("maya")
    for path, button in (
        (f"/review/{known['photo']}", "Decide and go to the next"),
        ("/holds/new", "Place the hold"),
        ("/downloads?q=option", "Prepare it"),
        ("/prove?next=/downloads", "Go on"),
    ):
        page.go(path)
        page.press(button)
        page.says("There is a problem")
        stands(page)
        page.page.locator(".govuk-error-summary a").first.click()
        focused = page.page.evaluate("document.activeElement.matches('form, form *')")
        assert focused or "#" in page.page.url


def test_what_is_placed_and_prepared_breaks_no_rule(opened: Opening) -> None:
    """A hold, and a download that is ready."""
    page = opened("maya")
    page.go("/holds/new")
    # The other modules' groups stay as they are.
    page.page.get_by_label("Ministerial diary", exact=True).check()
    for label, text in (("Authority", "A"), ("Matter", "B"), ("Reason", "C")):
        page.fill(label, text)
    page.press("Place the hold")
    stands(page)
    page.go("/holds")
    stands(page)
    page.go("/downloads?q=option")
    page.fill("What is it for?", "D")
    page.press("Prepare it")
    stands(page)
    page.go("/downloads")
    stands(page)


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("olly", "/overview", 200),
        ("olly", "/groups/{gid}", 200),
        ("olly", "/search", 403),
        ("harriet", "/holds", 200),
        ("sam", "/review?list=sensitive", 200),
    ],
)
def test_other_roles_pages_break_no_rule(
    opened: Opening, known: dict[str, str], name: str, path: str, status: int
) -> None:
    """What is denied says so, in words."""
    page = opened(name)
    page.go(path.format_map(known), status=status)
    stands(page)


def test_who_is_not_signed_in_meets_no_barrier(browser: Browser, played: Scene) -> None:
    """The form, its errors, and one sent from an old page."""
    with window(browser, played.site) as page:
        page.go("/sign-in")
        stands(page)
        page.sign_in("nobody", "not this one")
        stands(page)
        page.go("/sign-in")
        page.page.context.clear_cookies()
        page.press("Sign in")
        page.says("send the form from there")
        stands(page)


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A console where nothing was ever recorded and nobody can sign in yet."""
    site = new_site(tmp_path_factory.mktemp("empty") / "muniment")
    site.start("console")
    yield site
    site.stop()


EMPTY = ("overview", "groups", "search?q=a", "review", "holds", "retention", "downloads", "audit")


def test_a_console_of_nothing_breaks_no_rule(browser: Browser, empty: Site) -> None:
    """Each page says what is missing still."""
    with window(browser, empty) as page:
        page.go("/sign-in")
        page.says("muniment console create-user")
        stands(page)
        empty.employ(["maya"])
        page.sign_in("maya")
        for path in EMPTY:
            answer = page.page.goto(f"{empty.url}/{path}")
            assert answer is not None
            assert answer.status in {200, 503}, path
            stands(page)
