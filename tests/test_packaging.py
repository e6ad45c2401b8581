"""What an installation brings: our four packages, with everything they read at run time."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]
PACKAGES = ("bridge", "connectors", "storage", "config")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_our_names(package: str) -> None:
    """The four plain names are ours alone, and what is imported is this tree."""
    assert set(packages_distributions().get(package, [])) <= {"muniment"}
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file) == ROOT / package / "__init__.py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """A wheel of this tree, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("muniment-*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


def test_the_wheel_has_everything_that_is_read_at_run_time(wheel: zipfile.ZipFile) -> None:
    """Every file of the four packages is in it: policies, SQL, migrations, the example."""
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for needed in (
        "config/muniment.example.toml",
        "config/policies/uk-nccc-2023.1.toml",
        "storage/journal/queries.sql",
        "storage/journal/migrations/0001_journal.sql",
        "storage/office/migrations/0001_group_step.sql",
    ):
        assert needed in ours
    assert ours - set(wheel.namelist()) == set()


def test_the_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Neither tests nor tools nor folders of other names are installed."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_has_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    """``muniment`` is the one command, and the licence comes along."""
    (name,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    entries = ConfigParser()
    entries.read_string(wheel.read(name).decode())
    assert dict(entries["console_scripts"]) == {"muniment": "bridge.__main__:main"}
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())
