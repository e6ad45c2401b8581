"""The browser of whoever watches: offered where there is a desktop, opened only when asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import webbrowser
from collections.abc import AsyncIterator, Mapping

_DESKTOPS = ("DISPLAY", "WAYLAND_DISPLAY")


def has_desktop(environment: Mapping[str, str], platform: str) -> bool:
    """Whether windows can open: elsewhere a browser would take over the terminal. Pure."""
    return platform == "darwin" or any(environment.get(name) for name in _DESKTOPS)


async def can_offer() -> bool:
    """Whether somebody sits at this terminal, and has a browser with windows."""
    return (
        sys.stdin.isatty()
        and sys.stderr.isatty()
        and _is_in_front(sys.stdin.fileno())
        and has_desktop(os.environ, sys.platform)
        and await asyncio.to_thread(_has_browser)
    )


@contextlib.asynccontextmanager
async def opened_on_enter(url: str) -> AsyncIterator[None]:
    """Whenever Enter is pressed, ``url`` opens. MUST be entered only where it :func:`can_offer`."""
    loop, file = asyncio.get_running_loop(), sys.stdin.fileno()
    openings: set[asyncio.Future[None]] = set()

    def pressed() -> None:
        # Behind other jobs of the shell reading would stop us, and the line is not for us.
        if not _is_in_front(file):
            return
        if not os.read(file, 1024):
            loop.remove_reader(file)
            return
        opening = asyncio.ensure_future(asyncio.to_thread(_open, url))
        openings.add(opening)
        opening.add_done_callback(openings.discard)

    loop.add_reader(file, pressed)
    try:
        yield
    finally:
        loop.remove_reader(file)


def _open(url: str) -> None:
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(url)


def _has_browser() -> bool:
    """Whether there is one that does not run in the terminal."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    in_terminal = isinstance(found, webbrowser.GenericBrowser)
    return not in_terminal or isinstance(found, webbrowser.BackgroundBrowser)


def _is_in_front(file: int) -> bool:
    try:
        return os.tcgetpgrp(file) == os.getpgrp()
    except OSError:
        return False
