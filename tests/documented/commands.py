"""The commands on the pages: statements of blocks for the shell, and whole ones in sentences."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.pages import Page, page, pages

SHELL = "sh"
"""What stands on the fence of a block whose lines are commands."""

OTHERS = frozenset({"toml", "yaml", "json", "text", "mermaid"})
"""First words of the other fences."""

_PARTS = re.compile(
    r"^#+ (?P<heading>[^\n]+)$|^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"`([^`\n]+)`")
_WHOLE = re.compile(r"^(?:muniment|make|python3?|age|openssl|sqlite3|head|mv|curl) [^=]")
_PLACEHOLDER = re.compile(r"[A-Z]+|\.\.\.|<\w+>")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Command:
    """A statement, below a heading of a page."""

    page: str
    heading: str
    text: str

    @property
    def section(self) -> str:
        """Page and heading, as a walk names them."""
        return f"{self.page}#{self.heading}"


@cache
def commands() -> tuple[Command, ...]:
    """Every statement of every block for the shell, in the order of the pages."""
    return tuple(
        Command(page=each.name, heading=heading, text=text)
        for each in pages()
        for heading, kind, body in blocks(each)
        if kind == SHELL
        for text in statements(body)
    )


def blocks(of: Page) -> Iterator[tuple[str, str, str]]:
    """The heading above each block, the first word on its fence, and its body."""
    heading = ""
    for part in _PARTS.finditer(of.text):
        if part["heading"] is not None:
            heading = part["heading"]
        else:
            yield heading, part["info"].partition(" ")[0].strip(), part["body"]


def block(section: str, kind: str, number: int = 0) -> str:
    """One block of a section that is not for the shell, such as a table of settings."""
    name, _, wanted = section.partition("#")
    found = [
        body for heading, info, body in blocks(page(name)) if (heading, info) == (wanted, kind)
    ]
    return found[number]


def statements(body: str) -> Iterator[str]:
    """Lines, put together where the shell takes one alone for half a statement."""
    pending = ""
    for line in body.splitlines():
        pending += line + "\n"
        if pending.isspace():
            pending = ""
        elif _is_whole(pending):
            yield pending.strip()
            pending = ""
    assert not pending, f"the shell does not understand: {pending}"


def _is_whole(text: str) -> bool:
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False)
    return done.returncode == 0


@cache
def mentions() -> tuple[Command, ...]:
    """Whole commands within sentences."""
    return tuple(
        Command(page=each.name, heading="", text=span)
        for each in pages()
        for span in dict.fromkeys(_SPAN.findall(each.prose))
        if _WHOLE.match(span)
    )


def words(text: str) -> frozenset[str]:
    """The words that make a command what it is: no placeholders, no folders before the program."""
    program, *rest = text.split()
    kept = (word for word in rest if not _PLACEHOLDER.fullmatch(word))
    return frozenset({program.rpartition("/")[2], *kept})
