"""An encrypted room on real parts: the short form of ``benchmarks/encrypted.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.encrypted import Plan, run
from tests.servers.synapse import MARKS, synapse_python

pytestmark = [*MARKS, pytest.mark.timeout(240)]


async def test_every_event_of_an_encrypted_room_is_stored_with_its_content(tmp_path: Path) -> None:
    """Keys change, the recorder is down, it is killed: a strict client's events are all opened."""
    plan = Plan(down=20, kills=4, count=50, longest=3.0, rotate_every=10, patience=90.0)
    figures = await run(python=synapse_python(), folder=tmp_path / "recorder", plan=plan)
    assert figures.kills > 1
    assert figures.complete, (figures.opened, len(figures.said), figures)
