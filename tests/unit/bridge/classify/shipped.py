"""The shipped policies as texts."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[4] / "config" / "policies"


def texts() -> dict[str, str]:
    """Each policy's text by its name and version."""
    return {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.toml"))}
