"""A store that refuses everything at once is asked now and then, not in a tight loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from benchmarks.heap_journal import HeapJournal
from benchmarks.virtual_writer import sealed
from benchmarks.workload import Item
from bridge.errors import (
    ObjectStoreError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
)
from bridge.model import ObjectReceipt
from bridge.protocols import ObjectBody
from bridge.seal import Keeper, Retention
from bridge.writer import Writer
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.spool import MemorySpool
from tests.simulation.loop import SimLoop
from tests.simulation.ports import SimClock

WORKERS = 16
BACKLOG = 2_000
REFUSED = 300.0
"""Seconds through which nothing is taken."""


class RefusingStore(FakeObjectStore):
    """Fails each put at once until the time is over, and takes each at once from then on."""

    def __init__(self, loop: SimLoop, error: type[ObjectStoreError]) -> None:
        super().__init__(SimClock(loop))
        self._loop = loop
        self._error = error
        self.failed = 0

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """See the protocol; no time goes by."""
        if self._loop.time() < REFUSED:
            self.failed += 1
            raise self._error("no")
        return ObjectReceipt(key=key, digest=body.digest, retain_until=retain_until)


async def _stored(loop: SimLoop, store: RefusingStore) -> None:
    """The writer at work until all of the backlog is stored."""
    clock = SimClock(loop)
    journal = HeapJournal(clock)
    keeper = Keeper(
        journal=journal,
        store=store,
        spool=MemorySpool(),
        clock=clock,
        tenant="demo",
        retention=lambda _stream: Retention(records=None, review=None),
    )
    for number in range(BACKLOG):
        journal.add(sealed(Item(number=number, at=0, timer=None, takes=0)))
    running = asyncio.create_task(
        Writer(journal=journal, keeper=keeper, clock=clock, workers=WORKERS).run()
    )
    while len(journal.proofs) < BACKLOG:
        assert loop.time() < REFUSED + timedelta(minutes=2).total_seconds()
        await asyncio.sleep(1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("error", [ObjectStoreRejectedError, ObjectStoreUnavailableError])
def test_a_store_that_refuses_at_once_is_tried_once_a_second(
    error: type[ObjectStoreError],
) -> None:
    """However much waits and however fast it refuses; once it takes one it is given the rest."""
    loop = SimLoop("refused")
    try:
        store = RefusingStore(loop, error)
        loop.run_until_complete(_stored(loop, store))
    finally:
        loop.close()
    assert REFUSED / 2 < store.failed <= REFUSED + 2 * WORKERS
