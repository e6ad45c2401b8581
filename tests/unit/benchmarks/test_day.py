"""The day in virtual time, as a minute of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from blockbuster import BlockBuster

from benchmarks.day import report, run
from benchmarks.talk import Pace, Talk
from benchmarks.virtual_time import VirtualClock, VirtualLoop
from bridge.rawjson.fields import decode, tables
from tests.patience import PATIENCE
from tests.simulation.ports import START


def test_a_minute_passes_and_all_that_was_said_is_kept(
    tmp_path: Path, blockbuster: BlockBuster
) -> None:
    """A recorder with every real part stores what five groups say, and ends in order."""
    blockbuster.deactivate()  # a start reads its keys where nobody waits yet
    pace = Pace(seconds=60, rate=5, groups=5)
    progress, ledger = run(pace, tmp_path)
    assert ledger.sent == pace.messages == 300
    assert ledger.whole
    assert ledger.captured + ledger.review + ledger.discarded == ledger.sent
    assert ledger.stored >= ledger.captured + ledger.review
    assert not progress.alarms
    assert "300 messages in 5 groups at 5/s: 0 lost, 0 late" in report(pace, progress, ledger)


def test_time_waits_for_threads_and_for_nothing_else() -> None:
    """An hour passes at once, and none of it while a thread works."""
    loop = VirtualLoop()

    async def live() -> tuple[float, float]:
        await asyncio.gather(asyncio.sleep(3600), asyncio.to_thread(time.sleep, 0.05))
        before = loop.time()
        await asyncio.wait(
            {asyncio.ensure_future(asyncio.to_thread(time.sleep, 0.05))}, timeout=PATIENCE
        )
        return before, loop.time()

    try:
        before, after = loop.run_until_complete(live())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert before == after >= 3600


def test_what_was_not_acknowledged_is_given_again(tmp_path: Path) -> None:
    """The Bot API in memory forgets what lies below the offset, and nothing else."""
    loop = VirtualLoop()
    talk = Talk(Pace(seconds=2, rate=10, groups=2), VirtualClock(loop, START), tmp_path)

    async def ask(offset: int | None) -> list[object]:
        answer = await talk.get_updates(offset=offset, seconds=5)
        return [each["update_id"] for each in tables(decode(answer) or {}, "result")]

    try:
        talk.begin()
        first = loop.run_until_complete(ask(None))
        again = loop.run_until_complete(ask(None))
        assert first == again[: len(first)]
        assert len(first) == 10
        rest = loop.run_until_complete(ask(int(str(first[-1])) + 1))
        assert first[-1] not in rest
        assert not talk.silent
        assert loop.run_until_complete(ask(int(str(rest[-1])) + 1)) == []
        assert talk.silent
    finally:
        loop.close()


def test_a_day_has_busy_hours_in_its_middle() -> None:
    """Before and after them less is said."""
    pace = Pace(seconds=100, rate=20, groups=1, busy_seconds=10, quiet_rate=1)
    assert pace.messages == 90 + 200
    assert [pace.due(second) for second in (0, 45, 50, 55, 100, 200)] == [0, 45, 145, 245, 290, 290]
