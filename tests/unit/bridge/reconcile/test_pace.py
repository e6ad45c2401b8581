"""Requests to the store: few at a time, patient, and each object of a listing once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bridge.errors import ObjectStoreRejectedError, ObjectStoreUnavailableError
from bridge.model import ObjectInfo
from bridge.reconcile.pace import PAUSES, WIDTH, Pace
from bridge.reconcile.receipts import Receipts
from tests.fakes.clock import START, FakeClock
from tests.fakes.object_store import FakeObjectStore

INFO = ObjectInfo(key="", size=1, modified_at=START)


class Breaking(FakeObjectStore):
    """Lists three objects; each listing breaks off after as many as ``breaks`` says."""

    def __init__(self, clock: FakeClock, breaks: list[int]) -> None:
        super().__init__(clock)
        self.breaks = breaks

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Some of them, then an error."""
        left = self.breaks.pop(0) if self.breaks else 99
        for key in ("a", "b", "c"):
            if left == 0:
                raise ObjectStoreUnavailableError("the listing broke off")
            left -= 1
            yield replace(INFO, key=key)


async def _listed(store: FakeObjectStore, clock: FakeClock) -> list[str]:
    return [info.key async for info in Pace(store=store, clock=clock).listing("")]


@pytest.mark.parametrize("breaks", [[], [0], [1], [2, 2], [0, 0, 1, 1, 2, 2]])
async def test_a_listing_that_breaks_off_goes_on(breaks: list[int]) -> None:
    """Every object once, wherever it broke."""
    clock = FakeClock()
    assert await _listed(Breaking(clock, breaks), clock) == ["a", "b", "c"]


async def test_a_listing_that_never_gets_on_ends() -> None:
    """After as many tries as any other request."""
    clock = FakeClock()
    with pytest.raises(ObjectStoreUnavailableError):
        await _listed(Breaking(clock, [1] * 9), clock)
    assert clock.slept == list(PAUSES)


async def test_a_refusal_is_not_asked_again() -> None:
    """Only silence is worth another try."""
    clock = FakeClock()

    async def refused() -> None:
        raise ObjectStoreRejectedError("no such bucket")

    with pytest.raises(ObjectStoreRejectedError):
        await Pace(store=FakeObjectStore(clock), clock=clock).ask(refused)
    assert clock.slept == []


async def test_few_things_happen_at_a_time() -> None:
    """And all of them, once each."""
    clock = FakeClock()
    under_way: set[int] = set()
    most, done = 0, []

    async def work(item: int) -> None:
        nonlocal most
        under_way.add(item)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(item)
        done.append(item)

    await Pace(store=FakeObjectStore(clock), clock=clock).over(range(50), work)
    assert sorted(done) == list(range(50))
    assert most == WIDTH


async def test_the_first_failure_ends_the_others() -> None:
    """Nothing of it goes on behind the caller's back."""
    clock = FakeClock()
    cancelled: list[int] = []

    async def work(item: int) -> None:
        if item == 1:
            raise ObjectStoreUnavailableError("down")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    with pytest.raises(ObjectStoreUnavailableError):
        await Pace(store=FakeObjectStore(clock), clock=clock).over(range(50), work)
    assert cancelled == [0, 2, 3]


def test_receipts_are_what_was_added() -> None:
    """Thousands of keys, and none that was not among them."""
    receipts = Receipts()
    for i in range(10_000):
        receipts.add(f"records/{i}")
    receipts.settle()
    assert all(f"records/{i}" in receipts for i in range(10_000))
    assert not any(f"review/{i}" in receipts for i in range(10_000))
