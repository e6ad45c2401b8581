"""The settings on the pages are the settings of the program."""

from __future__ import annotations

import re

from config.scaffold import example
from config.settings import parse
from config.tables import REPEATED, TABLES
from tests.pages import ROOT, page, pages, section, sources, table_cells

SETTING = re.compile(r"(?<![\[\w])\[{1,2}([a-z]+)\]{1,2} ([a-z_]+)\b")


def _heading(name: str) -> str:
    return f"`[[{name}]]`" if name in REPEATED else f"`[{name}]`"


def test_every_setting_is_documented_and_no_other() -> None:
    """The settings page has each table of the settings, and in it each of its keys."""
    headings = [_heading(name) for name in TABLES]
    assert page("docs/settings.md").headings() == ["Settings", *headings]
    for name, table in TABLES.items():
        listed = table_cells(section("docs/settings.md", _heading(name)))
        assert listed == list(table.model_fields), name


def test_settings_named_on_other_pages_exist() -> None:
    """A setting that a page names as ``[table] key`` is one."""
    for each in pages():
        for table, key in SETTING.findall("\n".join(each.spans())):
            assert table in TABLES, f"{each.name}: [{table}]"
            assert key in TABLES[table].model_fields, f"{each.name}: [{table}] {key}"


def test_every_setting_has_an_effect() -> None:
    """The program reads each that the page lists."""
    program = "\n".join(text for name, text in sources().items() if name.startswith("bridge/app/"))
    derived = "".join(
        sources()[f"config/{name}.py"] for name in ("settings", "sections", "outward")
    )
    for name in TABLES:
        for line in section("docs/settings.md", _heading(name)).splitlines():
            if line.startswith("| `"):
                key = line.split("`")[1]
                assert re.search(rf"\.{key}\b", program + derived), f"[{name}] {key}"


def test_the_toml_of_the_pages_is_a_valid_file() -> None:
    """What the README and the operator's manual tell to write, the settings take."""
    started = "\n".join(b for kind, b in page("README.md").blocks() if kind == "toml")
    settings = parse(example() + started, ROOT / "muniment.toml", {})
    named = [a.name for a in settings.matrix] + [b.name for b in settings.telegram]
    assert [group.connector for group in settings.groups] == named
    told = [b for kind, b in page("docs/operations.md").blocks() if kind == "toml"]
    taken = [parse(block, ROOT / "muniment.toml", {}) for block in told]
    assert "governance" in {each.store.lock for each in taken}
    assert {len(each.witnesses) for each in taken} == {0, 1}
