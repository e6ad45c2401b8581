"""Prints ``docs/settings.md`` from the tables of ``config``.

Run it as ``python docs/list_settings.py > docs/settings.md``; a test compares the two.
"""
# ruff: noqa: INP001 - a script beside the pages it writes, not a package

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.settings import PREFIX, SEPARATOR
from config.tables import REPEATED, TABLES

HEAD = """\
# Settings

Printed by `docs/list_settings.py` from the descriptions in `config/`. Change those, not this page.

One TOML file holds all settings; `muniment init` writes one with every setting and its default.
All commands take `--config FILE`; without it `MUNIMENT_CONFIG` names the file, and without that it
is `muniment.toml` in the current folder. Paths in the file are meant from the file's folder.

Tables in single brackets stand once, and the environment goes before the file for them:
`MUNIMENT_STORE__RETENTION_DAYS=730` sets `[store] retention_days`. Numbers, `true` and lists are
written as in the file, text without quotes. Tables in double brackets may stand several times and
come from the file alone. A key or a `MUNIMENT_*` name that does not exist is an error, and so is an
empty value. Secrets stand in files of their own, which only the recorder's account may read and
write; a file that others may read is refused.
"""


def _kind(annotation: object) -> str:
    """The kind of value, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{json.dumps(each)}`" for each in arguments)
    if origin in {Union, UnionType}:
        return next(_kind(each) for each in arguments if each is not type(None))
    if origin is tuple:
        return "list of texts"
    if arguments:  # Annotated: the kind with its checks
        return _kind(arguments[0])
    names: dict[object, str] = {
        bool: "`true` or `false`",
        int: "whole number",
        float: "number",
        Path: "path",
        str: "text",
    }
    return names[annotation]


def _bounds(field: FieldInfo) -> str:
    """The least and the greatest value, where there are any."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [
        f"{word} {getattr(each, name):g}" if name == "gt" else f"{word} {getattr(each, name)}"
        for each in field.metadata
        for name, word in words.items()
        if hasattr(each, name)
    ]
    return f", {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    value = str(field.default) if isinstance(field.default, Path) else field.default
    return f"`{json.dumps(value)}`"


def _row(key: str, field: FieldInfo) -> str:
    kind = _kind(field.annotation) + _bounds(field)
    return f"| `{key}` | {kind} | {_default(field)} | {field.description} |"


def _section(name: str, table: type[BaseModel]) -> Iterator[str]:
    heading = f"[[{name}]]" if name in REPEATED else f"[{name}]"
    about = (table.__doc__ or "").partition(": ")[2]
    yield f"## `{heading}`"
    yield ""
    yield about[:1].upper() + about[1:]
    if name not in REPEATED:
        yield f"In the environment: `{PREFIX}{name.upper()}{SEPARATOR}KEY`."
    yield ""
    yield "| key | kind | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in table.model_fields.items():
        yield _row(key, field)
    yield ""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for name, table in TABLES.items():
        lines += _section(name, table)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
