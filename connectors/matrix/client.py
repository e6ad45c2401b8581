"""The Matrix connector: our own ``/sync`` loop over ``http``, read by ``delivery``."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import msgspec

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.model import Attachment, Batch, Cursor
from bridge.protocols import Announcement, Clock, Connector, Decrypter, Download, PastEvent
from connectors.matrix.account import Account
from connectors.matrix.crypto.attachments import decrypting
from connectors.matrix.crypto.decrypter import MatrixDecrypter
from connectors.matrix.crypto.session import CryptoSession
from connectors.matrix.crypto.settings import CryptoSettings
from connectors.matrix.delivered import Delivery
from connectors.matrix.delivery import Reader
from connectors.matrix.encryption import present
from connectors.matrix.entry import check_entry
from connectors.matrix.envelope import SyncEnvelope, split_sync
from connectors.matrix.history import History
from connectors.matrix.http import MEDIA, MatrixHttp, path
from connectors.matrix.lookback import Lookback
from connectors.matrix.notice import Noticeboard
from connectors.matrix.place import OTHERS, Place, heard, read_place, write_place
from connectors.matrix.rescue import Rescues
from connectors.matrix.slices import Slices

PLATFORM = "matrix"
POLL_SECONDS = 30.0
"""How long the homeserver may hold a sync that has nothing to tell."""

TIMELINE = 100
MEDIA_SECONDS = 900.0
NOTHING: dict[str, object] = {"types": []}
# A server's name never begins with a dot: `..` as a part of a path would leave its place.
_MXC = re.compile(r"mxc://([A-Za-z0-9\[][A-Za-z0-9.:\[\]-]{0,254})/([A-Za-z0-9_=-]{1,255})")


class _ApprovedChangedError(Exception):
    """A sync was given up to take the groups newly approved into account."""


class MatrixConnector:
    """See :class:`bridge.protocols.Connector`."""

    def __init__(
        self,
        *,
        name: str,
        http: MatrixHttp,
        account: Account,
        user_id: str,
        clock: Clock,
        default_retention: float | None,
        crypto: CryptoSettings | None = None,
    ) -> None:
        """``default_retention``: the server's own message lifetime in seconds, if it has one.

        Without ``crypto`` encrypted events stay as they are, and what comes for our device alone
        is left out: nobody would take it.
        """
        self._name = name
        self._http = http
        self._account = account
        self._user_id = user_id
        self._clock = clock
        self._approved: frozenset[str] = frozenset()
        self._unknown: set[str] = set()
        self._changed = asyncio.Event()
        self._reader = Reader(
            own_user=user_id, default_retention=default_retention, has_keys=crypto is not None
        )
        self._history = History(http=http, reader=self._reader, clock=clock)
        self._rescues = Rescues(http=http, reader=self._reader, clock=clock)
        self._slices = Slices(clock)
        self._crypto = None
        self._decrypter = None
        if crypto is not None:
            self._crypto = CryptoSession(
                name=name,
                http=http,
                account=account,
                user_id=user_id,
                clock=clock,
                settings=crypto,
            )
            self._decrypter = MatrixDecrypter(self._crypto, own_user=user_id)
        self._noticeboard = Noticeboard(
            http=http, rooms=self._reader.rooms, own_user=user_id, crypto=self._crypto
        )
        self._turn = 0
        self._stream_first = False
        self._offered: tuple[Cursor, Delivery] | None = None

    @property
    def name(self) -> str:
        """The name given in the configuration."""
        return self._name

    @property
    def platform(self) -> str:
        """``matrix``."""
        return PLATFORM

    @property
    def decrypter(self) -> Decrypter | None:
        """The account's keys, where they are kept."""
        return self._decrypter

    async def start(self) -> None:
        """Sign in; then the keys of encrypted groups are seen to, beside what is received."""
        await self._account.sign_in()
        if self._crypto is not None:
            await self._crypto.start()

    def approve(self, group_ids: frozenset[str]) -> None:
        """From now on, yield events of exactly these groups."""
        if group_ids != self._approved:
            self._unknown = (self._unknown & group_ids) | (group_ids - self._approved)
            for group_id in self._approved - group_ids:
                self._reader.forget(group_id)
                # What is on its way to the journal tells nothing of a later approval.
                self._offered = None
            self._approved = group_ids
            self._changed.set()

    async def receive(self, cursor: Cursor | None) -> Batch:
        """The next delivery: a room's beginning, a page of a hole, a rescued event, or a sync."""
        offered, self._offered = self._offered, None
        if offered is not None and offered[0] == cursor:
            self._reader.kept(offered[1])
            self._rescues.kept(offered[1])
            self._unknown.discard(offered[1].began)
        place = read_place(cursor)
        self._changed.clear()
        try:
            delivery = await self._receive(place)
        except _ApprovedChangedError:
            delivery = Delivery(place=place, answered=False)
        self._rescues.plan(delivery)
        batch = self._batch(delivery)
        if batch.cursor is not None and batch.cursor != cursor:
            self._offered = batch.cursor, delivery
        return batch

    async def _receive(self, place: Place) -> Delivery:
        # However many rooms keep their state from us, between two of them comes the stream.
        skips, self._stream_first = self._stream_first, False
        began = None if skips else await self._begin(place)
        if began is not None:
            return began
        self._turn += 1
        beside = await self._beside(place) if self._turn % 2 else None
        if beside is not None:
            return beside
        if self._slices.on(place):
            return await self._sync_slice(place)
        try:
            envelope = split_sync(await self._sync(place.since, place=place))
        except EnvelopeError:
            self._slices.begin()
            raise
        delivery = self._read(envelope, place)
        place = heard(delivery.place, *delivery.place.begun)
        delivery.place = msgspec.structs.replace(place, since=envelope.next_batch)
        return delivery

    async def _beside(self, place: Place) -> Delivery | None:
        """What is asked for between two syncs: an event to rescue, or a page of a hole, in turn."""
        hole, order = self._history.due(place), self._rescues.due(place)
        if order is not None and (hole is None or self._turn % 4 == 1):
            rescued = await self._rescues.attempt(place, order, approved=self._approved)
            # One that was put off brought nothing: nobody was heard by it.
            came = rescued.events or rescued.losses or rescued.place != place
            return rescued if came else None
        if hole is not None:
            return await self._history.fill(place, hole, approved=self._approved)
        return None

    async def join(self, group_id: str) -> None:
        """Accept an invitation, or enter a room that is open; an encrypted one once verified."""
        if self._crypto is not None:
            await check_entry(self._http, self._crypto, group_id)
        await self._http.request("POST", path("rooms", group_id, "join"), body={})

    async def announce(
        self, group_id: str, notice: str, *, key: str, pin: bool = True
    ) -> Announcement:
        """Post the notice, encrypted where the group is; then pin it where our power allows."""
        return await self._noticeboard.announce(group_id, notice, key=key, pin=pin)

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Begin fetching a file by its ``mxc`` address."""
        match = _MXC.fullmatch(attachment.url)
        if match is None:
            raise ConnectorRejectedError("The attachment has no valid mxc address.")
        route = path(*match.groups(), base=MEDIA)
        stream = await self._http.stream(route, seconds=MEDIA_SECONDS)
        if attachment.secret is None:
            return stream
        try:
            return decrypting(stream, attachment.secret)
        except ConnectorRejectedError:
            await stream.aclose()
            raise

    def pause_backfill(self, *, paused: bool) -> None:
        """Leave holes unfilled for a while. Rescues go on: what they ask for is soon erased."""
        if self._history.paused and not paused:
            self._changed.set()
        self._history.paused = paused

    def history(self, group_id: str) -> AsyncIterator[tuple[PastEvent, ...]]:
        """What the homeserver holds of a group now, newest first."""
        return Lookback(http=self._http, own_user=self._user_id, group_id=group_id).pages()

    async def aclose(self) -> None:
        """Give up connections."""
        if self._crypto is not None:
            await self._crypto.aclose()
        await self._http.aclose()

    async def _begin(self, place: Place) -> Delivery | None:
        """Learn the state of groups newly approved, or known from before a restart."""
        for group_id in sorted(self._unknown):
            if not self._history.state_due(group_id):
                continue
            self._stream_first = True
            state = await self._history.state(group_id)
            self._stream_first = False
            if group_id not in self._approved:
                continue
            if state is None or not self._reader.adopt(group_id, state, place):
                self._unknown.discard(group_id)
                continue
            if self._crypto is not None:
                self._crypto.track(present(self._reader.rooms, (group_id,)))
            if group_id in place.recorded:
                self._unknown.discard(group_id)
            # Else it stays unknown until this is known to be kept: only then it has begun.
            return self._reader.begin(group_id, place, self._clock.now())
        return None

    def _read(self, envelope: SyncEnvelope, place: Place) -> Delivery:
        """What a response brings; a room of which it shows only a part is asked for the rest."""
        now = self._clock.now()
        delivery = self._reader.read(envelope, place, approved=self._approved, at=now)
        joined = self._approved & envelope.joined.keys()
        self._unknown |= {g for g in joined if not self._reader.rooms[g].is_whole}
        if self._crypto is not None:
            self._crypto.track(present(self._reader.rooms, joined))
            self._crypto.after_sync(envelope.devices)
        return delivery

    def _batch(self, delivery: Delivery) -> Batch:
        return Batch(
            connector=self._name,
            platform=PLATFORM,
            cursor=write_place(delivery.place),
            events=tuple(delivery.events),
            losses=tuple(delivery.losses),
            sightings=tuple(delivery.sightings),
            timers=tuple(timers for _, timers in delivery.timers.values()),
            to_device=() if self._crypto is None else delivery.to_device,
            unlisted=delivery.unlisted,
            answered=delivery.answered,
        )

    async def _sync_slice(self, place: Place) -> Delivery:
        """Ask for one part of the stream at a time, so that only the bad one stands still."""
        name = self._slices.choose(place, self._approved)
        if name is None:
            await self._slices.rest()
            return Delivery(place=place, answered=False)
        current = place.slices.get(name)
        since = current.since if current else place.since
        try:
            envelope = split_sync(await self._sync(since, place=place, part=name))
        except EnvelopeError:
            self._slices.failed(name)
            raise
        except ConnectorUnavailableError:
            self._slices.unanswered(name)
            raise
        at_since = msgspec.structs.replace(place, since=since)
        delivery = self._read(envelope, at_since)
        delivery.place = msgspec.structs.replace(delivery.place, since=place.since)
        self._slices.succeeded(delivery, name, envelope.next_batch, self._approved)
        return delivery

    async def _sync(self, since: str | None, *, place: Place, part: str | None = None) -> bytes:
        """One sync. Given up early when the approved groups change; nothing is lost by that."""
        waits = part is None and since is not None
        poll = 0.0
        if waits:
            poll = self._history.left(place, POLL_SECONDS, unknown=self._unknown)
            poll = self._rescues.left(place, poll)
        query = {
            "filter": json.dumps(self._filter(part), separators=(",", ":")),
            "timeout": str(int(poll * 1000)),
            "set_presence": "offline",
        }
        if since is not None:
            query["since"] = since
        request = asyncio.ensure_future(
            self._http.request("GET", path("sync"), query=query, seconds=POLL_SECONDS + 60)
        )
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({request, changed}, return_when=asyncio.FIRST_COMPLETED)
            if self._changed.is_set():
                raise _ApprovedChangedError
            return request.result()
        finally:
            for future in (request, changed):
                future.cancel()
            await asyncio.gather(request, changed, return_exceptions=True)

    def _filter(self, part: str | None) -> dict[str, object]:
        room: dict[str, object] = {
            "timeline": {"limit": TIMELINE},
            "ephemeral": NOTHING,
            "account_data": NOTHING,
        }
        if part == OTHERS:
            room["not_rooms"] = sorted(self._approved)
        elif part is not None:
            room["rooms"] = [part]
        return {"presence": NOTHING, "account_data": NOTHING, "room": room}


def _conforms(connector: MatrixConnector) -> Connector:
    return connector
