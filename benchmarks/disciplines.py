"""The orders that ours is compared with, each as good as it can be made.

They learn that the store is back as ours does, by trying, but try without any pause and at no
cost. One that is *told* never tries in vain and begins the moment the store is back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.workload import Item, Outcome, Workload, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """Who is next: the least ``urgency``. ``late_lane``: what has expired waits for the rest."""

    name: str
    urgency: Callable[[Item], float]
    late_lane: bool = False


def _arrival(item: Item) -> float:
    return item.at


def _expiry(item: Item) -> float:
    return item.expires


NEVER = 1 << 62

LATE_LANE = Discipline(
    name="earliest deadline first, with a late lane", urgency=_expiry, late_lane=True
)
REFERENCES = (
    Discipline(name="first in, first out", urgency=_arrival),
    Discipline(name="earliest deadline first", urgency=_expiry),
    LATE_LANE,
)


class _Queue:
    """What waits, in the order of a discipline."""

    def __init__(self, discipline: Discipline) -> None:
        self._discipline = discipline
        self._waiting: list[tuple[float, int, Item]] = []
        self._late: list[tuple[float, int, Item]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting or self._late)

    def add(self, item: Item) -> None:
        """It came, or its put failed."""
        heapq.heappush(self._waiting, (self._discipline.urgency(item), item.number, item))

    def take(self, now: int) -> Item:
        """The next one."""
        while self._discipline.late_lane and self._waiting and self._waiting[0][2].expires <= now:
            heapq.heappush(self._late, heapq.heappop(self._waiting))
        return heapq.heappop(self._waiting or self._late)[2]


class Run:
    """A store, its workers, and who is next. ``told``: they know when the store is away."""

    def __init__(
        self, discipline: Discipline, workload: Workload, items: tuple[Item, ...], *, told: bool
    ) -> None:
        self._workload = workload
        self._items = items
        self._told = told
        self._queue = _Queue(discipline)
        self._arrived = 0
        self._failed: list[tuple[int, int]] = []
        self._free = [0] * workload.workers
        self.stored: dict[int, int] = {}

    def play(self) -> None:
        """Store everything."""
        while len(self.stored) < len(self._items):
            now = heapq.heappop(self._free)
            away, back = self._workload.away
            if self._told and away <= now < back:
                now = back
            elif not self._gather(now):
                now = self._next()
            else:
                now = self._put(self._queue.take(now), now)
            heapq.heappush(self._free, now)

    def _gather(self, now: int) -> bool:
        """Queue what came by now and what failed by now. False: there is nothing to do."""
        while self._arrived < len(self._items) and self._items[self._arrived].at <= now:
            self._queue.add(self._items[self._arrived])
            self._arrived += 1
        while self._failed and self._failed[0][0] <= now:
            self._queue.add(self._items[heapq.heappop(self._failed)[1]])
        return bool(self._queue)

    def _next(self) -> int:
        """When there will be something to do: at an arrival, or when a put has failed."""
        times = [at for at, _ in self._failed[:1]]
        if self._arrived < len(self._items):
            times.append(self._items[self._arrived].at)
        return min(times, default=NEVER)

    def _put(self, item: Item, now: int) -> int:
        """Try it; gives when the worker is free again."""
        if not self._workload.fails(now, item.takes):
            self.stored[item.number] = now + item.takes
            return now + item.takes
        _, back = self._workload.away
        ends = back if self._told else now + max(item.takes, self._workload.fails_after)
        heapq.heappush(self._failed, (ends, item.number))
        return ends


def run(
    discipline: Discipline, workload: Workload, items: tuple[Item, ...], *, told: bool = False
) -> Outcome:
    """Store every item, in virtual time."""
    whole = Run(discipline, workload, items, told=told)
    whole.play()
    return outcome(discipline.name, items, whole.stored.__getitem__)
