"""Watching over the groups: how each stands, told when it is new, at each start and daily."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import msgspec
import structlog

from bridge.errors import ConnectorUnavailableError
from bridge.model import Presence, Sighting
from bridge.pauses import Pauses
from bridge.protocols import Clock
from connectors.telegram.delivered import Delivery
from connectors.telegram.delivery import Reader
from connectors.telegram.place import Place, chat_of, milliseconds
from connectors.telegram.ports import Arrival
from connectors.telegram.standing import Standing, begin, end, wants_roster
from connectors.telegram.update import open_update

log = structlog.get_logger(__name__)

CHECK_EVERY = 86_400.0
CHECK_AT_START = 3_600.0
"""Seconds after which a start that is repeated looks at the groups again."""

_OWN_ACCOUNT = "the bot's own account"


class Watch:
    """Over the groups of one bot. A group that does not answer holds up no other.

    ``approved`` are those to be recorded. ``caught_up``: nothing older than now is to come.
    """

    def __init__(
        self,
        *,
        standing: Standing,
        reader: Reader,
        clock: Clock,
        connector: str,
        approval_timeout_hours: float,
    ) -> None:
        self._standing = standing
        self._reader = reader
        self._clock = clock
        self._connector = connector
        self._timeout = approval_timeout_hours * 3_600_000
        self._pauses = Pauses(clock)
        self._unknown: set[str] = set()
        self._checked: dict[str, float] = {}
        self.approved: frozenset[str] = frozenset()
        self.caught_up = False

    async def start(self) -> None:
        """Ask who we are. The groups are due to be looked at, unless they were lately.

        Raises:
            ConnectorRejectedError: the token is refused.
            ConnectorUnavailableError: no answer.
        """
        await self._ask_own()
        self._unknown |= {g for g in self.approved if self._age(g) > CHECK_AT_START}

    def approve(self, group_ids: frozenset[str]) -> None:
        """What is approved anew is to be told of whole."""
        self._unknown = (self._unknown & group_ids) | (group_ids - self.approved)
        self.approved = group_ids

    def ask(self, group_id: str) -> bool:
        """Look at an approved group again; whether it is one."""
        if group_id in self.approved:
            self._unknown.add(group_id)
        return group_id in self.approved

    def kept(self, delivery: Delivery) -> None:
        """The delivery is durable: what it told whole need not be told again."""
        self._unknown -= delivery.begun

    def left(self, longest: float) -> float:
        """Seconds until a group is due that is waited for, at most ``longest``."""
        return min([longest, *(self._pauses.left(group_id) for group_id in self._unknown)])

    async def is_in(self, chat: str) -> bool:
        """Whether the bot is in a group."""
        return await self._standing.look(chat, self._reader.me, with_roster=False) is not None

    async def round(self, place: Place) -> Delivery | None:
        """One group that is due: left, begun, told of anew, or found ended. None: none is due.

        Raises:
            ConnectorRejectedError: the account is refused.
            ConnectorUnavailableError: no answer; the group is put off.
        """
        if self._age(_OWN_ACCOUNT) > CHECK_EVERY and not self._pauses.left(_OWN_ACCOUNT):
            try:
                await self._ask_own()
            except ConnectorUnavailableError as error:
                raise self._put_off(_OWN_ACCOUNT, error, "Privacy mode cannot be asked") from None
        delivery = await self._leave(place)
        for group_id in sorted(self.approved):
            if delivery is not None:
                break
            if self._is_due(place, group_id):
                found = Delivery(place=place)
                await self._look(found, group_id)
                # The approval may have been withdrawn meanwhile.
                told = group_id in found.begun and group_id in self.approved
                delivery = found if told else None
        return delivery

    async def renew(self, arrival: Arrival) -> None:
        """Ask who we are anew if we came into a group: privacy mode counts as it is then.

        Where no answer comes, the group waits for what shows that it is heard; nothing else does.

        Raises:
            ConnectorRejectedError: the token is refused.
        """
        came = any(
            b"my_chat_member" in each.raw and open_update(each.raw).own_presence is Presence.JOINED
            for each in arrival.updates
        )
        self._reader.me_is_new = False
        if came:
            with suppress(ConnectorUnavailableError):
                await self._ask_own()
                self._reader.me_is_new = True

    async def meet(self, delivery: Delivery) -> None:
        """Begin the groups that the updates of a delivery show for the first time."""
        for group_id in sorted(delivery.met):
            # Not kept, the same updates come again, and it is met again.
            # Begun later where that cannot be now: nothing that came waits for it.
            self._unknown.discard(group_id)
            try:
                if self._pauses.left(group_id):
                    self._unknown.add(group_id)
                else:
                    await self._look(delivery, group_id)
            except ConnectorUnavailableError:
                self._unknown.add(group_id)

    def _put_off(
        self, name: str, error: ConnectorUnavailableError, what: str
    ) -> ConnectorUnavailableError:
        """The same, without its wish to wait: that is heeded for ``name``, and events go on."""
        self._pauses.failed(name, least=error.retry_after or 0.0)
        return ConnectorUnavailableError(f"{what} yet. {error}", hint=error.hint)

    async def _ask_own(self) -> None:
        self._reader.me = await self._standing.me()
        self._pauses.succeeded(_OWN_ACCOUNT)
        self._checked[_OWN_ACCOUNT] = self._clock.monotonic()

    def _is_due(self, place: Place, group_id: str) -> bool:
        if self._pauses.left(group_id):
            return False
        known = place.groups.get(group_id)
        if group_id in self._unknown or self._age(group_id) > CHECK_EVERY:
            return True
        return known is not None and known.stale and wants_roster(known, self._clock.now())

    async def _look(self, delivery: Delivery, group_id: str) -> None:
        """Ask how a group is, and take that up."""
        known = delivery.place.groups.get(group_id)
        chat = chat_of(delivery.place, group_id)
        with_roster = wants_roster(known, self._clock.now())
        try:
            found = await self._standing.look(chat, self._reader.me, with_roster=with_roster)
        except ConnectorUnavailableError as error:
            raise self._put_off(group_id, error, "The state of a group cannot be had") from None
        self._pauses.succeeded(group_id)
        self._checked[group_id] = self._clock.monotonic()
        now = self._clock.now()
        caught_up = self.caught_up
        if found is not None:
            begin(delivery, group_id, found, self._reader.me, now, caught_up=caught_up)
        elif known is None:
            self._unknown.discard(group_id)
        elif caught_up and not delivery.met:
            end(delivery, group_id, now)
        else:
            # The update that tells of it may be on its way.
            self._unknown.add(group_id)
            self._pauses.failed(group_id)

    async def _leave(self, place: Place) -> Delivery | None:
        """Leave a group that nobody approved in time. Crash before the commit: it is left again."""
        now = self._clock.now()
        for chat, since in sorted(place.waiting.items()):
            late = milliseconds(now) - since >= self._timeout
            if not late or chat in self.approved or self._pauses.left(f"leave {chat}"):
                continue
            try:
                await self._standing.leave(chat_of(place, chat))
            except ConnectorUnavailableError as error:
                raise self._put_off(f"leave {chat}", error, "A group cannot be left") from None
            self._pauses.succeeded(f"leave {chat}")
            log.info("left_unapproved", connector=self._connector)
            return _left(place, chat, now, by=str(self._reader.me.id))
        return None

    def _age(self, name: str) -> float:
        checked = self._checked.get(name)
        return float("inf") if checked is None else self._clock.monotonic() - checked


def _left(place: Place, chat: str, at: datetime, *, by: str) -> Delivery:
    waiting = {group: since for group, since in place.waiting.items() if group != chat}
    delivery = Delivery(place=msgspec.structs.replace(place, waiting=waiting))
    delivery.sightings.append(Sighting(group_id=chat, presence=Presence.LEFT, at=at, by=by))
    return delivery
