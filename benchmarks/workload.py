"""What the outage benchmark stores: messages with their timers, and when the store is away.

All times are whole milliseconds from the beginning of the run, the precision of the journal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random

HOUR = 3_600_000
MIX: tuple[tuple[int | None, float], ...] = (
    (None, 0.30),
    (24 * HOUR, 0.25),
    (HOUR, 0.20),
    (300_000, 0.15),
    (60_000, 0.06),
    (30_000, 0.04),
)
"""Timers, None where there is none, and the share of the messages that have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A message: when it came, its timer, and how long the store takes for it."""

    number: int
    at: int
    timer: int | None
    takes: int

    @property
    def expires(self) -> float:
        """When it disappears."""
        return math.inf if self.timer is None else self.at + self.timer


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The traffic and the store. The same seed gives the same messages.

    ``load`` is the share of the store's capacity that the messages use, over the whole run; with
    ``workers`` puts at a time it gives the mean time of a put. The store is away for ``outage``
    from the end of the first third. A put that is under way in that time fails: ``fails_after``
    its begin, or its end, whichever is later.
    """

    items: int = 115_000
    length: int = 4 * HOUR
    load: float = 0.64
    outage: int = 2_400_000
    workers: int = 16
    fails_after: int = 5_000
    spread: float = 0.5
    mix: tuple[tuple[int | None, float], ...] = MIX
    seed: int = 1

    @property
    def mean_put(self) -> float:
        """Mean milliseconds of a put."""
        return self.load * self.workers * self.length / self.items

    @property
    def away(self) -> tuple[int, int]:
        """From when to when the store is away."""
        begins = self.length // 3
        return begins, begins + self.outage

    def fails(self, begins: int, takes: int) -> bool:
        """Whether a put meets the outage."""
        away, back = self.away
        return begins < back and begins + takes > away

    def draw(self) -> tuple[Item, ...]:
        """The messages in the order they come: at random, independently of each other."""
        return tuple(self._items(Random(self.seed)))

    def _items(self, random: Random) -> Iterator[Item]:
        timers = [timer for timer, _ in self.mix]
        shares = list(accumulate(share for _, share in self.mix))
        # Of a log-normal distribution, the mean of which is to be the one that the load gives.
        middle = math.log(self.mean_put) - self.spread**2 / 2
        at = 0.0
        for number in range(self.items):
            at += random.expovariate(self.items / self.length)
            (timer,) = random.choices(timers, cum_weights=shares)
            takes = max(1, round(math.exp(random.gauss(middle, self.spread))))
            yield Item(number=number, at=round(at), timer=timer, takes=takes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a discipline made of a workload."""

    name: str
    late: int
    latest: int
    """Milliseconds by which the latest was late."""
    ends: int
    """When the last one was stored."""


def outcome(name: str, items: tuple[Item, ...], stored: Callable[[int], int]) -> Outcome:
    """Count what is late; ``stored`` gives the time of an item by its number."""
    lateness = [stored(item.number) - item.expires for item in items]
    late = [milliseconds for milliseconds in lateness if milliseconds > 0]
    return Outcome(
        name=name,
        late=len(late),
        latest=int(max(late, default=0)),
        ends=max(stored(item.number) for item in items),
    )


def beyond_help(workload: Workload, items: tuple[Item, ...]) -> int:
    """How many came and disappeared while the store was away: late whoever stores them."""
    away, back = workload.away
    return sum(away <= item.at and item.expires <= back for item in items)
