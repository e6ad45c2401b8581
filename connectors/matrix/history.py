"""Fills the holes that limited timelines leave, page by page, and learns the state of rooms."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.model import Loss
from bridge.pauses import Pauses
from bridge.protocols import Clock
from connectors.matrix.delivered import Delivery
from connectors.matrix.delivery import Reader
from connectors.matrix.envelope import (
    Events,
    MessagesPage,
    split_context,
    split_messages,
    split_state,
)
from connectors.matrix.http import MatrixHttp, is_of_the_account, path
from connectors.matrix.place import Backfill, Place

PAGE = 100
STATE_LONGEST_PAUSE = 10.0


class History:
    """What is asked of one room at a time. A room that cannot be read holds up no other.

    While ``paused`` no hole is due; they stay in the cursor.
    """

    def __init__(self, *, http: MatrixHttp, reader: Reader, clock: Clock) -> None:
        self._http = http
        self._reader = reader
        self._clock = clock
        self._holes = Pauses(clock)
        self.paused = False
        self._states = Pauses(clock, longest=STATE_LONGEST_PAUSE)

    def due(self, place: Place) -> Backfill | None:
        """The hole whose turn it is."""
        if self.paused:
            return None
        return next((b for b in place.backfills if not self._holes.left(b.group_id)), None)

    def left(self, place: Place, longest: float, *, unknown: Collection[str]) -> float:
        """Seconds until a hole or the state of an ``unknown`` room is due, at most ``longest``."""
        backfills = () if self.paused else place.backfills
        holes = (self._holes.left(b.group_id) for b in backfills)
        return min([longest, *holes, *(self._states.left(group_id) for group_id in unknown)])

    def state_due(self, group_id: str) -> bool:
        """Whether the state of a room may be asked for."""
        return not self._states.left(group_id)

    async def state(self, group_id: str) -> Events | None:
        """The room's full state, or None where the server refuses it.

        Raises:
            ConnectorRejectedError: not the homeserver refuses, or it refuses the account as such.
            ConnectorUnavailableError: no answer. A wish to wait is heeded for this room alone.
            EnvelopeError: it could not be split. In each case the room is put off.
        """
        try:
            found = split_state(await self._get(group_id, "state", query={}))
        except ConnectorRejectedError as error:
            if not is_of_the_account(error):
                return None
            self._states.failed(group_id)
            raise
        except EnvelopeError:
            self._states.failed(group_id)
            raise
        except ConnectorUnavailableError as error:
            self._states.failed(group_id, least=error.retry_after or 0.0)
            raise ConnectorUnavailableError(
                f"The state of a room cannot be had yet. {error}", hint=error.hint
            ) from None
        self._states.succeeded(group_id)
        return found

    async def fill(self, place: Place, hole: Backfill, *, approved: frozenset[str]) -> Delivery:
        """One page of a hole, forwards. Crash before its commit: the same page again.

        The last words of a stay are fetched whatever became of the approval when it ended.
        """
        delivery = Delivery(place=place)
        others = tuple(b for b in place.backfills if b is not hole)
        if hole.group_id not in approved and not hole.last:
            self._lose(delivery, hole, "approval_withdrawn")
            delivery.place = msgspec.structs.replace(place, backfills=others)
            return delivery
        try:
            further = await self._page(delivery, hole)
        except ConnectorRejectedError as error:
            if is_of_the_account(error):
                raise
            self._lose(delivery, hole, "history_refused", detail=str(error))
            further = None
        except (ConnectorUnavailableError, EnvelopeError):
            self._holes.failed(hole.group_id)
            raise
        self._holes.succeeded(hole.group_id)
        if further is not None:
            # Other groups come first, then the rest of this one, in its order.
            same = tuple(b for b in others if b.group_id == hole.group_id)
            others = (*(b for b in others if b.group_id != hole.group_id), further, *same)
        delivery.place = msgspec.structs.replace(place, backfills=others)
        return delivery

    async def _page(self, delivery: Delivery, hole: Backfill) -> Backfill | None:
        """Read on into ``delivery``; gives what is left of the hole."""
        since = hole.since or await self._after(hole)
        if since is None:
            self._lose(delivery, hole, "join_not_found")
            return None
        page = await self._messages(hole, since)
        delivery.events, further = self._reader.read_history(hole, page.chunk, self._clock.now())
        if page.end is None or page.end in {since, hole.until}:
            return None
        return msgspec.structs.replace(further, since=page.end)

    async def _messages(self, hole: Backfill, since: str) -> MessagesPage:
        query = {"dir": "f", "from": since, "to": hole.until, "limit": str(PAGE)}
        return split_messages(await self._get(hole.group_id, "messages", query=query))

    async def _after(self, hole: Backfill) -> str | None:
        """The token of our own join, from where the hole is filled."""
        try:
            answer = await self._get(hole.group_id, "context", hole.after, query={"limit": "0"})
        except ConnectorRejectedError as error:
            if is_of_the_account(error):
                raise
            return None
        return split_context(answer).end

    async def _get(self, group_id: str, *parts: str, query: dict[str, str]) -> bytes:
        return await self._http.request("GET", path("rooms", group_id, *parts), query=query)

    def _lose(self, delivery: Delivery, hole: Backfill, why: str, detail: str = "") -> None:
        loss = Loss(group_id=hole.group_id, why=why, until=self._clock.now(), detail=detail)
        delivery.losses.append(loss)
