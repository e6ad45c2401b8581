"""From updates to what the journal takes: events, losses, sightings, timers, the next place.

No I/O. Where a group stands is in the place alone, so that the same updates after the same cursor
give the same delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from bridge.model import Event, EventKind, GroupTimer, Presence, Sighting, Timer
from bridge.rawjson.fields import table, text, whole
from connectors.telegram import timers
from connectors.telegram.delivered import Delivery
from connectors.telegram.envelope import offset_after
from connectors.telegram.hearing import Me, obstacle, shows_hearing
from connectors.telegram.mapping import Setting, map_update
from connectors.telegram.noticeboard import opened
from connectors.telegram.people import chat_name
from connectors.telegram.place import (
    GroupPlace,
    Place,
    chat_of,
    group_of,
    milliseconds,
    with_group,
    with_poll,
)
from connectors.telegram.ports import Arrival
from connectors.telegram.sequence import NUMBERED_ON
from connectors.telegram.update import MESSAGES, NEW, POLLS, Update, open_update

KEPT_FOR = timedelta(hours=24)
"""How long the Bot API keeps what nobody fetched."""

HEARD_EVERY = timedelta(minutes=5)
"""How often the cursor is written only to say that the platform answered."""

GONE = frozenset({Presence.LEFT, Presence.REMOVED})
JUMP = "message_id_jump"
_GROUPS = frozenset({"group", "supergroup", "channel"})
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """The group an update is of, its number there, and the message of the poll it tells of."""

    group_id: str
    chat: str
    message: str | None


class Reader:
    """Reads updates for one bot. ``told`` are the groups without approval that were told of.

    ``me_is_new``: what is known of our account was asked after the updates that are read came.
    """

    def __init__(self) -> None:
        self.me = Me(id=0)
        self.me_is_new = False
        self._told: set[str] = set()

    def kept(self, delivery: Delivery) -> None:
        """The delivery is durable."""
        self._told |= delivery.counted

    def read(
        self,
        arrival: Arrival,
        place: Place,
        *,
        approved: frozenset[str],
        at: datetime,
        missing: int = 0,
    ) -> Delivery:
        """What one answer brings, in its order; ``missing`` updates never came before it."""
        delivery = Delivery(place=place)
        self._outage(delivery, approved, at)
        if missing and not delivery.losses:
            self._missed(delivery, approved, at)
        for each in arrival.updates:
            self._take(delivery, open_update(each.raw), approved, at)
        after = offset_after(arrival.updates)
        offset = place.offset if after is None else after
        # Of what is posted, one refused may be overtaken: no offset would leave it out.
        delivery.place = msgspec.structs.replace(
            delivery.place,
            offset=None if arrival.posts else offset,
            newest=delivery.place.newest if after is None else milliseconds(at),
            posts=arrival.posts,
        )
        return delivery

    def own(
        self, delivery: Delivery, message: bytes, approved: frozenset[str], at: datetime
    ) -> None:
        """A message of ours: it is in no update, but in the answer to the request that posted it.

        Its ``raw`` are the exact bytes of that ``Message``.
        """
        update = opened(message)
        chat = update.chat_id or ""
        group_id = delivery.place.moved.get(chat, chat)
        known = delivery.place.groups.get(group_id)
        if known is None or group_id not in approved:
            return
        delivery.events += [replace(e, raw=message) for e in self._map(update, group_id, known, at)]
        last = max(known.last_message, update.message_id or 0)
        delivery.keep(group_id, msgspec.structs.replace(known, last_message=last))

    def stray(self, delivery: Delivery, approved: frozenset[str], at: datetime) -> None:
        """Something came that nobody can attribute: any group may have lost it."""
        delivery.tells_stray = True
        for group_id in sorted(delivery.place.groups.keys() & approved):
            delivery.lose(group_id, "response_unreadable", until=at)

    def _outage(self, delivery: Delivery, approved: frozenset[str], at: datetime) -> None:
        """What came more than a day ago and was not fetched, the Bot API has no longer."""
        place = delivery.place
        now = milliseconds(at)
        if place.heard and now - place.heard > KEPT_FOR // _MS:
            since = at - (now - place.heard) * _MS
            for group_id in sorted(place.groups.keys() & approved):
                delivery.lose(group_id, "updates_expired", since=since, until=at - KEPT_FOR)
        if now < place.heard or now - place.heard >= HEARD_EVERY // _MS:
            delivery.place = msgspec.structs.replace(place, heard=now)

    def _missed(self, delivery: Delivery, approved: frozenset[str], at: datetime) -> None:
        """What waited for us was acknowledged by somebody else: any group may have lost it."""
        place = delivery.place
        quiet = (milliseconds(at) - place.newest) * _MS
        if not place.newest or quiet >= NUMBERED_ON:
            return
        since = min(at - quiet, at)
        for group_id in sorted(place.groups.keys() & approved):
            delivery.lose(group_id, "updates_missing", since=since, until=at)

    def _take(
        self, delivery: Delivery, update: Update, approved: frozenset[str], at: datetime
    ) -> None:
        if update.migration is not None:
            before, after = map(str, update.migration)
            moved = {**delivery.place.moved, after: delivery.place.moved.get(before, before)}
            delivery.place = msgspec.structs.replace(delivery.place, moved=moved)
        message = None
        if update.type in POLLS:
            message = delivery.place.polls.get(update.poll_id or "")
        chat = update.chat_id or (message.rpartition(":")[0] if message else None)
        if chat is None:
            if update.clean:
                delivery.unlisted += 1
            else:
                delivery.strays.append(update.raw)
            return
        group_id = group_of(delivery.place, chat, approved)
        if group_id not in approved:
            self._foreign(delivery, update, group_id, at)
            return
        where = _Where(group_id=group_id, chat=chat, message=message)
        self._recorded(delivery, update, where, at)

    def _foreign(self, delivery: Delivery, update: Update, group_id: str, at: datetime) -> None:
        """A group that is not approved: nothing of it is kept, but the register lists it once."""
        delivery.unlisted += 1
        if text(update.chat, "type") not in _GROUPS or ":" in group_id:
            return
        place, presence = delivery.place, update.own_presence
        if presence in GONE:
            waiting = {g: since for g, since in place.waiting.items() if g != group_id}
            delivery.place = msgspec.structs.replace(
                with_group(place, group_id, None), waiting=waiting
            )
            delivery.sightings.append(_gone(update, group_id, presence, at))
            self._told.discard(group_id)
            delivery.counted.discard(group_id)
            return
        if group_id not in place.groups and group_id not in place.waiting:
            waiting = {**place.waiting, group_id: milliseconds(at)}
            delivery.place = msgspec.structs.replace(place, waiting=waiting)
        elif group_id in self._told:
            return
        if group_id in delivery.counted:
            return
        delivery.counted.add(group_id)
        name = chat_name(update.chat)
        by = _actor(update) if presence is Presence.JOINED else None
        delivery.sightings.append(
            Sighting(group_id=group_id, presence=Presence.JOINED, at=at, name=name, by=by)
        )

    def _recorded(self, delivery: Delivery, update: Update, where: _Where, at: datetime) -> None:
        group_id, chat = where.group_id, where.chat
        known = delivery.place.groups.get(group_id)
        if known is None:
            known = GroupPlace(name=chat_name(update.chat))
            delivery.met.add(group_id)
        if group_id in delivery.place.waiting:
            waiting = {g: t for g, t in delivery.place.waiting.items() if g != group_id}
            delivery.place = msgspec.structs.replace(delivery.place, waiting=waiting)
        if chat != (known.chat or group_id) and chat == chat_of(delivery.place, group_id):
            known = msgspec.structs.replace(known, chat=chat, last_message=0)
        known = self._timer(delivery, update, group_id, known)
        known, jump = _counted(update, known, is_current=chat == (known.chat or group_id))
        events = self._map(update, group_id, known, at, message=where.message)
        delivery.events += [_with(event, JUMP, jump) for event in events] if jump else events
        if any(event.kind is EventKind.MEMBERSHIP for event in events):
            known = msgspec.structs.replace(known, stale=True)
        if update.type in MESSAGES and update.poll_id and (name := _message(update)):
            delivery.place = with_poll(delivery.place, update.poll_id, name)
        is_current = chat == chat_of(delivery.place, group_id)
        presence = update.own_presence if is_current else None
        if presence in GONE:
            delivery.keep(group_id, None)
            delivery.met.discard(group_id)
            delivery.sightings.append(_gone(update, group_id, presence, at))
            return
        self._stand(delivery, update, group_id, known, at, came=presence is Presence.JOINED)

    def _stand(
        self,
        delivery: Delivery,
        update: Update,
        group_id: str,
        known: GroupPlace,
        at: datetime,
        *,
        came: bool,
    ) -> None:
        """Whether the group can be heard, and what it is called: told where that is new."""
        before = delivery.place.groups.get(group_id, known)
        status, hears = known.status, known.hears or shows_hearing(self.me, update)
        if came:
            status = text(table(update.subject, "new_chat_member"), "status") or ""
            was = text(table(update.subject, "old_chat_member"), "status")
            if was in {None, "left", "kicked"}:
                hears = self.me.reads_all and self.me_is_new
                delivery.met.add(group_id)
        elif status in {"creator", "administrator"}:
            hears = known.hears  # whoever administers hears all: that shows nothing of later
        known = msgspec.structs.replace(
            known,
            status=status,
            hears=hears,
            name=chat_name(update.chat) or known.name,
            obstacle=obstacle(self.me, status=status, hears=hears) if status else None,
        )
        delivery.keep(group_id, known)
        is_new = (known.name, known.obstacle) != (before.name, before.obstacle)
        if is_new and group_id not in delivery.met:
            delivery.see(group_id, known, at)

    def _timer(
        self, delivery: Delivery, update: Update, group_id: str, known: GroupPlace
    ) -> GroupPlace:
        """A change of auto-deletion counts from here on."""
        found = timers.set_by(update)
        if found is None or found.problem is not None:
            return known
        delivery.timers[group_id] = timers.group_timer(group_id, found)
        seconds = 0 if found.timer is None else int(found.timer.seconds)
        return msgspec.structs.replace(known, timer=seconds)

    def _map(
        self,
        update: Update,
        group_id: str,
        known: GroupPlace,
        at: datetime,
        *,
        message: str | None = None,
    ) -> list[Event]:
        setting = Setting(
            timers=running(group_id, known.timer), own_id=self.me.id or None, poll_message=message
        )
        return list(map_update(update, setting, at))


def running(group_id: str, seconds: int) -> GroupTimer:
    """The timers of a group with this auto-deletion."""
    timer = Timer(seconds=float(seconds), basis=timers.AUTO_DELETE) if seconds else None
    return GroupTimer(group_id=group_id, default=timer)


def _counted(update: Update, known: GroupPlace, *, is_current: bool) -> tuple[GroupPlace, int]:
    """The number of the last message, and how many numbers were left out before it."""
    number = update.message_id
    if update.type not in NEW or number is None or not is_current:
        return known, 0
    last = known.last_message
    jump = number - last - 1 if last and number > last + 1 else 0
    return msgspec.structs.replace(known, last_message=max(number, last)), jump


def _with(event: Event, name: str, value: int) -> Event:
    return replace(event, upstream=(*event.upstream, (name, str(value))))


def _message(update: Update) -> str | None:
    return update.message_name(update.message_id)


def _actor(update: Update) -> str | None:
    number = whole(table(update.subject, "from"), "id")
    return None if number is None else str(number)


def _gone(update: Update, group_id: str, presence: Presence | None, at: datetime) -> Sighting:
    return Sighting(
        group_id=group_id,
        presence=presence or Presence.LEFT,
        at=at,
        name=chat_name(update.chat),
        by=_actor(update),
    )
