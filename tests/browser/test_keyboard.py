"""A reviewer without a mouse."""

from __future__ import annotations

from tests.browser.conftest import MARKS, Opening
from tests.browser.window import Window

pytestmark = MARKS

_FOCUS = """() => {
  const here = document.activeElement, style = getComputedStyle(here);
  return [here.id || here.name || here.textContent.trim(), style.outlineStyle, style.boxShadow];
}"""
MOST = 60
"""Presses of a key until something has the focus."""


def focused(page: Window) -> str:
    """What has the focus, which MUST be visible there."""
    name, outline, shadow = page.page.evaluate(_FOCUS)
    # Of a radio button its label draws the ring.
    if not str(name).startswith("action-"):
        assert outline != "none" or shadow != "none", name
    return str(name)


def tab_to(page: Window, name: str) -> list[str]:
    """Press Tab until this has the focus; what had it on the way."""
    way: list[str] = []
    for _ in range(MOST):
        page.page.keyboard.press("Tab")
        way.append(focused(page))
        if way[-1] == name:
            return way
    raise AssertionError(f"{name} is not reached: {way}")


def test_the_queue_is_worked_through_by_keyboard(opened: Opening) -> None:
    """Past the navigation, into a message, through its form in the order of the page."""
    page = opened("maya")
    page.go("/review")
    assert tab_to(page, "Skip to main content") == ["Skip to main content"]
    page.page.keyboard.press("Enter")
    first = page.main.locator("tbody a").first.inner_text()
    way = tab_to(page, first)
    assert "Overview" not in way
    page.page.keyboard.press("Enter")
    page.page.wait_for_url("**/review/*")
    message = page.path.split("?")[0]
    tab_to(page, "action-keep")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowDown")
    assert focused(page) == "action-discard"
    assert page.page.locator("#action-discard").is_checked()
    assert tab_to(page, "why") == ["code", "why"]
    page.page.keyboard.type("Chat about biscuits")
    assert tab_to(page, "Decide and go to the next") == ["Decide and go to the next"]
    page.page.keyboard.press("Enter")
    page.page.wait_for_url(lambda url: message not in url)
    page.go(message)
    page.says("maya said on", ": discard. Reason: Chat about biscuits")


def test_errors_are_reached_first_by_keyboard(opened: Opening) -> None:
    """After a form with errors the summary has the focus, and leads to the form."""
    page = opened("maya")
    page.go("/holds/new")
    page.press("Place the hold")
    summary = page.page.locator(".govuk-error-summary")
    assert summary.evaluate("here => here === document.activeElement")
    page.page.keyboard.press("Tab")
    focused(page)
    page.page.keyboard.press("Enter")
    page.page.wait_for_url("**#hold")
