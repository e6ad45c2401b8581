"""Prints ``docs/dependencies.md``: ``python -m supply.listing > docs/dependencies.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from supply.licences import ALLOWED, licence_of
from supply.locks import Pin, everything
from supply.needs import PROGRAM, needs

HEAD = """\
# Dependencies and their licences

This page is printed by `python -m supply.listing`, from the locks and from what the installed
packages say of themselves; a test compares the two. Why each is needed stands in
[ADR 0007](adr/0007-dependencies.md), their versions and digests in `requirements/` and
`bridge/console/assets/package-lock.json`. `make sbom` writes all of it as CycloneDX;
[operations](operations.md#supply-chain) says how to check it.

Licences that may be in it: {}.
A test refuses any other.
"""

IN_IT = """
## In the program

| package | licence | needed by |
|---|---|---|
"""

MAKERS = """
## What makes the program

They build the wheel and are not part of it.

| package | licence |
|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = everything()
    return "".join(
        (
            HEAD.format(", ".join(sorted(ALLOWED))),
            IN_IT,
            *_in_it([each for each in parts if each.ships]),
            MAKERS,
            *(f"| {each.name} | {licence_of(each)} |\n" for each in parts if not each.ships),
        )
    )


def _in_it(parts: Sequence[Pin]) -> Iterator[str]:
    graph = needs()
    for each in parts:
        by = sorted(name for name, named in graph.items() if each.name in named)
        # The program first: it is what a reader looks for.
        who = [name for name in (PROGRAM, *by) if name in by or each.kind == "npm"]
        yield f"| {each.name} | {licence_of(each)} | {', '.join(dict.fromkeys(who))} |\n"


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


if __name__ == "__main__":
    main()
