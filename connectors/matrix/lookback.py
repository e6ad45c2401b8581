"""What the homeserver holds of a room now, read backwards page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bridge.errors import ConnectorUnavailableError
from bridge.protocols import PastEvent
from bridge.rawjson.fields import decode, text
from connectors.matrix.envelope import Events, split_messages
from connectors.matrix.http import MatrixHttp, path
from connectors.matrix.mapping import identify
from connectors.matrix.stay import own_move

PAGE = 100
MOST_EMPTY = 50
"""Pages without events in a row, after which a server is taken to go in circles."""

OUTSIDE = "said while the recorder was not in the group"
NAMELESS = "the homeserver gives it no id to compare by"


class Lookback:
    """Pages of one room, newest first, back to the recorder's latest join and with it.

    Everything in our stay was to be delivered, whatever its type and redacted or not. What came
    after the end of a stay was not, nor can an event without an id be found again. Nothing from
    before the join is given: earlier stays are not looked at.
    """

    def __init__(self, *, http: MatrixHttp, own_user: str, group_id: str) -> None:
        self._http = http
        self._own_user = own_user
        self._group_id = group_id
        self._seen: set[str] = set()
        self._empty = 0
        self._inside = False
        self._reached = False

    async def pages(self) -> AsyncIterator[tuple[PastEvent, ...]]:
        """One page after the other; an error ends it, and what came before holds.

        Raises:
            ConnectorRejectedError: the homeserver refuses.
            ConnectorUnavailableError: no answer, or pages that lead nowhere.
            EnvelopeError: a page could not be split.
        """
        self._inside = await self._membership() == "join"
        since: str | None = None
        while True:
            query = {"dir": "b", "limit": str(PAGE)}
            if since is not None:
                query["from"] = since
            route = path("rooms", self._group_id, "messages")
            page = split_messages(await self._http.request("GET", route, query=query))
            past = self._read(page.chunk)
            if past:
                yield past
            if self._reached or page.end is None or (page.end == since and not page.chunk):
                return
            self._check(page.end, is_empty=not page.chunk)
            since = page.end

    async def _membership(self) -> str | None:
        route = path("rooms", self._group_id, "state", "m.room.member", self._own_user)
        return text(decode(await self._http.request("GET", route)) or {}, "membership")

    def _read(self, chunk: Events) -> tuple[PastEvent, ...]:
        past: list[PastEvent] = []
        for raw in chunk:
            move = own_move(raw, self._own_user)
            self._inside = self._inside or move == "leave"
            past.append(self._past(raw))
            if move == "join" and self._inside:
                self._reached = True
                break
        return tuple(past)

    def _past(self, raw: bytes) -> PastEvent:
        upstream_id, sent_at, is_named = identify(raw)
        excuse = None if is_named else NAMELESS
        if not self._inside:
            excuse = OUTSIDE
        return PastEvent(upstream_id=upstream_id, sent_at=sent_at, excuse=excuse)

    def _check(self, end: str, *, is_empty: bool) -> None:
        self._empty = self._empty + 1 if is_empty else 0
        if end in self._seen or self._empty > MOST_EMPTY:
            raise ConnectorUnavailableError(
                "The homeserver's pages of history lead nowhere.",
                hint="Ask again later; if it stays so, the homeserver is at fault.",
            )
        self._seen.add(end)
