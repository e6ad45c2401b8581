"""Requests to a homeserver in one person's name."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import msgspec

from bridge.canonical.json import Json
from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError

CLIENT = "/_matrix/client/v3"
"""Path of the client API."""

Content = Mapping[str, Json]
"""What an event or a request says."""


class Answer(msgspec.Struct):
    """The fields of an answer that a caller may want; empty where the server gave none."""

    event_id: str = ""
    room_id: str = ""
    content_uri: str = ""
    access_token: str = ""
    replacement_room: str = ""
    errcode: str = ""
    error: str = ""


class Wire:
    """A connection and a token. The token travels in a header, never in an address."""

    def __init__(self, *, homeserver: str, token: str) -> None:
        self.token = token
        self._homeserver = homeserver
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready to ask."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))

    async def close(self) -> None:
        """Give the connection back. Repeatable."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        body: Content | bytes,
        *,
        media_type: str = "application/json",
        filename: str | None = None,
    ) -> Answer:
        """Send ``body``, as JSON unless it is bytes, and read the answer.

        Raises:
            ConnectorRejectedError: the server refuses.
            ConnectorUnavailableError: it does not answer.
        """
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        query = {} if filename is None else {"filename": filename}
        answer = await self.fetch(method, path, data=data, media_type=media_type, query=query)
        return msgspec.json.decode(answer, type=Answer)

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        media_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """The bytes of the answer.

        Raises:
            ConnectorRejectedError: the server refuses.
            ConnectorUnavailableError: it does not answer.
        """
        if self._session is None:
            raise RuntimeError("a client speaks only inside `async with`")
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media_type}
        try:
            async with self._session.request(
                method, f"{self._homeserver}{path}", data=data, headers=headers, params=query
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectorUnavailableError(
                f"{method} {path}: the homeserver does not answer: {type(error).__name__}"
            ) from error
        if response.status != 200:
            raise _refused(f"{method} {path}", response.status, answer)
        return answer


def _refused(what: str, status: int, answer: bytes) -> ConnectorRejectedError:
    try:
        said = msgspec.json.decode(answer, type=Answer)
    except msgspec.DecodeError:
        said = Answer()
    return ConnectorRejectedError(
        f"{what}: {status} {said.errcode} {said.error}".rstrip(), code=said.errcode
    )
