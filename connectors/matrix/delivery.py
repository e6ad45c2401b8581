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
from connectors.matrix.fields import decode, table, text
from connectors.matrix.mapping import map_event
from connectors.matrix.place import Backfill, Place
from connectors.matrix.room import RoomState

ROSTER_EVERY = timedelta(days=1)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """History between our join and the first event delivered; its start must be looked up."""

    group_id: str
    join_event: str | None
    until: str


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What one response gives. ``place`` is where the next one begins."""

    place: Place
    events: list[Event] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    unlisted: int = 0


class Reader:
    """Reads responses for one account. ``rooms`` holds the state of every group we are in."""

    def __init__(self, *, own_user: str, default_retention: float | None) -> None:
        self._own_user = own_user
        self._default_retention = default_retention
        self._foreign: set[str] = set()
        self._seen: dict[str, Sighting] = {}
        self.rooms: dict[str, RoomState] = {}

    def adopt(self, group_id: str, state: Events) -> bool:
        """Take up a room's full state. False: we are not in it."""
        room = RoomState()
        for raw in state:
            room.apply(raw)
        if room.membership(self._own_user) != "join":
            return False
        self.rooms[group_id] = room
        return True

    def begin(self, group_id: str, place: Place, at: datetime) -> Delivery:
        """Record a group we are in already: from now on, with a sighting and a roster."""
        delivery = Delivery(place=place)
        self._sight(delivery, group_id, at)
        self._start(delivery, group_id)
        self._rosters(delivery, at)
        return delivery

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
            if group_id in approved or group_id in place.recorded:
                self._left(delivery, group_id, left, at)
        for group_id, state in envelope.invited.items():
            delivery.sightings.append(_invitation(group_id, state, self._own_user, at))
        self._rosters(delivery, at)
        return delivery

    def read_history(self, group_id: str, chunk: Events, *, at: datetime) -> list[Event]:
        """Events of a hole. They are older than the room's state and do not change it."""
        room = self.rooms.get(group_id) or RoomState()
        return [self._map(raw, room, group_id, at, CaptureMethod.BACKFILL) for raw in chunk]

    def _joined(self, delivery: Delivery, group_id: str, joined: JoinedRoom, at: datetime) -> None:
        is_new = group_id not in delivery.place.recorded
        room = self.rooms.setdefault(group_id, RoomState())
        for raw in joined.state:
            room.apply(raw)
        timeline = joined.timeline
        own_join = self._own_join(timeline) if is_new else None
        if own_join is not None:
            for raw in timeline[:own_join]:
                room.apply(raw)
            timeline = timeline[own_join:]
        changed = self._members_changed(joined.state)
        for raw in timeline:
            room.apply(raw)
            event = self._map(raw, room, group_id, at, CaptureMethod.LIVE)
            changed = changed or event.kind is EventKind.MEMBERSHIP
            delivery.events.append(event)
        self._sight(delivery, group_id, at)
        if is_new:
            self._start(delivery, group_id)
        elif changed and group_id not in delivery.place.stale:
            stale = (*delivery.place.stale, group_id)
            delivery.place = msgspec.structs.replace(delivery.place, stale=stale)
        if joined.limited and own_join is None:
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
            first = _first_time(joined.timeline)
            why = "before_first_sync" if since is None else "limited_without_token"
            delivery.losses.append(Loss(group_id=group_id, why=why, until=first or at))
        elif is_new:
            member = self.rooms[group_id].members.get(self._own_user)
            join_event = text(decode(member.raw) or {}, "event_id") if member else None
            hole = Hole(group_id=group_id, join_event=join_event, until=joined.prev_batch)
            delivery.holes.append(hole)
        else:
            backfill = Backfill(group_id=group_id, since=since, until=joined.prev_batch)
            backfills = (*delivery.place.backfills, backfill)
            delivery.place = msgspec.structs.replace(delivery.place, backfills=backfills)

    def _left(self, delivery: Delivery, group_id: str, left: JoinedRoom, at: datetime) -> None:
        """Kicked, banned or gone. Only a group that was recorded has events to keep."""
        room = self.rooms.pop(group_id, RoomState())
        was_recorded = group_id in delivery.place.recorded
        for raw in (*left.state, *left.timeline):
            room.apply(raw)
        if was_recorded:
            delivery.events += [
                self._map(raw, room, group_id, at, CaptureMethod.LIVE) for raw in left.timeline
            ]
            recorded = {g: t for g, t in delivery.place.recorded.items() if g != group_id}
            delivery.place = msgspec.structs.replace(delivery.place, recorded=recorded)
        self._seen.pop(group_id, None)
        by = _own_leaver((*left.state, *left.timeline), self._own_user)
        went = by == self._own_user
        delivery.sightings.append(
            Sighting(
                group_id=group_id,
                presence=Presence.LEFT if went else Presence.REMOVED,
                at=at,
                by=by,
            )
        )

    def _count(self, delivery: Delivery, group_id: str, joined: JoinedRoom, at: datetime) -> None:
        """A group that is not approved: nothing of it is kept, but the register lists it once."""
        delivery.unlisted += len(joined.timeline)
        if group_id in self._foreign:
            return
        self._foreign.add(group_id)
        room = RoomState()
        for raw in (*joined.state, *joined.timeline):
            room.apply(raw)
        delivery.sightings.append(self._sighting(group_id, room, at))

    def _start(self, delivery: Delivery, group_id: str) -> None:
        recorded = {**delivery.place.recorded, group_id: 0}
        stale = tuple(dict.fromkeys((*delivery.place.stale, group_id)))
        delivery.place = msgspec.structs.replace(delivery.place, recorded=recorded, stale=stale)

    def _rosters(self, delivery: Delivery, at: datetime) -> None:
        """Who is here: at our join, and at most once a day after changes."""
        now_ms = (at - datetime.fromtimestamp(0, at.tzinfo)) // _MS
        for group_id in delivery.place.stale:
            last = delivery.place.recorded.get(group_id)
            room = self.rooms.get(group_id)
            if last is None or room is None:
                continue
            if last and now_ms - last < ROSTER_EVERY // _MS:
                continue
            delivery.events.append(_roster(group_id, room, at))
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
            self._seen[group_id] = sighting
            delivery.sightings.append(sighting)

    def _sighting(self, group_id: str, room: RoomState, at: datetime) -> Sighting:
        return Sighting(
            group_id=group_id,
            presence=Presence.JOINED,
            at=at,
            name=room.name,
            encrypted=room.encrypted,
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

    def _own_join(self, timeline: Events) -> int | None:
        """Where our own join stands: what is before it is history we must not keep."""
        found = None
        for i, raw in enumerate(timeline):
            if b"m.room.member" in raw and _membership(raw, self._own_user) == "join":
                found = i
        return found

    def _members_changed(self, state: Events) -> bool:
        return any(b"m.room.member" in raw for raw in state)


def _membership(raw: bytes, user_id: str) -> str | None:
    event = decode(raw) or {}
    if text(event, "type") != "m.room.member" or text(event, "state_key") != user_id:
        return None
    return text(table(event, "content"), "membership")


def _own_leaver(events: Events, user_id: str) -> str | None:
    """Who ended our membership: the sender of the event that says so."""
    by = None
    for raw in events:
        if _membership(raw, user_id) in {"leave", "ban"}:
            by = text(decode(raw) or {}, "sender")
    return by


def _invitation(group_id: str, state: Events, own_user: str, at: datetime) -> Sighting:
    room = RoomState()
    by = None
    for raw in state:
        room.apply(raw)
        if _membership(raw, own_user) == "invite":
            by = text(decode(raw) or {}, "sender")
    return Sighting(
        group_id=group_id,
        presence=Presence.INVITED,
        at=at,
        name=room.name,
        by=by,
        encrypted=room.encrypted,
    )


def _roster(group_id: str, room: RoomState, at: datetime) -> Event:
    members = room.present()
    names = sorted(member.display_name or member.user_id for member in members)
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(
        group_id=group_id,
        upstream_id=f"roster:{stamp}",
        kind=EventKind.ROSTER,
        observed_at=at,
        body="\n".join(names),
        upstream=(("members", str(len(members))),),
        raw=room.roster_bytes(),
    )


def _first_time(timeline: Events) -> datetime | None:
    if not timeline:
        return None
    return from_milliseconds((decode(timeline[0]) or {}).get("origin_server_ts"))
