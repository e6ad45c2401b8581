"""The outage benchmark: a small form of it, and that its journal claims as the real one does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from benchmarks import disciplines, virtual_writer
from benchmarks.heap_journal import HeapJournal
from benchmarks.outage import compare, passes, report, scaled
from benchmarks.virtual_writer import play, sealed
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
    for turn in range(6):
        horizon = clock.now() + timedelta(seconds=random.choice((0, 3, 40, 90)))
        pressing = clock.now() + timedelta(hours=random.choice((0, 1, 3)))
        limit = random.choice((7, 50))
        orders = [
            [
                entry.seq
                for entry in await journal.claim(
                    EntryState.SEALED,
                    now=clock.now(),
                    limit=limit,
                    feasible=horizon,
                    pressing=pressing,
                )
            ]
            for journal in (heaps, memory)
        ]
        assert orders[0] == orders[1]
        stored, failed, back = orders[0][:2], orders[0][2::2], orders[0][3::2]
        for journal in (heaps, memory):
            await journal.store([samples.proof(sealed(items[seq - 1])) for seq in stored])
            for seq in failed:
                later = clock.now() + timedelta(seconds=1 + seq)
                await journal.fail(seq, error="x", next_try=later)
            journal.release(back)
            if turn == 3:
                await journal.retry(EntryState.SEALED, error="x")
        clock.advance(random.choice((0.0, 5.0, 30.0)))


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


def test_while_the_store_is_away_one_put_begins_a_second() -> None:
    """However many workers there are, once those that were at work have found it out."""
    workload = scaled(2_300)
    whole = play(workload, workload.draw())
    away, back = workload.away
    assert (back - away) / 1000 / 2 < whole.store.failed
    assert whole.store.failed <= (back - away) / 1000 + 2 * workload.workers


def test_what_has_an_even_chance_is_tried_only_while_there_is_time() -> None:
    """With more than the store can take, what cannot be in time does not cost others theirs."""
    workload = replace(scaled(2_000), outage=0, load=1.3, mix=((60_000, 1.0),))
    items = workload.draw()
    lane = disciplines.run(disciplines.LATE_LANE, workload, items)
    assert virtual_writer.run(workload, items).late < lane.late / 2


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
