"""What stands on pages for those who change the program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.documented.commands import commands, mentions
from tests.documented.walk import Walk, documented
from tests.pages import ROOT
from tests.patience import PATIENCE

_OF_MAKE = frozenset({"MAKEFLAGS", "MAKELEVEL", "MFLAGS"})
TARGETS = sorted({each.text for each in (*commands(), *mentions()) if each.text[:5] == "make "})


@pytest.mark.parametrize("command", TARGETS)
def test_make_knows_what_to_do(command: str) -> None:
    """It says what it would run."""
    # As in a new shell: `make test` tells its children that they are parts of it.
    outside = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    done = subprocess.run(
        ["bash", "-c", f"{command} --dry-run"],
        cwd=ROOT,
        env=outside,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


@documented("CONTRIBUTING.md#The loop")
def test_pages_are_printed_and_one_file_is_tested(walk: Walk) -> None:
    """In a folder with a copy of the pages; what is printed is what stands there."""
    clone = walk.home / "clone"
    clone.mkdir()
    for each in ROOT.iterdir():
        if each.name not in {"docs", ".venv"}:
            (clone / each.name).symlink_to(each)
    (clone / "docs/deploy").mkdir(parents=True)
    for script in ROOT.glob("docs/*.py"):
        (clone / "docs" / script.name).write_bytes(script.read_bytes())
    walk.environment["PYTHONPATH"] = str(ROOT)
    walk.put(".venv/bin/python", sys.executable)
    walk.go(clone)
    walk.run(".venv/bin/python docs/draw_lifecycle.py")
    walk.run(".venv/bin/python docs/list_settings.py")
    walk.run(".venv/bin/python docs/draw_dashboard.py")
    walk.run(".venv/bin/python -m supply.listing")
    for name in ("lifecycle.md", "settings.md", "deploy/muniment.grafana.json", "dependencies.md"):
        assert (clone / "docs" / name).read_text() == (ROOT / "docs" / name).read_text()
    walk.go(ROOT)
    assert " passed" in walk.run(".venv/bin/python -m pytest").out
