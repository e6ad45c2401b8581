"""Imports point down, and the house has the rooms that the design gives it."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]
PACKAGES = ("bridge", "connectors", "storage", "config")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of ours by its dotted name."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text("utf-8"))


MODULES = dict(_modules())


def _imported(module: ast.Module) -> set[str]:
    """What a module imports, wherever in it, by dotted names."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module or "", *(f"{node.module}.{a.name}" for a in node.names)}
    return names


def test_the_contracts_of_import_linter_hold() -> None:
    """Layers, forbidden libraries and plain values, as pyproject.toml has them."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_of_the_bridge_stands_in_a_layer() -> None:
    """A new module that no layer names would be free to import anything."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    rooms = {".".join(name.split(".")[:2]) for name in MODULES if "." in name}
    loose = {room for room in rooms if room not in named and room.split(".")[0] not in named}
    assert loose == set()


def test_the_bridge_package_imports_nothing() -> None:
    """Whoever imports one module of the bridge gets no other."""
    assert _imported(MODULES["bridge"]) == set()


def test_only_the_command_line_imports_the_composition_root() -> None:
    """bridge.app sees adapters and settings; nobody but bridge.cli sees bridge.app."""
    seers = {
        name
        for name, module in MODULES.items()
        if any(each == "bridge.app" or each.startswith("bridge.app.") for each in _imported(module))
        and not name.startswith("bridge.app")
    }
    assert {".".join(name.split(".")[:2]) for name in seers} == {"bridge.cli"}


def test_only_the_composition_root_sees_adapters_and_settings() -> None:
    """No other module of the bridge imports connectors, storage or config."""
    for name, module in MODULES.items():
        if name.startswith("bridge.") and not name.startswith("bridge.app"):
            seen = {each.split(".")[0] for each in _imported(module)}
            assert not seen & {"connectors", "storage", "config"}, name


def test_only_the_clock_reads_the_machines_time() -> None:
    """Deadlines can be tested because nobody else calls now()."""
    for name, module in MODULES.items():
        if name.startswith(("bridge.clock", "bridge.demo", "bridge.cli")):
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                assert called not in {"datetime.now", "datetime.utcnow", "time.time"}, name
