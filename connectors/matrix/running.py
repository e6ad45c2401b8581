"""The timers that run in groups: which to tell of, and where they stand in the cursor."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bridge.model import GroupTimer, Timer
from connectors.matrix import timers
from connectors.matrix.delivered import Delivery
from connectors.matrix.envelope import Events
from connectors.matrix.place import Place
from connectors.matrix.room import RoomState
from connectors.matrix.timers import Length


class Running:
    """The timers of ``rooms``. ``server_default`` is the server's retention in seconds.

    In memory only: after a restart every group is told of again.
    """

    def __init__(self, rooms: Mapping[str, RoomState], *, server_default: float | None) -> None:
        self._rooms = rooms
        self._server = timers.server_default(server_default)
        self._kept: dict[str, tuple[int, GroupTimer]] = {}

    def of(self, group_id: str, room: RoomState) -> GroupTimer:
        """What runs for a message said now."""
        return room.timers(group_id, self._server)

    def standing_after(self, room: RoomState, timeline: Events) -> Timer | None:
        """What removes messages once a timeline is applied: it counts for all that stands in it."""
        return room.standing_after(timeline, self._server)

    def forget(self, group_id: str) -> None:
        """It is to be told of again."""
        self._kept.pop(group_id, None)

    def kept(self, delivery: Delivery) -> None:
        """What the delivery told need not be told again."""
        self._kept.update(delivery.timers)

    def tell(self, delivery: Delivery, group_id: str) -> None:
        """Tell of timers that are new, or were changed, be it there and back.

        Nothing is told of a room whose retention is not known: it would end one that runs.
        """
        room = self._rooms.get(group_id)
        if room is None or not room.knows_standing:
            return
        told = room.timer_changes, self.of(group_id, room)
        if self._kept.get(group_id) != told:
            delivery.timers[group_id] = told

    def tell_all(self, delivery: Delivery, approved: frozenset[str]) -> None:
        """Tell of every group that needs it, and keep in the cursor where all stand."""
        lengths: dict[str, Length] = {}
        for group_id in sorted(delivery.place.recorded.keys() & approved):
            self.tell(delivery, group_id)
            length = self._length(delivery.place, group_id)
            if length is not None:
                lengths[group_id] = length
        if lengths != delivery.place.disappearing:
            delivery.place = msgspec.structs.replace(delivery.place, disappearing=lengths)

    def _length(self, place: Place, group_id: str) -> Length | None:
        room = self._rooms.get(group_id)
        return place.disappearing.get(group_id) if room is None else room.disappearing
