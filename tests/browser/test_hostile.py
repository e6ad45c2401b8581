"""What strangers send does nothing but stand there as text, on every page that it reaches."""

from __future__ import annotations

import csv
import json
import tarfile
from pathlib import Path
from urllib.parse import quote

import bagit
import pytest

from tests.browser import axe
from tests.browser.conftest import MARKS, Opening
from tests.browser.hostile import FILES, FORMULAE, GROUPS, HUGE, LONG_ROOM, ROOM, SCRIPTS
from tests.browser.scene import Scene, until
from tests.browser.window import NARROW, WIDE, Window

pytestmark = MARKS

KEPT = {
    "bomb.zip": "application/zip",
    "plan.svg": "image/svg+xml",
    "minutes.html": "text/html",
    "photo.jpg": "text/html",
}
"""What is in them, whatever they are called or declared as."""


@pytest.fixture(scope="package")
def gids(played: Scene) -> dict[str, str]:
    """The hostile groups."""
    rows = played.listed("SELECT gid, name FROM known_group")
    return {
        key: next(gid for gid, shown in rows if shown.endswith(name))
        for key, name in GROUPS.items()
    }


def harmless(page: Window) -> None:
    """The page MUST be whole and do nothing."""
    assert [page.overflow(NARROW), page.overflow(WIDE)] == [0, 0], page.path
    page.check()


@pytest.mark.parametrize("room", [ROOM, LONG_ROOM])
def test_pages_of_a_hostile_group_are_whole(
    opened: Opening, played: Scene, gids: dict[str, str], room: str
) -> None:
    """Its register, day, search and holds; what was sent can be read there."""
    ((day,),) = played.listed(f"SELECT DISTINCT day FROM listing WHERE gid = '{gids[room]}'")  # noqa: S608
    page = opened("maya")
    for path in (f"/groups/{gids[room]}", f"/groups/{gids[room]}/{day}"):
        page.go(path)
        axe.clean(page)
        harmless(page)
    words = page.words()
    if room == ROOM:
        assert [text for text in SCRIPTS if text[:12] not in words] == []
    page.go(f"/search?group={gids[room]}")
    axe.clean(page)
    while True:
        harmless(page)
        following = page.main.locator("a[rel=next]")
        if following.count() == 0:
            break
        page.leave_by(following)


def test_records_of_hostile_messages_are_whole(opened: Opening, played: Scene) -> None:
    """Those with attachments, the longest, and those that cannot be seen, each with its source."""
    rows = played.listed(
        "SELECT stem FROM listing WHERE stem IS NOT NULL AND "
        "(media <> '[]' OR length(body) > 1400 OR body LIKE '<script>%' OR body LIKE 'pay %')"
    )
    page = opened("maya")
    assert len(rows) > len(FILES) + len(HUGE)
    for number, (stem,) in enumerate(rows):
        page.go(f"/records/{stem}")
        page.says("Verified against the log")
        harmless(page)
        if number % 8 == 0:
            axe.clean(page)


def test_attachments_are_saved_and_never_opened(
    opened: Opening, played: Scene, tmp_path: Path
) -> None:
    """As downloads with the type of their bytes, under names that lead nowhere."""
    page = opened("maya")
    sent = {name: data for name, _, data in FILES}
    rows = played.listed("SELECT stem, body FROM listing WHERE media <> '[]' AND stem IS NOT NULL")
    seen = 0
    for stem, name in rows:
        if name not in sent:
            continue
        answer = page.page.context.request.get(f"{page.site.url}/records/{stem}/media/0")
        headers = answer.headers
        assert answer.body() == sent[name]
        assert headers["content-disposition"].startswith("attachment;")
        assert headers["content-security-policy"].startswith("sandbox;")
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers
        if name in KEPT:
            page.go(f"/records/{stem}")
            page.main.get_by_role("link", name=name).wait_for()
            file = page.saved(name, tmp_path)
            assert (file.name, file.read_bytes()) == (name, sent[name])
            assert headers["content-type"].partition(";")[0] in {KEPT[name], *_INERT}
            page.check()
        seen += 1
    assert seen == len(FILES)


_INERT = ("application/octet-stream", "text/plain")


def test_words_of_visitors_are_text_too(opened: Opening, gids: dict[str, str]) -> None:
    """What is typed into a search, a hold and a download comes back as it was typed."""
    page = opened("maya")
    for text in SCRIPTS[:3]:
        page.page.goto(f"{page.site.url}/search?q={quote(text)}&person={quote(text)}")
        page.check()
    page.go("/holds/new")
    page.page.locator(f"#group-{gids[LONG_ROOM]}").check()
    for label in ("Authority", "Matter", "Reason"):
        page.fill(label, SCRIPTS[0] + "\u202e" + "W" * 300)
    page.press("Place the hold")
    for path in (page.path, "/holds", "/audit", "/overview"):
        page.go(path)
        axe.clean(page)
        harmless(page)


def test_a_bag_of_hostile_messages_is_whole(
    opened: Opening, gids: dict[str, str], tmp_path: Path
) -> None:
    """No name leads out of it, its manifest holds, and its table has no formula."""
    page = opened("maya")
    page.go(f"/downloads?group={gids[ROOM]}")
    page.fill("What is it for?", "=1+1")
    page.press("Prepare it")
    here = page.path

    def is_ready() -> bool:
        page.go(here)
        return "Everything as a BagIt bag" in page.words()

    until("it is prepared", is_ready)
    with tarfile.open(page.saved("Everything as a BagIt bag", tmp_path)) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "bag", filter="data")
    assert all(name.isascii() and name.isprintable() and ".." not in name for name in names)
    (folder,) = (tmp_path / "bag").iterdir()
    assert bagit.Bag(str(folder)).is_valid()
    table = page.saved("A table for spreadsheets", tmp_path).read_text(encoding="utf-8-sig")
    cells = [cell for row in csv.reader(table.splitlines(keepends=True)) for cell in row]
    begun = [cell for cell in cells if cell.lstrip(" \t\r\n\"'")[:1] in set("=+-@\uff1d")]
    assert [cell for cell in begun if not cell.startswith(("'", "-100"))] == []
    lines = page.saved("The records as JSON lines", tmp_path).read_text().split("\n")
    bodies = {str(json.loads(line).get("body", "")) for line in lines if line}
    assert {text for text in FORMULAE if "\r" not in text} <= bodies
