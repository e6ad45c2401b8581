"""A window of a browser that notices whatever a page should not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    StorageState,
    sync_playwright,
)

from tests.browser.scene import PASSWORD, Site
from tests.patience import PATIENCE

CHROMIUM: Final = Path("/usr/bin/chromium")
REMEDY: Final = "no Chromium: apt-get install --no-install-recommends chromium fonts-liberation"
WIDE: Final = 1280
NARROW: Final = 320

Kept: TypeAlias = StorageState
"""The cookies of somebody who is signed in."""

_WATCH = """
addEventListener("securitypolicyviolation", event => console.error(
  `policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
_MARK = "window.pwned"
_EXPECTED = ("Failed to load resource: the server responded with a status of",)
"""What Chromium says of every page whose status is an error; the tests look at statuses."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a screen. A test MUST NOT be skipped where there is none."""
    if not CHROMIUM.is_file():
        pytest.fail(REMEDY, pytrace=False)
    with sync_playwright() as driver:
        # As root Chromium has no sandbox of its own; it sees nothing but our own pages.
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=["--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(kw_only=True)
class Window:
    """One page in a profile of its own, on one console."""

    page: Page
    site: Site
    has_script: bool
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen to all that a page may do unasked."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("request", self._requested)
        self.page.on("popup", lambda page: self.complaints.append(f"opened {page.url}"))
        if self.has_script:
            self.page.add_init_script(_WATCH)

    def go(self, path: str, *, status: int = 200) -> Response:
        """Open a page, which MUST answer with this status."""
        answer = self.page.goto(f"{self.site.url}{path}")
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}, {self.words()[:500]}"
        return answer

    @property
    def main(self) -> Locator:
        """What is below the navigation, with the way back."""
        return self.page.locator(".govuk-width-container:has(main)")

    @property
    def path(self) -> str:
        """Where it is, without the host."""
        parts = urlsplit(self.page.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def words(self) -> str:
        """What stands on the page."""
        return self.page.locator("body").inner_text()

    def says(self, *sentences: str) -> None:
        """The page MUST have these words."""
        words = " ".join(self.words().split())
        missing = [each for each in sentences if each not in words]
        assert not missing, f"{self.path} lacks {missing}: {words[:3000]}"

    def fill(self, label: str, text: str) -> None:
        """Type into the field of this name."""
        self.page.get_by_label(label, exact=True).fill(text)

    def leave_by(self, way: Locator) -> None:
        """Click, and wait for the page it leads to: until then the one before is still there."""
        with self.page.expect_navigation():
            way.click()

    def press(self, name: str) -> None:
        """The button of this name, by its whole name, and the page that it leads to."""
        self.leave_by(self.page.get_by_role("button", name=name, exact=True))

    def follow(self, name: str) -> None:
        """The first link of the page's own part whose name begins so, and the page behind it."""
        name_at_start = re.compile(rf"^\s*{re.escape(name)}")
        self.leave_by(self.main.get_by_role("link", name=name_at_start).first)

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """Fill in the form."""
        self.go("/sign-in")
        self.fill("Name", name)
        self.fill("Password", password)
        self.press("Sign in")

    def saved(self, link: str, folder: Path) -> Path:
        """The file behind a link, as the browser names it."""
        with self.page.expect_download() as started:
            self.main.get_by_role("link", name=link).first.click()
        found = started.value
        file = folder / found.suggested_filename
        found.save_as(file)
        return file

    def overflow(self, width: int) -> int:
        """By how many pixels the page is wider than a window of this width."""
        self.page.set_viewport_size({"width": width, "height": 900})
        root = self.page.locator("html")
        return int(root.evaluate("root => root.scrollWidth - root.clientWidth"))

    def check(self) -> None:
        """Nothing MUST have happened that no page asked for."""
        if self.has_script and self.page.evaluate(f"{_MARK} !== undefined"):
            self.complaints.append(f"a script of a stranger ran on {self.path}")
        assert self.complaints == []

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_EXPECTED):
            self.complaints.append(f"{message.type}: {message.text} on {self.page.url}")

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message} on {self.page.url}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith(self.site.url + "/"):
            self.complaints.append(f"asked for {request.url} from {self.page.url}")


@contextmanager
def window(
    browser: Browser,
    site: Site,
    *,
    signed_in: Kept | None = None,
    has_script: bool = True,
    width: int = WIDE,
) -> Iterator[Window]:
    """A window for as long as the block lasts; then it is looked at once more."""
    context: BrowserContext = browser.new_context(
        java_script_enabled=has_script,
        storage_state=signed_in,
        viewport={"width": width, "height": 900},
        locale="en-GB",
        timezone_id="Europe/London",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE * 1000)
    try:
        opened = Window(page=context.new_page(), site=site, has_script=has_script)
        opened.watch()
        yield opened
        opened.check()
    finally:
        context.close()
