"""Posting to a group: encrypted where the group is, pinned where our power allows."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.errors import ConnectorError, ConnectorRejectedError
from bridge.protocols import Announcement
from bridge.rawjson.fields import decode, text
from connectors.matrix.crypto.session import CryptoSession
from connectors.matrix.encryption import ENCRYPTION
from connectors.matrix.envelope import split_messages
from connectors.matrix.http import MatrixHttp, is_of_the_account, path
from connectors.matrix.room import RoomState

ENCRYPTED = "m.room.encrypted"
_NOT_FOUND = "M_NOT_FOUND"


class Noticeboard:
    """What the recorder itself says. ``rooms`` are those it knows the state of."""

    def __init__(
        self,
        *,
        http: MatrixHttp,
        rooms: Mapping[str, RoomState],
        own_user: str,
        crypto: CryptoSession | None,
    ) -> None:
        self._http = http
        self._rooms = rooms
        self._own_user = own_user
        self._crypto = crypto

    async def announce(self, group_id: str, notice: str, *, key: str, pin: bool) -> Announcement:
        """See :meth:`bridge.protocols.Connector.announce`."""
        kind = "m.room.message"
        content: Mapping[str, object] = {"msgtype": "m.notice", "body": notice}
        try:
            if self._crypto is not None and await self._is_encrypted(group_id):
                users = await self._present(group_id)
                content = await self._crypto.encrypted(group_id, kind, content, users)
                kind = ENCRYPTED
            route = path("rooms", group_id, "send", kind, key)
            answer = await self._http.request("PUT", route, body=content)
        except ConnectorRejectedError as error:
            if is_of_the_account(error):
                raise
            return Announcement(upstream_id=None, refusal=str(error))
        event_id = text(decode(answer) or {}, "event_id")
        if event_id is None:
            return Announcement(upstream_id=None, refusal="The answer names no event.")
        pinned = pin and await self._pin(group_id, event_id)
        return Announcement(upstream_id=event_id, pinned=pinned)

    async def _is_encrypted(self, group_id: str) -> bool:
        """As the room's state is known, or else as the server says: never guessed."""
        room = self._rooms.get(group_id)
        known = None if room is None else room.encryption
        if known is not None:
            return known
        try:
            await self._http.request("GET", path("rooms", group_id, "state", ENCRYPTION))
        except ConnectorRejectedError as error:
            if error.code == _NOT_FOUND:
                return False
            raise
        return True

    async def _present(self, group_id: str) -> frozenset[str]:
        room = self._rooms.get(group_id)
        if room is None or not room.is_whole:
            room = RoomState()
            route = path("rooms", group_id, "members")
            for raw in split_messages(await self._http.request("GET", route)).chunk:
                room.apply(raw)
        return frozenset(member.user_id for member in room.present())

    async def _pin(self, group_id: str, event_id: str) -> bool:
        room = self._rooms.get(group_id)
        if room is None or not room.can_pin(self._own_user):
            return False
        pinned = [*(p for p in room.pinned if p != event_id), event_id]
        route = path("rooms", group_id, "state", "m.room.pinned_events")
        try:
            await self._http.request("PUT", route, body={"pinned": pinned})
        except ConnectorError:
            return False
        return True
