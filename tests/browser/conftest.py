"""One recorder, one browser, and windows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from tests.browser.scene import PEOPLE, Scene, scene
from tests.browser.window import Kept, Window, chromium, window

Opening = Callable[..., Window]

MARKS = [pytest.mark.xdist_group("browser")]
"""``pytestmark = MARKS`` in every module here: one worker starts recorder and browser, once."""


@pytest.fixture(scope="package")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A day of the demonstration, and of people who mean ill, with the recorder still at work."""
    with scene(tmp_path_factory.mktemp("browser") / "recorder") as made:
        yield made


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def cookies(played: Scene, browser: Browser) -> Mapping[str, Kept]:
    """Everybody's, after signing in."""
    kept: dict[str, Kept] = {}
    for name in PEOPLE:
        with window(browser, played.site) as opened:
            opened.sign_in(name)
            assert opened.path != "/sign-in"
            kept[name] = opened.page.context.storage_state()
    return kept


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def has_script(request: pytest.FixtureRequest) -> bool:
    """With JavaScript and without."""
    return bool(request.param)


@pytest.fixture
def opened(played: Scene, browser: Browser, cookies: Mapping[str, Kept]) -> Iterator[Opening]:
    """Opens windows of somebody who is signed in: ``opened("maya", has_script=False)``."""
    with ExitStack() as windows:

        def open_one(name: str, *, has_script: bool = True) -> Window:
            return windows.enter_context(
                window(browser, played.site, signed_in=cookies[name], has_script=has_script)
            )

        yield open_one
