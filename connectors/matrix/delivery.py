"""From one split response to what the journal takes: events, losses, sightings, next place.

No I/O. The rooms' state moves on with each response; everything else is values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from bridge.deadlines import from_milliseconds
from bridge.model import CaptureMethod, Event, EventKind, Loss, Presence, Sighting
from connectors.matrix.envelope import Events, JoinedRoom, SyncEnvelope
from connectors.matrix.fields import decode, text
from connectors.matrix.mapping import map_event
from connectors.matrix.place import Backfill, Place, heard
from connectors.matrix.room import RoomState
from connectors.matrix.roster import roster
from connectors.matrix.stay import own_join, own_leaver, own_membership, own_stay

ROSTER_EVERY = timedelta(days=1)
_MS = timedelta(milliseconds=1)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What one response gives. ``place`` is where the next one begins.

    ``told`` and ``counted``: of which groups it tells; they count once it is known to be kept.
    ``began``: the group that it begins to record, found joined already.
    """

    place: Place
    events: list[Event] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    unlisted: int = 0
    told: dict[str, Sighting] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    began: str = ""


class Reader:
    """Reads responses for one account. ``rooms`` holds the state of every group we are in."""

    def __init__(self, *, own_user: str, default_retention: float | None) -> None:
        self._own_user = own_user
        self._default_retention = default_retention
        self._foreign: set[str] = set()
        self._seen: dict[str, Sighting] = {}
        self._ended: dict[str, RoomState] = {}
        self._untold: set[str] = set()
        self.rooms: dict[str, RoomState] = {}

    def adopt(self, group_id: str, state: Events) -> bool:
        """Take up a room's full state. False: we are not in it."""
        room = RoomState()
        for raw in state:
            room.apply(raw)
        if room.membership(self._own_user) != "join":
            return False
        room.is_whole = True
        self.rooms[group_id] = room
        return True

    def forget(self, group_id: str) -> None:
        """Not approved any more: what changes from now on is not seen, and is asked for again."""
        self.rooms.pop(group_id, None)
        self._seen.pop(group_id, None)
        self._untold.discard(group_id)

    def begin(self, group_id: str, place: Place, at: datetime) -> Delivery:
        """Record a group we are in already: from now on, with a sighting and a roster.

        Of one that is recorded already the last roster holds: only the sighting is told.
        """
        delivery = Delivery(place=place)
        self._seen.pop(group_id, None)  # told anyway: an approval waits for it
        self._sight(delivery, group_id, at)
        if group_id in place.recorded:
            # The cursor stays, so nobody can say whether this is kept: told again until it is.
            self._untold.add(group_id)
            return delivery
        delivery.began = group_id
        self._start(delivery, group_id)
        begun = tuple(dict.fromkeys((*delivery.place.begun, group_id)))
        delivery.place = msgspec.structs.replace(delivery.place, begun=begun)
        self._rosters(delivery, at, frozenset({group_id}))
        return delivery

    def kept(self, delivery: Delivery) -> None:
        """The delivery is durable: what it tells of groups need not be told again."""
        self._seen.update(delivery.told)
        self._untold -= delivery.told.keys()
        self._foreign |= delivery.counted

    def read(
        self, envelope: SyncEnvelope, place: Place, *, approved: frozenset[str], at: datetime
    ) -> Delivery:
        """One sync response."""
        delivery = Delivery(place=place)
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
        self._rosters(delivery, at, approved)
        return delivery

    def read_history(self, group_id: str, chunk: Events, *, at: datetime) -> list[Event]:
        """Events of a hole. They are older than the room's state and do not change it."""
        room = self.rooms.get(group_id) or self._ended.get(group_id) or RoomState()
        return [self._map(raw, room, group_id, at, CaptureMethod.BACKFILL) for raw in chunk]

    def _joined(self, delivery: Delivery, group_id: str, joined: JoinedRoom, at: datetime) -> None:
        is_recorded = group_id in delivery.place.recorded
        is_new = not is_recorded or group_id in delivery.place.begun
        room = self.rooms.setdefault(group_id, RoomState())
        for raw in joined.state:
            room.apply(raw)
        stay = own_stay(joined.timeline, self._own_user, is_new=is_new)
        changed = self._members_changed(joined.state)
        for raw, is_ours in zip(joined.timeline, stay.ours, strict=True):
            room.apply(raw)
            if is_ours:
                event = self._map(raw, room, group_id, at, CaptureMethod.LIVE)
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
            if not is_new and joined.limited and delivery.place.since is not None:
                _lose(delivery, group_id, "removal_unseen", at)
        elif joined.limited:
            self._limited(delivery, group_id, joined, is_new=is_new, at=at)

    def _limited(
        self,
        delivery: Delivery,
        group_id: str,
        joined: JoinedRoom,
        *,
        is_new: bool,
        at: datetime,
    ) -> None:
        """Earlier events exist that this response left out: plan to fetch them."""
        since = delivery.place.since
        if joined.prev_batch is None or since is None:
            why = "before_first_sync" if since is None else "limited_without_token"
            _lose(delivery, group_id, why, _first_time(joined.timeline) or at)
            return
        join = own_join(joined.state, self._own_user, is_new=is_new)
        if join is not None and not is_new:
            _lose(delivery, group_id, "removal_unseen", at)
        hole = Backfill(
            group_id=group_id,
            since=since if join is None else "",
            after=join or "",
            until=joined.prev_batch,
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
        room = self.rooms.get(group_id, RoomState())
        for raw in (*left.state, *left.timeline):
            room.apply(raw)
        if is_approved:
            self._last_of_stay(delivery, group_id, left, at)
        self._end(delivery, group_id, is_approved=is_approved)
        by = own_leaver((*left.state, *left.timeline), self._own_user)
        went = by == self._own_user
        delivery.sightings.append(
            Sighting(
                group_id=group_id,
                presence=Presence.LEFT if went else Presence.REMOVED,
                at=at,
                by=by,
            )
        )

    def _last_of_stay(
        self, delivery: Delivery, group_id: str, left: JoinedRoom, at: datetime
    ) -> None:
        """What was said until we were out; the whole stay may have gone by since the last sync."""
        is_new = group_id not in delivery.place.recorded
        stay = own_stay(left.timeline, self._own_user, is_new=is_new)
        if is_new and not stay.begins_within:
            if left.limited:
                _lose(delivery, group_id, "join_not_found", at)
            return
        room = self.rooms.get(group_id, RoomState())
        delivery.events += [
            self._map(raw, room, group_id, at, CaptureMethod.LIVE)
            for raw, is_ours in zip(left.timeline, stay.ours, strict=True)
            if is_ours
        ]
        if left.limited and not stay.begins_within:
            self._limited(delivery, group_id, left, is_new=False, at=at)

    def _invited(
        self, delivery: Delivery, group_id: str, state: Events, at: datetime, *, is_approved: bool
    ) -> None:
        """An invitation. To a group that is recorded: we were put out, unseen."""
        if group_id in delivery.place.recorded:
            _lose(delivery, group_id, "removal_unseen", at)
            self._end(delivery, group_id, is_approved=is_approved)
        delivery.sightings.append(_invitation(group_id, state, self._own_user, at))

    def _end(self, delivery: Delivery, group_id: str, *, is_approved: bool) -> None:
        """We are in the group no more; the next join begins anew.

        The end itself withdraws the approval, before the holes of this stay can be filled.
        """
        self._seen.pop(group_id, None)
        self._untold.discard(group_id)
        self._foreign.discard(group_id)
        recorded = {g: t for g, t in delivery.place.recorded.items() if g != group_id}
        stale = tuple(g for g in delivery.place.stale if g != group_id)
        place = heard(delivery.place, group_id)
        holes = place.backfills
        if is_approved:
            holes = tuple(_last(b) if b.group_id == group_id else b for b in holes)
            if group_id in self.rooms:
                self._ended[group_id] = self.rooms[group_id]
        delivery.place = msgspec.structs.replace(
            place, recorded=recorded, stale=stale, backfills=holes
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
        delivery.sightings.append(self._sighting(group_id, room, at))

    def _start(self, delivery: Delivery, group_id: str) -> None:
        self._ended.pop(group_id, None)
        recorded = {**delivery.place.recorded, group_id: 0}
        stale = tuple(dict.fromkeys((*delivery.place.stale, group_id)))
        delivery.place = msgspec.structs.replace(delivery.place, recorded=recorded, stale=stale)

    def _rosters(self, delivery: Delivery, at: datetime, approved: frozenset[str]) -> None:
        """Who is here: at our join, and at most once a day after changes."""
        now_ms = (at - datetime.fromtimestamp(0, at.tzinfo)) // _MS
        for group_id in delivery.place.stale:
            last = delivery.place.recorded.get(group_id)
            room = self.rooms.get(group_id)
            if last is None or room is None or not room.is_whole or group_id not in approved:
                continue
            if last and now_ms - last < ROSTER_EVERY // _MS:
                continue
            delivery.events.append(roster(group_id, room, at))
            delivery.place = msgspec.structs.replace(
                delivery.place,
                recorded={**delivery.place.recorded, group_id: now_ms},
                stale=tuple(g for g in delivery.place.stale if g != group_id),
            )

    def _sight(self, delivery: Delivery, group_id: str, at: datetime) -> None:
        """Tell of a group when something about it is new; silence is cheaper than a write."""
        sighting = self._sighting(group_id, self.rooms[group_id], at)
        before = self._seen.get(group_id)
        told = None if before is None else (before.name, before.encrypted, before.successor)
        if told != (sighting.name, sighting.encrypted, sighting.successor):
            delivery.told[group_id] = sighting
            delivery.sightings.append(sighting)

    def _sighting(self, group_id: str, room: RoomState, at: datetime) -> Sighting:
        return Sighting(
            group_id=group_id,
            presence=Presence.JOINED,
            at=at,
            name=room.name,
            encrypted=room.encryption,
            successor=room.successor,
        )

    def _map(
        self, raw: bytes, room: RoomState, group_id: str, at: datetime, method: CaptureMethod
    ) -> Event:
        return map_event(
            raw,
            room=room,
            group_id=group_id,
            own_user=self._own_user,
            observed_at=at,
            method=method,
            default_retention=self._default_retention,
        )

    def _members_changed(self, state: Events) -> bool:
        return any(b"m.room.member" in raw for raw in state)


def _invitation(group_id: str, state: Events, own_user: str, at: datetime) -> Sighting:
    room = RoomState()
    by = None
    for raw in state:
        room.apply(raw)
        if own_membership(raw, own_user) == "invite":
            by = text(decode(raw) or {}, "sender")
    return Sighting(
        group_id=group_id,
        presence=Presence.INVITED,
        at=at,
        name=room.name,
        by=by,
        encrypted=room.encrypted or None,  # what an invitation shows is not all of it
    )


def _last(hole: Backfill) -> Backfill:
    return msgspec.structs.replace(hole, last=True)


def _lose(delivery: Delivery, group_id: str, why: str, until: datetime) -> None:
    delivery.losses.append(Loss(group_id=group_id, why=why, until=until))


def _first_time(timeline: Events) -> datetime | None:
    if not timeline:
        return None
    return from_milliseconds((decode(timeline[0]) or {}).get("origin_server_ts"))
