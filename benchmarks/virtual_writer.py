"""Ours: the writer and the keeper of the product, in virtual time, on the same messages.

Nothing tells it when the store is away or back. It finds out as it does in service, by puts that
fail, and pays for its pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Never

import structlog

from benchmarks.heap_journal import HeapJournal
from benchmarks.workload import Item, Outcome, Workload, outcome
from bridge import deadlines
from bridge.errors import ObjectStoreUnavailableError
from bridge.lifecycle import EntryState
from bridge.model import Digest, ObjectReceipt, SealedRecord, Stream, Timer
from bridge.protocols import Entry, ObjectBody
from bridge.seal import Keeper, Retention
from bridge.writer import Writer
from tests.fakes import samples
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.spool import MemorySpool
from tests.simulation.loop import SimLoop
from tests.simulation.ports import START, SimClock

NAME = "ours"
STREAM = Stream(
    id="0" * 16,
    gid="0" * 16,
    connector=samples.CONNECTOR,
    platform=samples.PLATFORM,
    group_id=samples.GROUP_ID,
    group_name=None,
)
BODY = b"{}"
DIGEST = Digest.of(BODY)


class TimedStore(FakeObjectStore):
    """Takes for each record the time that the workload says, and fails in the outage."""

    def __init__(self, workload: Workload, items: tuple[Item, ...], loop: SimLoop) -> None:
        super().__init__(SimClock(loop))
        self._workload = workload
        self._items = items
        self._loop = loop
        self.failed = 0

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Wait as long as it takes; the last part of the key is the item's number."""
        item = self._items[int(key.rpartition("/")[2])]
        begins = round(self._loop.time() * 1000)
        if self._workload.fails(begins, item.takes):
            self.failed += 1
            await self._until(begins + max(item.takes, self._workload.fails_after))
            raise ObjectStoreUnavailableError("no reply")
        await self._until(begins + item.takes)
        return ObjectReceipt(key=key, digest=body.digest, retain_until=retain_until)

    async def _until(self, milliseconds: int) -> None:
        woken = self._loop.create_future()
        self._loop.call_at(milliseconds / 1000, woken.set_result, None)
        await woken


def _moment(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def sealed(item: Item) -> Entry:
    """The entry of a message, sealed as it came, with the deadlines that the bridge gives it."""
    at = _moment(item.at)
    timer = None if item.timer is None else Timer(seconds=item.timer / 1000, basis="benchmark")
    deadline = deadlines.plan(sent_at=at, received_at=at, timer=timer)
    return Entry(
        seq=item.number,
        n=item.number,
        stream=STREAM,
        event=replace(EVENT, observed_at=at),
        state=EntryState.SEALED,
        safe_by=deadline.safe_by,
        expires_at=deadline.expires_at,
        verdict=None,
        record=SealedRecord(body=BODY, digest=DIGEST, key=f"records/{item.number}"),
        seen_leaf=item.number,
        attempts=0,
    )


EVENT = samples.event()


class Run:
    """The writer at work until everything is stored."""

    def __init__(self, workload: Workload, items: tuple[Item, ...], loop: SimLoop) -> None:
        self._items = items
        self._loop = loop
        self._clock = SimClock(loop)
        self.store = TimedStore(workload, items, loop)
        self.journal = HeapJournal(self._clock)
        keeper = Keeper(
            journal=self.journal,
            store=self.store,
            spool=MemorySpool(),
            clock=self._clock,
            tenant="demo",
            retention=lambda _stream: Retention(records=None, review=None),
        )
        self.writer = Writer(
            journal=self.journal, keeper=keeper, clock=self._clock, workers=workload.workers
        )

    async def play(self) -> None:
        """Let the messages come, and end when the last is stored."""
        running = asyncio.create_task(self.writer.run())
        for item in self._items:
            wait = item.at / 1000 - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            self.journal.add(sealed(item))
        while len(self.journal.proofs) < len(self._items):
            await asyncio.sleep(1)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@contextmanager
def _quiet() -> Iterator[None]:
    """What is logged of each message is not printed."""

    def drop(_logger: object, _method: str, _line: MutableMapping[str, object]) -> Never:
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[drop])
    try:
        yield
    finally:
        structlog.configure(**before)


def play(workload: Workload, items: tuple[Item, ...]) -> Run:
    """Store every item, in virtual time."""
    loop = SimLoop(f"outage {workload.seed}")
    try:
        whole = Run(workload, items, loop)
        with _quiet():
            loop.run_until_complete(whole.play())
    finally:
        loop.close()
    return whole


def run(workload: Workload, items: tuple[Item, ...]) -> Outcome:
    """What becomes of every item."""
    whole = play(workload, items)
    stored = {proof.seq: _since_start(proof.at) for proof in whole.journal.proofs}
    return outcome(NAME, items, stored.__getitem__)


def _since_start(moment: datetime) -> int:
    return round((moment - START) / timedelta(milliseconds=1))
