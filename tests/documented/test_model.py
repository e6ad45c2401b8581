"""The model, scored and trained by those who have data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.documented.walk import Walk, documented
from tests.unit.bridge.evaluate.invented import corpus


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of the data format."""
    folder = tmp_path / "data"
    folder.mkdir()
    for conversation in corpus():
        for each in conversation:
            line = {
                "conv": each.conversation,
                "turn": each.turn,
                "speaker": each.speaker,
                "text": each.text,
                "label": each.label,
                "kind": each.kind,
                "needs_context": each.needs_context,
            }
            with (folder / f"{each.file}.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
    return folder


@documented(spans=("muniment evaluate DIR --cross-validate --report DIR",))
def test_models_are_trained_and_scored(walk: Walk, data: Path) -> None:
    """On invented conversations; figures and plots are written."""
    walk.put("--report DIR", "--report report")
    walk.put("evaluate DIR", f"evaluate {data}")
    walk.run("muniment evaluate DIR --cross-validate")
    (report,) = (walk.here / "report").glob("*.json")
    assert json.loads(report.read_text())["metrics"]
