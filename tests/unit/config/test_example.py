"""The shipped example is complete, true, and takes every setting it shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from config.scaffold import example
from config.sections import SINGLE
from config.settings import parse
from config.tables import REPEATED, TABLES

SETTING = re.compile(r"#?([a-z_]+) = (.+)")
TABLE = re.compile(r"#?(\[+)([a-z]+)\]+")
HERE = Path("/srv/muniment.toml")

Shown = dict[tuple[str, str], object]


def shown() -> Shown:
    """Every setting the example shows, set or not, with the value it shows."""
    found: Shown = {}
    section = ""
    for line in example().splitlines():
        if table := TABLE.fullmatch(line):
            section = table[2]
            assert (table[1] == "[[") == (section in REPEATED), line
        elif setting := SETTING.fullmatch(line):
            assert (section, setting[1]) not in found, line
            found[(section, setting[1])] = tomllib.loads(f"v = {setting[2]}")["v"]
    return found


def test_the_example_shows_every_setting_and_no_other() -> None:
    """Each key of each table stands in the example once, set or commented out."""
    known = {(name, key) for name, table in TABLES.items() for key in table.model_fields}
    assert shown().keys() == known


def test_the_example_loads_as_the_default() -> None:
    """The example as shipped is what an empty file gives."""
    assert parse(example(), HERE, {}) == parse("", HERE, {})


def test_the_example_shows_the_defaults() -> None:
    """Where a setting has a default, the example shows it."""
    values = shown()
    for name, table in TABLES.items():
        for key, field in table.model_fields.items():
            if field.default is None or field.default is PydanticUndefined:
                continue
            default = str(field.default) if isinstance(field.default, Path) else field.default
            value = values[(name, key)]
            assert (tuple(value) if isinstance(value, list) else value) == default, (name, key)


def test_what_has_no_default_is_not_set() -> None:
    """Only settings with a default are set; every repeated table is commented out."""
    document = tomllib.loads(example())
    assert document.keys() == SINGLE.keys()
    for name, table in SINGLE.items():
        with_default = {k for k, f in table.model_fields.items() if f.default is not None}
        assert document[name].keys() == with_default


def test_every_commented_setting_can_be_set() -> None:
    """With every "#" before a setting removed, but for what excludes each other, it loads."""
    text = re.sub(r"(?m)^#(?=[a-z_]+ = |\[\[)", "", example())
    text = text.replace('url = "file:var/store"', 'url = "s3://bucket/prefix"')
    text = text.replace("email_to = []", 'email_to = ["duty@example.org"]')
    settings = parse(text, HERE, {})
    assert settings.groups[0].retention == settings.retention[0].name
    assert settings.store.lock == "none"


@pytest.mark.parametrize("name", TABLES)
def test_every_setting_is_described(name: str) -> None:
    """Each key has a description that ends as a sentence."""
    for key, field in TABLES[name].model_fields.items():
        assert (field.description or "").endswith("."), key
    assert (TABLES[name].__doc__ or "").startswith(
        f"[[{name}]]:" if name in REPEATED else f"[{name}]:"
    )
