"""Pictures of the console's main pages, from the demonstration's day.

    python -m tests.browser.screenshots [FOLDER]

Writes PNG files into ``docs/screenshots`` unless another folder is given. What people say comes
at a pace, since Telegram tells the time in whole seconds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import FloatRect

from tests.browser.png import small
from tests.browser.scene import Scene, scene
from tests.browser.window import WIDE, Window, chromium, window

FOLDER: Final = Path(__file__).parents[2] / "docs" / "screenshots"
PACE: Final = 1.05
TALLEST: Final = 1700
"""Pixels of a picture that a page of documents can show."""


def places(played: Scene) -> dict[str, str]:
    """Which page each picture shows."""
    decision = "%agreed to option B%"
    ((gid, day),) = played.listed(f"SELECT gid, day FROM listing WHERE body LIKE '{decision}'")  # noqa: S608
    waiting = played.stem("Which depot should get the sandbags%")
    return {
        "overview": "/overview",
        "groups": "/groups",
        "group": f"/groups/{gid}",
        "day": f"/groups/{gid}/{day}",
        "search": "/search?q=option+AND+minister",
        "record": f"/records/{played.stem(decision)}",
        "proof": f"/records/{played.stem(decision)}/proof",
        "review": "/review",
        "review-one": f"/review/{waiting}",
        "holds": "/holds",
        "hold": "/holds/1",
    }


def place_a_hold(page: Window) -> None:
    """As an inquiry has it placed."""
    page.go("/holds/new")
    page.fill("Authority", "Chair of the Thornby flood inquiry")
    page.fill("Matter", "TFI/2026/03")
    page.page.get_by_label("Flood response", exact=True).check()
    page.fill("Reason", "The inquiry asked on 3 March for all that was said of the evacuation")
    page.press("Place the hold")


def take(page: Window, path: str, file: Path) -> None:
    """A picture of a page, from its top."""
    page.go(path)
    tall = page.page.locator("html").evaluate("root => root.scrollHeight")
    clip: FloatRect = {"x": 0, "y": 0, "width": WIDE, "height": min(int(tall), TALLEST)}
    file.write_bytes(small(page.page.screenshot(full_page=True, clip=clip, scale="css")))


def main() -> None:
    """Play the day, sign in, take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="muniment-screenshots-") as work,
        scene(Path(work) / "recorder", hostile=False, pace=PACE) as played,
        chromium() as browser,
        window(browser, played.site) as page,
    ):
        page.sign_in("maya")
        place_a_hold(page)
        for name, path in places(played).items():
            take(page, path, folder / f"{name}.png")


if __name__ == "__main__":
    main()
