"""The rules of accessibility, by axe-core, over the page that a window shows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.browser.window import Window

SOURCE: Final = Path(__file__).parent / "js" / "node_modules" / "axe-core" / "axe.min.js"
TAGS: Final = (
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
)


class _Node(msgspec.Struct):
    html: str
    failure: str = msgspec.field(name="failureSummary", default="")


class _Violation(msgspec.Struct):
    id: str
    nodes: list[_Node]


@cache
def source() -> str:
    """The rules as a script."""
    if not SOURCE.is_file():
        pytest.fail("no axe-core: run `make test`, which installs it", pytrace=False)
    return SOURCE.read_text(encoding="utf-8")


def violations(window: Window) -> list[str]:
    """What breaks a rule on this page, each with the places."""
    session = window.page.context.new_cdp_session(window.page)
    # Not through the page: its policy lets nothing be evaluated there.
    session.send("Runtime.evaluate", {"expression": source()})
    asked = {
        "expression": _RUN % msgspec.json.encode(list(TAGS)).decode(),
        "awaitPromise": True,
        "returnByValue": True,
    }
    answer = session.send("Runtime.evaluate", asked)
    session.detach()
    result = answer.get("result")
    assert isinstance(result, dict), answer
    assert "value" in result, answer
    return [
        f"{each.id}: {node.html[:200]} {node.failure}"
        for each in msgspec.json.decode(str(result["value"]), type=list[_Violation])
        for node in each.nodes
    ]


_RUN = """axe.run(document, {runOnly: {type: "tag", values: %s}, resultTypes: ["violations"]})
  .then(found => JSON.stringify(found.violations))"""


def clean(window: Window) -> None:
    """The page MUST break no rule."""
    assert violations(window) == [], window.path
