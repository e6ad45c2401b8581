"""From one split response to what the journal takes: events, losses, sightings, next place.

No I/O. The rooms' state moves on with each response; everything else is values.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

import msgspec

from bridge.model import CaptureMethod, Event, EventKind, Sighting, Timer
from connectors.matrix import sightings, timers
from connectors.matrix.delivered import Delivery
from connectors.matrix.encryption import before, covered, encrypted, is_begun, keep_plain
from connectors.matrix.envelope import Events, JoinedRoom, SyncEnvelope
from connectors.matrix.mapping import identify, map_event
from connectors.matrix.place import Backfill, Place, Rescue, heard, last
from connectors.matrix.room import RoomState
from connectors.matrix.roster import add_rosters
from connectors.matrix.running import Running
from connectors.matrix.stay import is_replayed, own_join, own_stay
from connectors.matrix.timers import Length

__all__ = ["Delivery", "Reader"]


class Reader:
    """Reads responses for one account. ``rooms`` holds the state of every group we are in.

    ``has_keys``: what is encrypted can be read, later and elsewhere; here nothing is decrypted.
    """

    def __init__(
        self, *, own_user: str, default_retention: float | None, has_keys: bool = False
    ) -> None:
        self._own_user = own_user
        self._has_keys = has_keys
        self._map = partial(map_event, own_user=own_user)
        self._foreign: set[str] = set()
        self._seen: dict[str, Sighting] = {}
        self._ended: dict[str, RoomState] = {}
        self._untold: set[str] = set()
        self.rooms: dict[str, RoomState] = {}
        self._running = Running(self.rooms, server_default=default_retention)

    def adopt(self, group_id: str, state: Events, place: Place) -> bool:
        """Take up a room's full state, as it is now. False: we are not in it.

        What comes next may be older: for the retention only what holds now counts, but a
        disappearing timer goes back to what ran at ``place``.
        """
        room = RoomState()
        for raw in state:
            room.apply(raw)
        if room.membership(self._own_user) != "join":
            return False
        room.is_whole = True
        if (length := place.disappearing.get(group_id)) is not None:
            room.resume(length)
        self.rooms[group_id] = room
        return True

    def forget(self, group_id: str) -> None:
        """Not approved any more: what changes from now on is not seen, and is asked for again."""
        self.rooms.pop(group_id, None)
        self._seen.pop(group_id, None)
        self._running.forget(group_id)
        self._untold.discard(group_id)

    def begin(self, group_id: str, place: Place, at: datetime) -> Delivery:
        """Record a group we are in already: from now on, with a sighting, timers and a roster.

        Of one that is recorded already the last roster holds: only the rest is told.
        """
        delivery = Delivery(place=place)
        self._seen.pop(group_id, None)  # told anyway: an approval waits for it
        self._sight(delivery, group_id, at)
        self._running.forget(group_id)
        self._running.tell(delivery, group_id)
        if group_id in place.recorded:
            # The cursor stays, so nobody can say whether this is kept: told again until it is.
            self._untold.add(group_id)
            return delivery
        delivery.began = group_id
        self._start(delivery, group_id)
        begun = tuple(dict.fromkeys((*delivery.place.begun, group_id)))
        delivery.place = msgspec.structs.replace(delivery.place, begun=begun)
        add_rosters(delivery, self.rooms, at, frozenset({group_id}))
        return delivery

    def kept(self, delivery: Delivery) -> None:
        """The delivery is durable: what it tells of groups need not be told again."""
        self._seen.update(delivery.told)
        self._running.kept(delivery)
        self._untold -= delivery.told.keys()
        self._foreign |= delivery.counted

    def read(
        self, envelope: SyncEnvelope, place: Place, *, approved: frozenset[str], at: datetime
    ) -> Delivery:
        """One sync response."""
        delivery = Delivery(place=place, to_device=envelope.to_device, devices=envelope.devices)
        for group_id, joined in envelope.joined.items():
            if group_id in approved:
                self._joined(delivery, group_id, joined, at)
            else:
                self._count(delivery, group_id, joined, at)
        for group_id, left in envelope.left.items():
            self._left(delivery, group_id, left, at, is_approved=group_id in approved)
        for group_id, state in envelope.invited.items():
            self._invited(delivery, group_id, state, at, is_approved=group_id in approved)
        for group_id in sorted(self._untold & approved - delivery.told.keys()):
            self._sight(delivery, group_id, at)
        add_rosters(delivery, self.rooms, at, approved)
        self._running.tell_all(delivery, approved)
        delivery.place = keep_plain(delivery.place, self.rooms, approved, envelope.joined)
        return delivery

    def read_history(
        self, hole: Backfill, chunk: Events, at: datetime
    ) -> tuple[list[Event], Backfill]:
        """Events of a hole, and the hole with what holds after them.

        They are older than the room's state and do not change it.
        """
        room = self._known(hole.group_id)
        now = self._running.of(hole.group_id, room)
        length, method = hole.disappearing, CaptureMethod.BACKFILL
        events = []
        covers_all = encrypted(chunk, is_now=room.encrypted, was_plain=hole.plain)
        for raw, covers in zip(chunk, covers_all, strict=True):
            if (setting := timers.set_by(raw, timers.DISAPPEARING)) is not None:
                length = Length.of(setting.timer)
            running = now if length is None else replace(now, default=length.timer)
            event = self._map(
                raw, room=room, timers=running, encrypted=covers, observed_at=at, method=method
            )
            events.append(event)
        plain = hole.plain and not is_begun(chunk)
        return events, msgspec.structs.replace(hole, disappearing=length, plain=plain)

    def read_rescued(self, order: Rescue, raw: bytes, at: datetime) -> Event:
        """An event that was given once more; the room is as it was when it was sent."""
        room = self._known(order.group_id)
        now = self._running.of(order.group_id, room)
        running = replace(now, default=order.timer.timer)
        covers, method = order.exposed, CaptureMethod.RESCUE
        return self._map(
            raw, room=room, timers=running, encrypted=covers, observed_at=at, method=method
        )

    def _known(self, group_id: str) -> RoomState:
        return self.rooms.get(group_id) or self._ended.get(group_id) or RoomState()

    def _fresh(self, group_id: str, place: Place) -> RoomState:
        """A room whose state is not loaded yet."""
        room = RoomState()
        if (length := place.disappearing.get(group_id)) is not None:
            room.resume(length)
        return room

    def _joined(self, delivery: Delivery, group_id: str, joined: JoinedRoom, at: datetime) -> None:
        is_recorded = group_id in delivery.place.recorded
        is_new = not is_recorded or group_id in delivery.place.begun
        room = self.rooms.setdefault(group_id, self._fresh(group_id, delivery.place))
        hole = before(room, delivery.place, group_id)
        known = room.membership_bytes(self._own_user)
        for raw in joined.state:
            room.apply(raw)
        if not is_recorded:
            hole = msgspec.structs.replace(hole, disappearing=room.disappearing)
        stay = own_stay(joined.timeline, self._own_user, is_new=is_new)
        changed = any(b"m.room.member" in raw for raw in joined.state)
        standing = self._running.standing_after(room, joined.timeline)
        covers_all = covered(joined, room, hole)
        for raw, is_ours, covers in zip(joined.timeline, stay.ours, covers_all, strict=True):
            room.apply(raw)
            if is_ours:
                event = self._map_live(raw, room, group_id, standing, at, encrypted=covers)
                changed = changed or event.kind is EventKind.MEMBERSHIP
                delivery.events.append(event)
        self._sight(delivery, group_id, at)
        if not is_recorded:
            self._start(delivery, group_id)
        elif changed and group_id not in delivery.place.stale:
            stale = (*delivery.place.stale, group_id)
            delivery.place = msgspec.structs.replace(delivery.place, stale=stale)
        if stay.begins_within:
            # What is left out is from before the join; of an earlier stay we saw no end.
            is_again = not is_new and not is_replayed(joined.timeline, self._own_user, known)
            if is_again and joined.limited and delivery.place.since is not None:
                delivery.lose(group_id, "removal_unseen", at)
        elif joined.limited:
            self._limited(delivery, joined, hole, is_new=is_new, at=at)

    def _limited(
        self,
        delivery: Delivery,
        joined: JoinedRoom,
        hole: Backfill,
        *,
        is_new: bool,
        at: datetime,
    ) -> None:
        """Earlier events exist that this response left out: plan to fetch them.

        ``hole``: one that begins where the last response ended.
        """
        group_id, since = hole.group_id, delivery.place.since
        if joined.prev_batch is None or since is None:
            why = "before_first_sync" if since is None else "limited_without_token"
            first = identify(joined.timeline[0])[1] if joined.timeline else None
            delivery.lose(group_id, why, first or at)
            return
        join = own_join(joined.state, self._own_user, is_new=is_new)
        if join is not None and not is_new:
            delivery.lose(group_id, "removal_unseen", at)
        hole = msgspec.structs.replace(
            hole,
            since=since if join is None else "",
            after=join or "",
            until=joined.prev_batch,
            plain=hole.plain and join is None,
        )
        backfills = (*delivery.place.backfills, hole)
        delivery.place = msgspec.structs.replace(delivery.place, backfills=backfills)

    def _left(
        self,
        delivery: Delivery,
        group_id: str,
        left: JoinedRoom,
        at: datetime,
        *,
        is_approved: bool,
    ) -> None:
        """Kicked, banned or gone. Only a group that was recorded has events to keep."""
        if is_approved:
            self._last_of_stay(delivery, group_id, left, at)
        self._end(delivery, group_id, is_approved=is_approved)
        events = (*left.state, *left.timeline)
        delivery.sightings.append(sightings.left(group_id, events, self._own_user, at))

    def _last_of_stay(
        self, delivery: Delivery, group_id: str, left: JoinedRoom, at: datetime
    ) -> None:
        """What was said until we were out; the whole stay may have gone by since the last sync."""
        room = self.rooms.setdefault(group_id, self._fresh(group_id, delivery.place))
        hole = before(room, delivery.place, group_id)
        for raw in left.state:
            room.apply(raw)
        is_new = group_id not in delivery.place.recorded
        stay = own_stay(left.timeline, self._own_user, is_new=is_new)
        if is_new and not stay.begins_within:
            if left.limited:
                delivery.lose(group_id, "join_not_found", at)
            return
        standing = self._running.standing_after(room, left.timeline)
        covers_all = covered(left, room, hole)
        for raw, is_ours, covers in zip(left.timeline, stay.ours, covers_all, strict=True):
            room.apply(raw)
            if is_ours:
                event = self._map_live(raw, room, group_id, standing, at, encrypted=covers)
                delivery.events.append(event)
        if left.limited and not stay.begins_within:
            self._limited(delivery, left, hole, is_new=False, at=at)

    def _invited(
        self, delivery: Delivery, group_id: str, state: Events, at: datetime, *, is_approved: bool
    ) -> None:
        """An invitation. To a group that is recorded: we were put out, unseen."""
        if group_id in delivery.place.recorded:
            delivery.lose(group_id, "removal_unseen", at)
            self._end(delivery, group_id, is_approved=is_approved)
        delivery.sightings.append(
            sightings.invited(group_id, state, self._own_user, at, has_keys=self._has_keys)
        )

    def _end(self, delivery: Delivery, group_id: str, *, is_approved: bool) -> None:
        """We are in the group no more; the next join begins anew.

        The end itself withdraws the approval, before the holes of this stay can be filled.
        """
        self._seen.pop(group_id, None)
        self._untold.discard(group_id)
        self._foreign.discard(group_id)
        self._running.forget(group_id)
        recorded = {g: t for g, t in delivery.place.recorded.items() if g != group_id}
        stale = tuple(g for g in delivery.place.stale if g != group_id)
        place = heard(delivery.place, group_id)
        holes, rescues = place.backfills, place.rescues
        if is_approved:
            holes = tuple(last(b) if b.group_id == group_id else b for b in holes)
            rescues = tuple(last(r) if r.group_id == group_id else r for r in rescues)
            if group_id in self.rooms:
                self._ended[group_id] = self.rooms[group_id]
        delivery.place = msgspec.structs.replace(
            place, recorded=recorded, stale=stale, backfills=holes, rescues=rescues
        )

    def _count(self, delivery: Delivery, group_id: str, joined: JoinedRoom, at: datetime) -> None:
        """A group that is not approved: nothing of it is kept, but the register lists it once."""
        delivery.unlisted += len(joined.timeline)
        if group_id in self._foreign:
            return
        delivery.counted.add(group_id)
        room = RoomState()
        for raw in (*joined.state, *joined.timeline):
            room.apply(raw)
        delivery.sightings.append(sightings.joined(group_id, room, at, has_keys=self._has_keys))

    def _start(self, delivery: Delivery, group_id: str) -> None:
        self._ended.pop(group_id, None)
        recorded = {**delivery.place.recorded, group_id: 0}
        stale = tuple(dict.fromkeys((*delivery.place.stale, group_id)))
        delivery.place = msgspec.structs.replace(delivery.place, recorded=recorded, stale=stale)

    def _sight(self, delivery: Delivery, group_id: str, at: datetime) -> None:
        """Tell of a group when something about it is new; silence is cheaper than a write."""
        sighting = sightings.joined(group_id, self.rooms[group_id], at, has_keys=self._has_keys)
        before = self._seen.get(group_id)
        told = None if before is None else (before.name, before.obstacle, before.successor)
        if told != (sighting.name, sighting.obstacle, sighting.successor):
            delivery.told[group_id] = sighting
            delivery.sightings.append(sighting)

    def _map_live(
        self,
        raw: bytes,
        room: RoomState,
        group_id: str,
        standing: Timer | None,
        at: datetime,
        *,
        encrypted: bool,
    ) -> Event:
        running = replace(self._running.of(group_id, room), standing=standing)
        method = CaptureMethod.LIVE
        return self._map(
            raw, room=room, timers=running, encrypted=encrypted, observed_at=at, method=method
        )
