"""Who needs whom, as the installed packages say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import requires

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.locks import ROOT

PROGRAM = "muniment"
_LINUX = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""What the lock is for, whoever reads it here."""


def project() -> tuple[str, tuple[str, ...]]:
    """The program's version and what it needs directly."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(told["version"]), tuple(map(str, told["dependencies"]))


def needs() -> dict[str, frozenset[str]]:
    """What each package of the program needs, itself among them by its name.

    Raises:
        PackageNotFoundError: a package that is needed is not installed.
    """
    wanted: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {PROGRAM: set()}
    todo = [(PROGRAM, Requirement(text)) for text in project()[1]]
    while todo:
        by, requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        found[by].add(name)
        fresh = name not in found
        found.setdefault(name, set())
        extras = {"", *requirement.extras} - wanted.get(name, set())
        if fresh or extras:
            wanted.setdefault(name, set()).update(extras)
            todo += [(name, each) for each in _required(name, frozenset(extras))]
    return {name: frozenset(each) for name, each in found.items()}


def _holds(marker: Marker, extra: str) -> bool:
    return marker.evaluate({**_LINUX, "extra": extra})


def _required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in requires(name) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(_holds(marker, extra) for extra in extras):
            yield requirement
