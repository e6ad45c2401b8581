"""The project's pages as the tests of the documentation read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ADRS = DOCS / "adr"
PACKAGES = ("bridge", "connectors", "storage", "config")

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A Markdown page. ``prose`` is its text without fenced blocks."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> list[tuple[str, str]]:
        """Fenced blocks: what stands on the fence, and the body."""
        return [(each["info"].strip(), each["body"]) for each in _FENCE.finditer(self.text)]

    def spans(self) -> list[str]:
        """Inline code."""
        return _SPAN.findall(self.prose)

    def links(self) -> list[str]:
        """Where its links lead."""
        return _LINK.findall(self.prose)

    def headings(self) -> list[str]:
        """Its headings, as they are written."""
        return _HEADING.findall(self.prose)

    def anchors(self) -> set[str]:
        """What ``#...`` in a link may name: headings as the forge slugs them."""
        kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in self.headings())
        return {each.strip().replace(" ", "-") for each in kept}


@cache
def page(name: str) -> Page:
    """The page at a path from the root of the repository."""
    path = ROOT / name
    return Page(path=path, text=path.read_text(encoding="utf-8"))


@cache
def pages() -> tuple[Page, ...]:
    """Every page of the project."""
    found = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    return tuple(page(path.relative_to(ROOT).as_posix()) for path in sorted(found))


@cache
def sources() -> dict[str, str]:
    """The program's own files by their path, with their text."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def table_cells(text: str, column: int = 0) -> list[str]:
    """The inline code of one column in every table row of ``text``, in order."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if "|" in line[:2]]
    return [span for row in rows if len(row) > column for span in _SPAN.findall(row[column])]


def section(name: str, heading: str) -> str:
    """What stands on a page below ``heading``, up to the next of its level or above."""
    text = page(name).text
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert match is not None, f"{name} has no heading {heading!r}"
    level = len(match[1])
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest
