"""One sentence for each way in which a settings file can be wrong. No library's wording leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.errors import SettingsError, nearest
from config.tables import REPEATED, TABLES
from config.values import REFUSED

Overrides: TypeAlias = Mapping[tuple[str, str], str]
"""Which keys came from the environment: (section, key) to the variable's name."""

_FIXED = {
    "string_type": ("is not text", "put the value in quotes"),
    "int_type": ("is not a whole number", "write it without quotes and without a point"),
    "int_from_float": ("is not a whole number", "write it without a point"),
    "float_type": ("is not a number", "write it without quotes"),
    "finite_number": ("is not a finite number", "write it in digits"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
    "too_short": ("is empty", "name at least one, or remove the line for the default"),
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(error: ValidationError, overrides: Overrides) -> SettingsError:
    """The error to show: a key nobody knows before all else, for it explains what is missing."""
    found = error.errors(include_url=False)
    unknown = (e for e in found if e["type"] == "extra_forbidden")
    detail = next(unknown, found[0])
    fact, remedy = _sentence(detail)
    return SettingsError(_field(detail, overrides), fact, remedy)


def bracketed(section: str) -> str:
    """The section's table as the file writes it."""
    return f"[[{section}]]" if section in REPEATED else f"[{section}]"


def _field(detail: ErrorDetails, overrides: Overrides) -> str:
    """The setting as the operator wrote it: a variable, or the table and the key."""
    loc = detail["loc"]
    if not loc:
        return str(detail.get("ctx", {}).get("key", "")) or "the settings file"
    section = str(loc[0])
    if section not in TABLES:
        name = _printable(section)
        return f"[{name}]" if isinstance(detail["input"], dict | list) else name
    keys = [part for part in loc[1:] if isinstance(part, str)]
    key = keys[0] if keys else str(detail.get("ctx", {}).get("key", ""))
    if (section, key) in overrides:
        return overrides[(section, key)]
    field = f"{bracketed(section)} {_printable(key)}".rstrip()
    if section in REPEATED and len(loc) > 1 and isinstance(loc[1], int):
        field += f" (table {loc[1] + 1})"
    return field


def _printable(key: str) -> str:
    return key if key.isprintable() else repr(key)


def _sentence(detail: ErrorDetails) -> tuple[str, str]:
    """Fact and remedy."""
    kind, loc, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind == REFUSED:
        return str(context["fact"]), str(context["remedy"])
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"is {detail['input']}", f"set it to {words} {context[bound]:.15g}"
    if kind == "literal_error":
        return f"is {detail['input']!r}", f"use {context['expected']}"
    if kind == "extra_forbidden":
        return _unknown_key(loc) if len(loc) > 1 else _unknown_table(detail)
    if kind in {"model_type", "model_attributes_type", "tuple_type"}:
        return _shape(loc)
    known = _known(loc)
    meaning = (known.description if known is not None else None) or "a value"
    meaning = meaning[0].lower() + meaning[1:].rstrip(".")
    if kind == "missing":
        return "is missing", f"add {loc[-1]}, {meaning}"
    return "cannot be used", f"give {meaning}"


def _unknown_table(detail: ErrorDetails) -> tuple[str, str]:
    """A table nobody knows, or a key above the first table."""
    word = str(detail["loc"][0])
    if not isinstance(detail["input"], dict | list):
        homes = _homes(word)
        under = f"below the line {bracketed(homes[0])}" if len(homes) == 1 else "below its table"
        return "stands in no table", f"move it {under}"
    if meant := nearest(word, TABLES):
        return "is not a table of this file", f"did you mean {bracketed(meant)}"
    known = ", ".join(bracketed(name) for name in TABLES)
    return "is not a table of this file", f"the tables are {known}"


def _unknown_key(loc: tuple[int | str, ...]) -> tuple[str, str]:
    """A key nobody knows. Its value is not repeated: it may be a secret."""
    word, section = str(loc[-1]), str(loc[0])
    keys = TABLES[section].model_fields
    homes = _homes(word)
    guesses = []
    if meant := nearest(word, keys):
        guesses.append(f"did you mean {meant}")
    if len(homes) == 1:
        guesses.append(f"it belongs under {bracketed(homes[0])}")
    remedy = ", or ".join(guesses) or f"the keys of {bracketed(section)} are {', '.join(keys)}"
    return "is not a setting", remedy


def _homes(key: str) -> list[str]:
    return [name for name, table in TABLES.items() if key in table.model_fields]


def _shape(loc: tuple[int | str, ...]) -> tuple[str, str]:
    section = str(loc[0])
    if len(loc) > 1 and isinstance(loc[-1], str):
        return "is not a list", 'write it as ["A", "B"]'
    if section in REPEATED:
        return "is not a list of tables", f"begin each with a line {bracketed(section)}"
    return "is not one table", f"write its keys below one line {bracketed(section)}"


def _known(loc: tuple[int | str, ...]) -> FieldInfo | None:
    table = TABLES.get(str(loc[0])) if loc else None
    return table.model_fields.get(str(loc[-1])) if table is not None else None
