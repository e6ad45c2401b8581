"""The store fails during load, on real parts: the short form of ``benchmarks/store_outages.py``."""

from __future__ import annotations

from pathlib import Path

from benchmarks.store_outages import FULL, Pace, table
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS, synapse_python

pytestmark = MARKS

WORST = frozenset({"down", "500", "own-412"})
"""Nothing done, done and reported as failed, done and refused as another's."""


async def test_an_outage_of_the_store_loses_nothing_and_makes_nothing_late(tmp_path: Path) -> None:
    """All that is said meanwhile is journalled, and stored before its timer is over."""
    outages = [outage for outage in FULL if outage.key in WORST]
    rows = await table(
        python=synapse_python(),
        folder=tmp_path / "recorder",
        outages=outages,
        pace=Pace(messages=20, seconds=4.0, patience=PATIENCE),
    )
    assert [row.outage.key for row in rows if not row.kept] == []
    assert [row.holding.twice for row in rows] == [0] * len(WORST)
