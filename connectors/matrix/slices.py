"""Going on when one response cannot be split: each group asked for alone, the bad one standing.

The stream is cut into the approved groups and everything else. Each slice keeps a token of its
own in the cursor. Once every slice has been read past the bad place, the earliest of their tokens
becomes the one token again: what is delivered twice by that is known to the journal already.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.model import Loss
from bridge.protocols import Clock
from connectors.matrix.delivery import Delivery
from connectors.matrix.place import OTHERS, Place, Slice

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
ROUND_PAUSE = 1.0


class Slices:
    """Which slice is asked next. Pauses are in memory; tokens and failures are in the cursor."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = False
        self._next_try: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._failed_since: dict[str, datetime] = {}

    def on(self, place: Place) -> bool:
        """Whether the stream is cut at present."""
        return self._begun or bool(place.slices)

    def begin(self) -> None:
        """Cut the stream: the whole of it could not be read."""
        self._begun = True

    async def choose(self, place: Place, approved: frozenset[str]) -> str:
        """The slice that is due; waits until one is."""
        while True:
            now = self._clock.monotonic()
            names = [*sorted(approved), OTHERS]
            due = [name for name in names if self._next_try.get(name, 0.0) <= now]
            if due:
                return min(due, key=lambda name: _turn(place, name))
            await self._clock.sleep(ROUND_PAUSE)

    def failed(self, name: str) -> None:
        """This slice holds what cannot be split; it stands still and is asked again later."""
        pause = self._pauses.get(name, FIRST_PAUSE)
        self._pauses[name] = min(pause * 2, LONGEST_PAUSE)
        self._next_try[name] = self._clock.monotonic() + pause
        self._failed_since.setdefault(name, self._clock.now())

    def succeeded(
        self, delivery: Delivery, name: str, token: str, approved: frozenset[str]
    ) -> None:
        """Move one slice on; join them again once none stands still.

        A slice that had failed goes on with a gap: what it left out is not known.
        """
        place = delivery.place
        turn = 1 + max((s.turn for s in place.slices.values()), default=0)
        slices = {**place.slices, name: Slice(since=token, turn=turn)}
        began = self._failed_since.pop(name, None)
        if began is not None and name != OTHERS:
            loss = Loss(
                group_id=name, why="response_unreadable", since=began, until=self._clock.now()
            )
            delivery.losses.append(loss)
        self._pauses.pop(name, None)
        self._next_try[name] = self._clock.monotonic() + ROUND_PAUSE
        if {*approved, OTHERS} <= slices.keys() and not self._failed_since:
            earliest = min(slices.values(), key=lambda s: s.turn)
            delivery.place = msgspec.structs.replace(place, since=earliest.since, slices={})
            self._begun = False
            self._next_try.clear()
            return
        delivery.place = msgspec.structs.replace(place, slices=slices)


def _turn(place: Place, name: str) -> int:
    found = place.slices.get(name)
    return 0 if found is None else found.turn
