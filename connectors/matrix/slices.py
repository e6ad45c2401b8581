"""Going on when one response cannot be split: each group asked for alone, the bad one standing.

The stream is cut into the approved groups and everything else. Each slice keeps a token of its
own in the cursor. Once every slice has been read past the bad place, the earliest of their tokens
becomes the one token again: what is delivered twice by that is known to the journal already.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.model import Loss
from bridge.pauses import Pauses
from bridge.protocols import Clock
from connectors.matrix.delivered import Delivery
from connectors.matrix.place import OTHERS, Place, Slice, heard

ROUND_PAUSE = 1.0


class Slices:
    """Which slice is asked next. Pauses are in memory; tokens and failures are in the cursor."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = False
        self._pauses = Pauses(clock)
        self._failed_since: dict[str, datetime] = {}

    def on(self, place: Place) -> bool:
        """Whether the stream is cut at present."""
        return self._begun or bool(place.slices)

    def begin(self) -> None:
        """Cut the stream: the whole of it could not be read."""
        self._begun = True

    def choose(self, place: Place, approved: frozenset[str]) -> str | None:
        """The slice that is due, the longest waiting one first; None: not one is."""
        names = [*sorted(approved), OTHERS]
        due = [name for name in names if not self._pauses.left(name)]
        return min(due, key=lambda name: _turn(place, name)) if due else None

    async def rest(self) -> None:
        """Wait a little while no slice is due."""
        await self._clock.sleep(ROUND_PAUSE)

    def failed(self, name: str) -> None:
        """This slice holds what cannot be split; it stands still and is asked again later."""
        self._pauses.failed(name)
        self._failed_since.setdefault(name, self._clock.now())

    def unanswered(self, name: str) -> None:
        """The platform gave no answer for this slice: the others come first."""
        self._pauses.failed(name)

    def succeeded(
        self, delivery: Delivery, name: str, token: str, approved: frozenset[str]
    ) -> None:
        """Move one slice on; join them again once none stands still.

        A slice that had failed goes on with a gap: what it left out is not known.
        """
        place = heard(delivery.place, name)
        names = {*approved, OTHERS}
        turn = 1 + max((s.turn for s in place.slices.values()), default=0)
        slices = {**place.slices, name: Slice(since=token, turn=turn)}
        # A slice whose group is approved no longer is a part of the others by now.
        slices = {known: slices[known] for known in slices if known in names}
        began = self._failed_since.pop(name, None)
        if began is not None and name != OTHERS:
            loss = Loss(
                group_id=name, why="response_unreadable", since=began, until=self._clock.now()
            )
            delivery.losses.append(loss)
        self._pauses.succeeded(name, rest=ROUND_PAUSE)
        if names <= slices.keys() and names.isdisjoint(self._failed_since):
            earliest = min(slices.values(), key=lambda s: s.turn)
            delivery.place = msgspec.structs.replace(place, since=earliest.since, slices={})
            self._begun = False
            self._failed_since.clear()
            self._pauses.clear()
            return
        delivery.place = msgspec.structs.replace(place, slices=slices)


def _turn(place: Place, name: str) -> int:
    found = place.slices.get(name)
    return 0 if found is None else found.turn
