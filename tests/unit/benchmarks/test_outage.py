"""The outage benchmark: a small form of it, and that its journal claims as the real one does."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from benchmarks.heap_journal import HeapJournal
from benchmarks.outage import compare, passes, report, scaled
from benchmarks.virtual_writer import sealed
from benchmarks.workload import Item
from bridge.lifecycle import EntryState
from bridge.model import Outcome
from tests.fakes import samples
from tests.fakes.clock import FakeClock
from tests.fakes.journal import MemoryJournal
from tests.simulation.ports import START

TIMERS = (None, 5_000, 30_000, 60_000, 600_000, 7_200_000)


@pytest.mark.parametrize("seed", range(8))
async def test_it_claims_in_the_order_that_the_protocol_promises(seed: int) -> None:
    """For any timers, any moment and any failures the order is that of the contract's journal."""
    random = Random(seed)
    clock = FakeClock(START)
    heaps = HeapJournal(clock)
    memory = MemoryJournal(clock=clock, random_bytes=samples.seeded(), blind_key=samples.BLIND_KEY)
    assert await memory.set_group(samples.group(), expect=None)
    items = [
        Item(number=i, at=random.randrange(90_000), timer=random.choice(TIMERS), takes=1)
        for i in range(1, 25)
    ]
    for item in items:
        heaps.add(sealed(item))
        await _sealed_in(memory, item)
    clock.advance(random.randrange(120))
    horizon = clock.now() + timedelta(seconds=random.choice((0, 3, 40)))
    pressing = clock.now() + timedelta(hours=1)
    for _ in range(3):
        orders = [
            [
                entry.seq
                for entry in await journal.claim(
                    EntryState.SEALED,
                    now=clock.now(),
                    limit=50,
                    feasible=horizon,
                    pressing=pressing,
                )
            ]
            for journal in (heaps, memory)
        ]
        assert orders[0] == orders[1]
        for journal in (heaps, memory):
            for seq in orders[0][::2]:
                later = clock.now() + timedelta(seconds=1 + seq)
                await journal.fail(seq, error="x", next_try=later)
            journal.release(orders[0][1::2])
        clock.advance(5.0)


async def _sealed_in(memory: MemoryJournal, item: Item) -> None:
    """The same message in the journal of the contract suite, where its ``seq`` is its number."""
    entry = sealed(item)
    timer = None if item.timer is None else item.timer / 1000
    event = samples.event(
        f"${item.number}",
        sent_at=entry.event.observed_at,
        observed_at=entry.event.observed_at,
        timer=timer,
    )
    await memory.append(samples.batch(event))
    await memory.judge([(item.number, samples.verdict(Outcome.CAPTURE))])
    judged = await memory.entry(item.number)
    assert judged is not None
    await memory.seal([samples.sealing(judged)])


def test_ours_is_no_later_than_the_late_lane() -> None:
    """A fiftieth of the benchmark, with the product's own writer, its pauses included."""
    workload = scaled(2_300)
    items = workload.draw()
    outcomes = compare(workload, items)
    assert len({each.name for each in outcomes}) == len(outcomes) == 5
    assert "Timers: none 30%" in report(workload, items, outcomes)
    fifo, ours = outcomes[0], outcomes[-1]
    assert ours.late < fifo.late
    assert passes(outcomes)
