"""Prints ``docs/lifecycle.md`` from the two transition tables of the code.

Run it as ``python docs/draw_lifecycle.py > docs/lifecycle.md``; a test compares the two.
"""
# ruff: noqa: INP001 - a script beside the pages it writes, not a package

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum

from bridge import groups, lifecycle
from bridge.model import GroupState

HEAD = """\
# Lifecycle

Printed by `docs/draw_lifecycle.py` from the tables in `bridge/lifecycle.py` and
`bridge/groups.py`. Change the tables, not this page. A move that is not drawn here is refused and
changes nothing. Every move is a compare-and-set in one transaction with the leaf or act that
belongs to it.
"""

ENTRIES = """\
## An entry

An entry is a journal row. A failed attempt is a counter, not a state. *Overdue* is not a state
either: it is computed from `safe_by` and the clock.
"""

GROUPS = """\
## A group

`approve`, `pause`, `resume` and `close` are steps of a person or of the settings file; `propose`
is a step or comes of an invitation. The others come from what the platform tells of the group.
"""

BEGIN = "[*]"


def _arrows(
    table: Mapping[tuple[StrEnum | None, StrEnum], StrEnum],
) -> Iterator[tuple[str, str, str]]:
    """From, what moves it, to; in the order of the table."""
    for (before, trigger), after in table.items():
        yield (BEGIN if before is None else before.value, trigger.value, after.value)


def _section(head: str, states: type[StrEnum], arrows: list[tuple[str, str, str]]) -> Iterator[str]:
    yield head
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield from (f"    {before} --> {after}: {trigger}" for before, trigger, after in arrows)
    left = {before for before, _, _ in arrows}
    yield from (f"    {state.value} --> {BEGIN}" for state in states if state.value not in left)
    yield "```"
    yield ""
    yield "| from | what moves it | to |"
    yield "|---|---|---|"
    yield from (f"| {_cell(b)} | {trigger} | {_cell(a)} |" for b, trigger, a in arrows)


def _cell(state: str) -> str:
    return "not known" if state == BEGIN else f"`{state}`"


def page() -> str:
    """The whole page."""
    born = (BEGIN, "append", lifecycle.INITIAL.value)
    entries = [born, *_arrows({(s, t): a for (s, t), a in lifecycle.TRANSITIONS.items()})]
    registered = list(_arrows({(s, t): a for (s, t), a in groups.TRANSITIONS.items()}))
    lines = [
        HEAD,
        *_section(ENTRIES, lifecycle.EntryState, entries),
        "",
        *_section(GROUPS, GroupState, registered),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
