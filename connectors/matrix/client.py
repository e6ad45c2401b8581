"""The Matrix connector: our own ``/sync`` loop over ``http``, read by ``delivery``."""

from __future__ import annotations

import asyncio
import json
import re

import msgspec

from bridge.errors import (
    ConnectorError,
    ConnectorRejectedError,
    EnvelopeError,
)
from bridge.model import Attachment, Batch, Cursor, Loss
from bridge.protocols import Announcement, Clock, Connector, Download
from connectors.matrix.account import Account
from connectors.matrix.delivery import Delivery, Hole, Reader
from connectors.matrix.envelope import (
    SyncEnvelope,
    split_context,
    split_messages,
    split_state,
    split_sync,
)
from connectors.matrix.fields import decode, text
from connectors.matrix.http import MEDIA, MatrixHttp, path
from connectors.matrix.place import OTHERS, Backfill, Place, read_place, write_place
from connectors.matrix.slices import Slices

PLATFORM = "matrix"
POLL_MS = 30_000
"""How long the homeserver may hold a sync that has nothing to tell (milliseconds)."""

TIMELINE = 100
PAGE = 100
AT_ONCE = 8
MEDIA_SECONDS = 900.0
NOTHING: dict[str, object] = {"types": []}
_MXC = re.compile(r"mxc://([A-Za-z0-9.:\[\]-]{1,255})/([A-Za-z0-9_=-]{1,255})")


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
    ) -> None:
        """``default_retention``: the server's own message lifetime in seconds, if it has one."""
        self._name = name
        self._http = http
        self._account = account
        self._user_id = user_id
        self._clock = clock
        self._approved: frozenset[str] = frozenset()
        self._unknown: set[str] = set()
        self._changed = asyncio.Event()
        self._reader = Reader(own_user=user_id, default_retention=default_retention)
        self._slices = Slices(clock)
        self._turn = 0

    @property
    def name(self) -> str:
        """The name given in the configuration."""
        return self._name

    @property
    def platform(self) -> str:
        """``matrix``."""
        return PLATFORM

    async def start(self) -> None:
        """Sign in."""
        await self._account.sign_in()

    def approve(self, group_ids: frozenset[str]) -> None:
        """From now on, yield events of exactly these groups."""
        if group_ids != self._approved:
            self._unknown |= group_ids - self._approved
            self._approved = group_ids
            self._changed.set()

    async def receive(self, cursor: Cursor | None) -> Batch:
        """The next delivery: a room's beginning, a page of a hole, or a sync."""
        place = read_place(cursor)
        try:
            return await self._receive(place)
        except _ApprovedChangedError:
            return await self._batch(Delivery(place=place))

    async def _receive(self, place: Place) -> Batch:
        if self._unknown:
            began = await self._begin(place)
            if began is not None:
                return began
        self._turn += 1
        if place.backfills and self._turn % 2:
            return await self._fill(place)
        if self._slices.on(place):
            return await self._sync_slice(place)
        try:
            envelope = split_sync(await self._sync(place.since, place=place))
        except EnvelopeError:
            self._slices.begin()
            raise
        delivery = self._read(envelope, place)
        delivery.place = msgspec.structs.replace(delivery.place, since=envelope.next_batch)
        return await self._batch(delivery)

    async def join(self, group_id: str) -> None:
        """Accept an invitation, or enter a room that is open."""
        await self._http.request("POST", path("rooms", group_id, "join"), body={})

    async def announce(self, group_id: str, notice: str, *, key: str) -> Announcement:
        """Post the notice, then pin it where our power allows."""
        content = {"msgtype": "m.notice", "body": notice}
        try:
            answer = await self._http.request(
                "PUT", path("rooms", group_id, "send", "m.room.message", key), body=content
            )
        except ConnectorRejectedError as error:
            return Announcement(upstream_id=None, refusal=str(error))
        event_id = text(decode(answer) or {}, "event_id")
        if event_id is None:
            return Announcement(upstream_id=None, refusal="The answer names no event.")
        return Announcement(upstream_id=event_id, pinned=await self._pin(group_id, event_id))

    async def open_download(self, group_id: str, attachment: Attachment) -> Download:
        """Begin fetching a file by its ``mxc`` address."""
        match = _MXC.fullmatch(attachment.url)
        if match is None:
            raise ConnectorRejectedError("The attachment has no valid mxc address.")
        server, media_id = match.groups()
        return await self._http.stream(path(server, media_id, base=MEDIA), seconds=MEDIA_SECONDS)

    async def aclose(self) -> None:
        """Give up connections."""
        await self._http.aclose()

    async def _begin(self, place: Place) -> Batch | None:
        """Learn the state of groups newly approved, or known from before a restart."""
        for group_id in sorted(self._unknown):
            if group_id not in self._reader.rooms and not await self._adopt(group_id):
                self._unknown.discard(group_id)
                continue
            self._unknown.discard(group_id)
            delivery = self._reader.begin(group_id, place, self._clock.now())
            if group_id in place.recorded:
                # Known from before: its state is loaded, and its last roster still holds.
                delivery.place, delivery.events = place, []
            return await self._batch(delivery)
        return None

    async def _adopt(self, group_id: str) -> bool:
        try:
            state = await self._http.request("GET", path("rooms", group_id, "state"))
        except ConnectorRejectedError:
            return False
        return self._reader.adopt(group_id, split_state(state))

    def _read(self, envelope: SyncEnvelope, place: Place) -> Delivery:
        return self._reader.read(envelope, place, approved=self._approved, at=self._clock.now())

    async def _batch(self, delivery: Delivery) -> Batch:
        for hole in delivery.holes:
            await self._locate(delivery, hole)
        return Batch(
            connector=self._name,
            platform=PLATFORM,
            cursor=write_place(delivery.place),
            events=tuple(delivery.events),
            losses=tuple(delivery.losses),
            sightings=tuple(delivery.sightings),
            unlisted=delivery.unlisted,
        )

    async def _locate(self, delivery: Delivery, hole: Hole) -> None:
        """Find the token of our own join, from where the hole is filled."""
        since = None
        if hole.join_event is not None:
            try:
                answer = await self._http.request(
                    "GET",
                    path("rooms", hole.group_id, "context", hole.join_event),
                    query={"limit": "0"},
                )
                since = split_context(answer).end
            except (ConnectorRejectedError, EnvelopeError):
                since = None
        if since is None:
            loss = Loss(group_id=hole.group_id, why="join_not_found", until=self._clock.now())
            delivery.losses.append(loss)
            return
        backfill = Backfill(group_id=hole.group_id, since=since, until=hole.until)
        backfills = (*delivery.place.backfills, backfill)
        delivery.place = msgspec.structs.replace(delivery.place, backfills=backfills)

    async def _fill(self, place: Place) -> Batch:
        """One page of the oldest hole, forwards. Crash before its commit: the same page again."""
        backfill, *rest = place.backfills
        delivery = Delivery(place=place)
        try:
            answer = await self._http.request(
                "GET",
                path("rooms", backfill.group_id, "messages"),
                query={
                    "dir": "f",
                    "from": backfill.since,
                    "to": backfill.until,
                    "limit": str(PAGE),
                },
            )
            page = split_messages(answer)
        except (ConnectorRejectedError, EnvelopeError) as error:
            loss = Loss(
                group_id=backfill.group_id,
                why="history_refused",
                until=self._clock.now(),
                detail=str(error),
            )
            delivery.losses.append(loss)
            left = tuple(rest)
        else:
            now = self._clock.now()
            if backfill.group_id in self._approved:
                delivery.events = self._reader.read_history(backfill.group_id, page.chunk, at=now)
            more = page.end is not None and page.end not in {backfill.since, backfill.until}
            left = tuple(rest)
            if more and page.end is not None:
                left = (*rest, msgspec.structs.replace(backfill, since=page.end))
        delivery.place = msgspec.structs.replace(place, backfills=left)
        return await self._batch(delivery)

    async def _sync_slice(self, place: Place) -> Batch:
        """Ask for one part of the stream at a time, so that only the bad one stands still."""
        name = await self._slices.choose(place, self._approved)
        current = place.slices.get(name)
        since = current.since if current else place.since
        try:
            envelope = split_sync(await self._sync(since, place=place, part=name))
        except EnvelopeError:
            self._slices.failed(name)
            raise
        at_since = msgspec.structs.replace(place, since=since)
        delivery = self._read(envelope, at_since)
        delivery.place = msgspec.structs.replace(delivery.place, since=place.since)
        self._slices.succeeded(delivery, name, envelope.next_batch, self._approved)
        return await self._batch(delivery)

    async def _sync(self, since: str | None, *, place: Place, part: str | None = None) -> bytes:
        """One sync. Given up early when the approved groups change; nothing is lost by that."""
        waits = part is None and not place.backfills and since is not None
        query = {
            "filter": json.dumps(self._filter(part), separators=(",", ":")),
            "timeout": str(POLL_MS if waits else 0),
            "set_presence": "offline",
        }
        if since is not None:
            query["since"] = since
        self._changed.clear()
        request = asyncio.ensure_future(
            self._http.request("GET", path("sync"), query=query, seconds=POLL_MS / 1000 + 60)
        )
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({request, changed}, return_when=asyncio.FIRST_COMPLETED)
            if request.done():
                return request.result()
            raise _ApprovedChangedError
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

    async def _pin(self, group_id: str, event_id: str) -> bool:
        room = self._reader.rooms.get(group_id)
        if room is None or not room.can_pin(self._user_id):
            return False
        pinned = [*(p for p in room.pinned if p != event_id), event_id]
        try:
            await self._http.request(
                "PUT",
                path("rooms", group_id, "state", "m.room.pinned_events"),
                body={"pinned": pinned},
            )
        except ConnectorError:
            return False
        return True


def _conforms(connector: MatrixConnector) -> Connector:
    return connector
