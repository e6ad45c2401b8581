"""How the bot stands: its account, and each of its groups, as the Bot API says when asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from bridge.model import Presence, Sighting
from bridge.rawjson.fields import text, whole
from connectors.telegram import timers
from connectors.telegram.bot_api import BotApi
from connectors.telegram.delivered import Delivery
from connectors.telegram.delivery import running
from connectors.telegram.hearing import Me, obstacle
from connectors.telegram.people import chat_name
from connectors.telegram.place import GroupPlace, milliseconds
from connectors.telegram.refusals import (
    CHAT_NOT_FOUND,
    KICKED,
    RefusedError,
    is_of_the_account,
    unsettled,
)
from connectors.telegram.roster import Roster, roster
from connectors.telegram.timers import TimerSetting

ROSTER_EVERY = timedelta(days=1)
GONE = frozenset({KICKED, CHAT_NOT_FOUND})
_OUT = frozenset({"left", "kicked"})
_NUMBER = re.compile(r"-?[0-9]{1,19}")
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A group that the bot is in. ``chat`` is its number now; no ``status``: it cannot be asked."""

    chat: str
    name: str | None = None
    status: str = ""
    timer: TimerSetting | None = None
    roster: Roster | None = None


class Standing:
    """Asks the Bot API how things are."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def me(self) -> Me:
        """The bot's own account, and whether it is to get all that is said in groups.

        Raises:
            ConnectorRejectedError: the token is refused.
            ConnectorUnavailableError: no answer.
        """
        me = await self._api.call("getMe")
        return Me(
            id=whole(me, "id") or 0,
            username=text(me, "username") or "",
            reads_all=me.get("can_read_all_group_messages") is True,
        )

    async def look(self, chat: str, me: Me, *, with_roster: bool) -> Found | None:
        """How a group is; None where the bot is not in it.

        Raises:
            ConnectorRejectedError: the account is refused.
            ConnectorUnavailableError: no answer.
        """
        if _NUMBER.fullmatch(chat) is None:
            # Of a business account there is nothing to ask: what comes of it was granted.
            return Found(chat=chat) if chat.startswith("business:") else None
        try:
            return await self._look(int(chat), me, with_roster=with_roster)
        except RefusedError as error:
            if error.migrated_to is not None:
                return await self.look(str(error.migrated_to), me, with_roster=with_roster)
            if error.code in GONE:
                return None
            if is_of_the_account(error):
                raise
            raise unsettled(error) from None

    async def leave(self, chat: str) -> None:
        """Leave a group. Having left it already is the same.

        Raises:
            ConnectorRejectedError: the account is refused.
            ConnectorUnavailableError: no answer.
        """
        try:
            await self._api.call("leaveChat", chat_id=int(chat))
        except RefusedError as error:
            if is_of_the_account(error):
                raise

    async def _look(self, chat: int, me: Me, *, with_roster: bool) -> Found | None:
        about = await self._api.call("getChat", chat_id=chat)
        member = await self._api.call("getChatMember", chat_id=chat, user_id=me.id)
        status = text(member, "status") or ""
        if status in _OUT or (status == "restricted" and member.get("is_member") is False):
            return None
        return Found(
            chat=str(chat),
            name=chat_name(about),
            status=status,
            timer=timers.setting(about),
            roster=await self._roster(chat) if with_roster else None,
        )

    async def _roster(self, chat: int) -> Roster | None:
        try:
            raw = await self._api.call_raw("getChatAdministrators", chat_id=chat)
            count = await self._api.call_raw("getChatMemberCount", chat_id=chat)
        except RefusedError as error:
            if is_of_the_account(error):
                raise
            return None
        return Roster(raw=raw, members=int(count) if count.isdigit() else None)


def wants_roster(known: GroupPlace | None, at: datetime) -> bool:
    """Whether a roster is due: at first, and at most once a day after changes."""
    if known is None or not known.roster_at:
        return True
    now = milliseconds(at)
    return known.stale and not 0 <= now - known.roster_at < ROSTER_EVERY // _MS


def begin(
    delivery: Delivery,
    group_id: str,
    found: Found,
    me: Me,
    at: datetime,
    *,
    caught_up: bool,
) -> None:
    """Take up how a group is now: it is told of whole, with its timers, and a roster if one is due.

    Unless the updates are ``caught_up`` with, what comes next may be older than this: then the
    shorter of two auto-deletions counts, the one of the place or the one of now.
    """
    known = delivery.place.groups.get(group_id) or GroupPlace()
    known = msgspec.structs.replace(
        known,
        chat="" if found.chat == group_id else found.chat,
        name=found.name or known.name,
        status=found.status,
        obstacle=obstacle(me, status=found.status, hears=known.hears) if found.status else "",
        timer=_seconds(known, found.timer, caught_up=caught_up),
    )
    if found.chat != group_id:
        moved = {**delivery.place.moved, found.chat: group_id}
        delivery.place = msgspec.structs.replace(delivery.place, moved=moved)
    if wants_roster(known, at):
        if found.roster is not None:
            delivery.events.append(roster(group_id, found.roster, at))
        # Of one that is refused nothing more is asked for a day.
        known = msgspec.structs.replace(known, roster_at=milliseconds(at), stale=False)
    delivery.keep(group_id, known)
    waiting = {g: since for g, since in delivery.place.waiting.items() if g != group_id}
    delivery.place = msgspec.structs.replace(
        delivery.place, waiting=waiting, turns=delivery.place.turns + 1
    )
    delivery.see(group_id, known, at)
    delivery.timers[group_id] = running(group_id, known.timer)
    delivery.begun.add(group_id)


def end(delivery: Delivery, group_id: str, at: datetime) -> None:
    """The bot is not in the group. Where it was, nobody told us of its end."""
    if group_id in delivery.place.groups:
        delivery.keep(group_id, None)
        delivery.sightings.append(Sighting(group_id=group_id, presence=Presence.REMOVED, at=at))
        delivery.lose(group_id, "removal_unseen", until=at)
    delivery.begun.add(group_id)


def _seconds(known: GroupPlace, found: TimerSetting | None, *, caught_up: bool) -> int:
    before = known.timer
    if found is None or found.problem is not None:
        return before
    now = 0 if found.timer is None else int(found.timer.seconds)
    if caught_up:
        return now
    return min(before, now) if before and now else before or now
