"""SIGKILL during load, on real parts: the short form of ``benchmarks/kills.py``."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kills import Plan, run
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS, synapse_python

pytestmark = MARKS


async def test_killed_again_and_again_it_keeps_every_message_once(tmp_path: Path) -> None:
    """What Synapse took from its senders is in the journal once and in the bucket once."""
    plan = Plan(kills=6, longest=3.5, rooms=2, rate=6.0, patience=PATIENCE)
    figures = await run(python=synapse_python(), folder=tmp_path / "recorder", plan=plan)
    assert figures.holding.asked > plan.kills
    assert figures.holding.complete, figures.holding
