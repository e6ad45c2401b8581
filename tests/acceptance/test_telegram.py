"""The main job on Telegram: the program as users start it, the Bot API server, a real store."""

from __future__ import annotations

from pathlib import Path

from benchmarks.loss import lost
from benchmarks.telegram_cases import SHORT
from benchmarks.telegram_loss import muniment, telegram_table
from tests.patience import PATIENCE

_ROWS = [row for row in SHORT if row.case.key in "egh"]


async def test_nothing_is_lost_in_the_hard_rows_of_the_short_table(tmp_path: Path) -> None:
    """Sent while down and killed, refused, cut off: journalled, and stored once."""
    results = await telegram_table(folder=tmp_path, rows=_ROWS, makers=[muniment], quiet=PATIENCE)
    found = {result.case: (lost(result), result.twice) for result in results}
    assert found == {row.case.key: (0, 0) for row in _ROWS}
