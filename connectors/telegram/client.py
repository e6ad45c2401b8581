"""The Telegram connector: updates from a source, read by ``delivery``; groups by ``standing``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from bridge.errors import ConnectorRejectedError, EnvelopeError
from bridge.model import Attachment, Batch, Cursor
from bridge.protocols import Announcement, Clock, Connector, Decrypter, Download, PastEvent
from connectors.telegram.bot_api import BotApi
from connectors.telegram.delivered import Delivery
from connectors.telegram.delivery import Reader
from connectors.telegram.envelope import RawUpdate
from connectors.telegram.files import open_file
from connectors.telegram.hooked import Hooked
from connectors.telegram.noticeboard import Noticeboard
from connectors.telegram.place import (
    Place,
    chat_of,
    read_place,
    write_place,
)
from connectors.telegram.polling import LIMIT, STANDING_PAUSE, Polling
from connectors.telegram.ports import Arrival, Mark, Source, name_of
from connectors.telegram.sequence import left_out
from connectors.telegram.standing import Standing
from connectors.telegram.watch import Watch
from connectors.telegram.webhook import Webhook

PLATFORM = "telegram"
POLL_SECONDS = 30.0
"""How long the Bot API may hold a poll that has nothing to tell."""

NO_HISTORY = "The Bot API gives a bot no history: what a group said cannot be compared."
NO_JOIN = "A bot cannot join a group by itself: an administrator must add it."


class _ChangedError(Exception):
    """A wait was given up to take something new into account."""


class TelegramConnector:
    """See :class:`bridge.protocols.Connector`."""

    def __init__(
        self,
        *,
        name: str,
        api: BotApi,
        clock: Clock,
        approval_timeout_hours: float,
        local_files: Path | None = None,
        webhook: Webhook | None = None,
    ) -> None:
        """``local_files``: where a Bot API server of one's own keeps what it fetched.

        With a ``webhook`` updates are posted to us, else they are polled for.
        """
        self._name = name
        self._api = api
        self._clock = clock
        self._local_files = local_files
        self._source: Source = Polling(api, clock) if webhook is None else Hooked(api, webhook)
        self._is_posted_to = webhook is not None
        self._reader = Reader()
        self._watch = Watch(
            standing=Standing(api),
            reader=self._reader,
            clock=clock,
            connector=name,
            approval_timeout_hours=approval_timeout_hours,
        )
        self._noticeboard = Noticeboard(api)
        self._changed = asyncio.Event()
        self._place = Place()
        self._strays: set[str] = set()
        self._passed: set[str] = set()
        self._owes_loss = False
        self._quick = self._stream_first = True
        self._offered: tuple[Cursor, Delivery, Arrival, int] | None = None

    @property
    def name(self) -> str:
        """The name given in the configuration."""
        return self._name

    @property
    def platform(self) -> str:
        """``telegram``."""
        return PLATFORM

    @property
    def decrypter(self) -> Decrypter | None:
        """None: secret chats are closed to bots, and nothing else is encrypted to us."""
        return None

    async def start(self) -> None:
        """Ask who we are, and see that the updates come to us; then the groups are looked at."""
        await self._watch.start()
        await self._source.start()
        # What waits is fetched before the groups are looked at: it is older than how they are now.
        self._quick = self._stream_first = True

    def approve(self, group_ids: frozenset[str]) -> None:
        """From now on, yield events of exactly these groups."""
        before = self._watch.approved
        if group_ids != before:
            if not before <= group_ids:
                # What is on its way to the journal tells nothing of a later approval.
                self._offered = None
            self._watch.approve(group_ids)
            self._changed.set()

    async def receive(self, cursor: Cursor | None) -> Batch:
        """The next delivery: how a group stands, or what came from the source."""
        self._kept(cursor)
        place = self._place = read_place(cursor)
        self._changed.clear()
        arrival = Arrival()
        try:
            delivery = await self._beside(place)
            if delivery is None:
                arrival = await self._next(place)
                delivery = await self._read(arrival, place)
        except _ChangedError:
            delivery = Delivery(place=place, answered=False)
        own = self._say(delivery)
        batch = self._batch(delivery)
        if batch.cursor is not None and batch.cursor != cursor:
            self._offered = batch.cursor, delivery, arrival, own
        return batch

    async def join(self, group_id: str) -> None:
        """Succeeds where the bot was added; it cannot come in by itself."""
        chat = chat_of(self._place, group_id)
        if not await self._watch.is_in(chat):
            raise ConnectorRejectedError(NO_JOIN, code="not_added")
        if group_id not in self._place.groups and self._watch.ask(group_id):
            self._changed.set()

    async def announce(
        self, group_id: str, notice: str, *, key: str, pin: bool = True
    ) -> Announcement:
        """Post the notice; then pin it where the bot may."""
        chat = chat_of(self._place, group_id)
        said = await self._noticeboard.announce(chat, notice, key=key, pin=pin)
        if self._noticeboard.own:
            self._changed.set()
        return said

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Begin fetching a file by its id; its link is asked for anew."""
        return await open_file(self._api, attachment, local_files=self._local_files)

    def pause_backfill(self, *, paused: bool) -> None:
        """There is no past to fetch."""

    async def history(self, group_id: str) -> AsyncIterator[tuple[PastEvent, ...]]:
        """Nothing: the Bot API has no history.

        Raises:
            ConnectorRejectedError: always.
        """
        pages: tuple[tuple[PastEvent, ...], ...] = ()
        for page in pages:
            yield page
        raise ConnectorRejectedError(NO_HISTORY, code="no_history", hint="Nothing to do.")

    async def aclose(self) -> None:
        """Give up connections."""
        await self._noticeboard.aclose()
        await self._source.aclose()
        await self._api.aclose()

    def _kept(self, cursor: Cursor | None) -> None:
        """What was offered last is durable, if this is its cursor."""
        offered, self._offered = self._offered, None
        if offered is None or offered[0] != cursor:
            return
        _, delivery, arrival, own = offered
        self._reader.kept(delivery)
        self._watch.kept(delivery)
        self._owes_loss = self._owes_loss and not delivery.tells_stray
        self._passed |= {name_of(each) for each in arrival.updates if each.update_id is None}
        del self._noticeboard.own[:own]

    async def _beside(self, place: Place) -> Delivery | None:
        """What is due beside the stream. However much of it fails, between two comes the stream."""
        skips, self._stream_first = self._stream_first, False
        if skips:
            return None
        self._stream_first = True
        delivery = await self._watch.round(place)
        self._stream_first = False
        return delivery

    async def _read(self, arrival: Arrival, place: Place) -> Delivery:
        self._watch.caught_up = len(arrival.updates) < LIMIT
        # What cannot be acknowledged comes again and again until something stands behind it.
        fresh = tuple(each for each in arrival.updates if name_of(each) not in self._passed)
        if arrival.updates and not fresh:
            await self._clock.sleep(STANDING_PAUSE)
        fresh_arrival = Arrival(updates=fresh, posts=arrival.posts)
        await self._watch.renew(fresh_arrival)
        delivery = self._reader.read(
            fresh_arrival,
            place,
            approved=self._watch.approved,
            at=self._clock.now(),
            missing=left_out(arrival.updates, place.offset),
        )
        self._keep_strays(delivery)
        if any(each.update_id is None for each in fresh):
            turns = delivery.place.turns + 1
            delivery.place = msgspec.structs.replace(delivery.place, turns=turns)
        await self._watch.meet(delivery)
        return delivery

    def _keep_strays(self, delivery: Delivery) -> None:
        """What nobody can attribute is kept as a body first, then passed by with a gap."""
        for raw in delivery.strays:
            name = name_of(RawUpdate(update_id=None, raw=raw))
            if name not in self._strays:
                self._strays.add(name)
                raise EnvelopeError("An update cannot be read, nor its group told.", body=raw)
        if delivery.strays or self._owes_loss:
            self._reader.stray(delivery, self._watch.approved, self._clock.now())
            turns = delivery.place.turns + 1
            delivery.place = msgspec.structs.replace(delivery.place, turns=turns)

    async def _next(self, place: Place) -> Arrival:
        """Ask the source. Given up early when something changes; nothing is lost by that."""
        quick, self._quick = self._quick or bool(self._noticeboard.own), False
        seconds = 0.0 if quick else self._watch.left(POLL_SECONDS)
        mark = Mark(offset=place.offset, posts=place.posts)
        request = asyncio.ensure_future(self._source.next(mark, seconds=seconds))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({request, changed}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                raise _ChangedError
            return self._arrived(request)
        finally:
            for future in (request, changed):
                future.cancel()
            await asyncio.gather(request, changed, return_exceptions=True)

    def _arrived(self, request: asyncio.Future[Arrival]) -> Arrival:
        """What came. A post that cannot be split is refused and may never come again."""
        try:
            return request.result()
        except EnvelopeError as error:
            name = name_of(RawUpdate(update_id=None, raw=error.body))
            if self._is_posted_to and name not in self._strays:
                self._strays.add(name)
                self._owes_loss = True
            raise

    def _say(self, delivery: Delivery) -> int:
        """Deliver what we posted ourselves; how much of it."""
        own = tuple(self._noticeboard.own)
        for message in own:
            self._reader.own(delivery, message, self._watch.approved, self._clock.now())
        if own:
            turns = delivery.place.turns + 1
            delivery.place = msgspec.structs.replace(delivery.place, turns=turns)
        return len(own)

    def _batch(self, delivery: Delivery) -> Batch:
        return Batch(
            connector=self._name,
            platform=PLATFORM,
            cursor=write_place(delivery.place),
            events=tuple(delivery.events),
            losses=tuple(delivery.losses),
            sightings=tuple(delivery.sightings),
            timers=tuple(delivery.timers.values()),
            unlisted=delivery.unlisted,
            answered=delivery.answered,
        )


def _conforms(connector: TelegramConnector) -> Connector:
    return connector
