"""Requests to a Bot API server: exact bytes out, and only our errors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from telegram.error import TelegramError

from bridge.errors import ConnectorError, ConnectorUnavailableError, EnvelopeError
from bridge.rawjson.fields import JsonObject, decode, tables
from bridge.rawjson.scan import members
from connectors.telegram.exact import (
    SECONDS,
    Endpoint,
    ExactBot,
    ExactRequest,
    FailedError,
    file_address,
    hush,
    unavailable,
)
from connectors.telegram.refusals import RefusedError
from connectors.telegram.transfer import FileStream

__all__ = ["MOST_UPDATES", "BotApi", "Endpoint"]

MOST_UPDATES = 100
"""What one answer to ``getUpdates`` may hold."""

SLACK = 15.0
"""Seconds that a long poll may take beyond what it asked for."""


class BotApi:
    """One bot's requests. Its token MUST NOT be in anything that this returns, raises or logs."""

    def __init__(self, endpoint: Endpoint, *, token: str) -> None:
        hush()
        self._endpoint = endpoint
        self._token = token
        self._clients: tuple[ExactBot, ExactRequest] | None = None

    async def get_updates(
        self,
        *,
        offset: int | None,
        seconds: int,
        limit: int = MOST_UPDATES,
        allowed: Sequence[str] = (),
    ) -> bytes:
        """The exact body of the answer; waits up to ``seconds`` for an update.

        This acknowledges all updates below ``offset``.

        Raises:
            ConnectorUnavailableError: no answer, 429, 5xx, a broken transfer, an untrusted
                certificate.
            RefusedError: the Bot API refuses; ``code`` says why.
            EnvelopeError: the body is larger than we read; ask with a smaller ``limit``.
        """
        given: dict[str, object] = {"timeout": seconds, "limit": limit}
        if offset is not None:
            given["offset"] = offset
        if allowed:
            given["allowed_updates"] = list(allowed)
        return await self._ask("getUpdates", given, seconds=seconds + SLACK)

    async def call(self, method: str, /, **given: object) -> JsonObject:
        """The object that a method returns; an empty one where it returns something else.

        Raises:
            ConnectorUnavailableError: as in :meth:`get_updates`, or the answer is none.
            RefusedError: the Bot API refuses; ``code`` says why.
        """
        return await self.call_within(SECONDS, method, **given)

    async def call_within(self, seconds: float, method: str, /, **given: object) -> JsonObject:
        """The same for a method that takes its time.

        Raises:
            ConnectorError: as in :meth:`call`.
        """
        result = (await self._answer(method, given, seconds))[0]["result"]
        return result if isinstance(result, dict) else {}

    async def call_all(self, method: str, /, **given: object) -> tuple[JsonObject, ...]:
        """The objects that a method returns as an array.

        Raises:
            ConnectorError: as in :meth:`call`.
        """
        return tables((await self._answer(method, given, SECONDS))[0], "result")

    async def call_raw(self, method: str, /, **given: object) -> bytes:
        """The exact bytes of what a method returns.

        Raises:
            ConnectorError: as in :meth:`call`.
        """
        body = (await self._answer(method, given, SECONDS))[1]
        return dict(members(body))["result"]

    async def stream(self, file_path: str) -> FileStream:
        """Begin to fetch a file by the path that ``getFile`` gave; redirects are refused.

        Raises:
            ConnectorUnavailableError: as in :meth:`get_updates`.
            RefusedError: the link does not hold (any more), or the bot is refused.
        """
        request = (await self._ready())[1]
        base = self._endpoint.api_base
        failure: ConnectorError
        try:
            async with asyncio.timeout(SECONDS):
                return FileStream(await request.open(file_address(base, quote(file_path))), base)
        except FailedError as failed:
            failure = failed.error
        except TimeoutError as error:
            failure = unavailable(base, error)
        if isinstance(failure, EnvelopeError):
            failure = ConnectorUnavailableError(str(failure))
        if isinstance(failure, RefusedError) and failure.status == 404:
            failure = RefusedError("The link to the file does not hold.", status=404, code="404")
        raise failure

    async def aclose(self) -> None:
        """Give up connections."""
        if self._clients is not None:
            clients, self._clients = self._clients, None
            await clients[1].shutdown()

    async def _answer(
        self, method: str, given: Mapping[str, object], seconds: float
    ) -> tuple[JsonObject, bytes]:
        try:
            answer = _understood(await self._ask(method, given, seconds=seconds))
        except EnvelopeError as error:
            raise ConnectorUnavailableError(str(error)) from None
        if answer is None:
            raise ConnectorUnavailableError("The Bot API gives an answer that is none.")
        return answer

    async def _ask(self, method: str, given: Mapping[str, object], *, seconds: float) -> bytes:
        bot = (await self._ready())[0]
        failure: ConnectorError
        # Raised outside of the handler: what the library knows of the error is not chained to it.
        try:
            async with asyncio.timeout(seconds):
                return await bot.ask(method, given, seconds=float(seconds))
        except FailedError as failed:
            failure = failed.error
        except (TelegramError, TimeoutError) as error:
            failure = unavailable(self._endpoint.api_base, error)
        raise failure

    async def _ready(self) -> tuple[ExactBot, ExactRequest]:
        if self._clients is None:
            context = await self._context()
            # Another request may have come this far while the certificates were read.
            if self._clients is None:
                request = ExactRequest(self._endpoint, self._token, context)
                self._clients = ExactBot(self._endpoint.api_base, request), request
        return self._clients

    async def _context(self) -> ssl.SSLContext:
        """Reading the certificates takes a while: only where one is to be checked."""
        if not self._endpoint.api_base.startswith("https:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
        ca_file = self._endpoint.ca_file
        try:
            return await asyncio.to_thread(_trusting, ca_file)
        except OSError as error:
            raise ConnectorUnavailableError(
                f"No certificates can be read from {ca_file} ({type(error).__name__}).",
                hint="Name a PEM file of certificate authorities in [service] ca_file.",
            ) from None


def _understood(body: bytes) -> tuple[JsonObject, bytes] | None:
    answer = decode(body) or {}
    return (answer, body) if answer.get("ok") is True and "result" in answer else None


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
