"""Where the demonstration offers to open a browser."""

from __future__ import annotations

import io

import pytest

from bridge.demo.browser import can_offer, has_desktop


@pytest.mark.parametrize(
    ("environment", "platform", "found"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({}, "linux", False),
        ({}, "darwin", True),
    ],
)
def test_a_browser_needs_a_desktop(
    environment: dict[str, str], platform: str, *, found: bool
) -> None:
    """Without one it would take over the terminal in which the demonstration is watched."""
    assert has_desktop(environment, platform) is found


async def test_nothing_is_offered_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard input is a file, nobody can press Enter."""
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert not await can_offer()
