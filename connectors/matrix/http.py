"""Requests to a homeserver: exact bytes out, and only our errors."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.rawjson.fields import JsonObject, count, decode, table, tables, text, texts

CLIENT = "/_matrix/client/v3"
VERSIONS = "/_matrix/client/versions"
MEDIA = "/_matrix/client/v1/media/download"
LARGEST_RESPONSE = 32 * 1024 * 1024
"""Bytes of a response that are read; a larger one is asked for in smaller pieces."""

KEPT_OF_TOO_LARGE = 64 * 1024
CHUNK = 64 * 1024
SECONDS = 30.0
LONGEST_WAIT = 3600.0
_OF_THE_ACCOUNT = frozenset(
    {
        "",
        "M_MISSING_TOKEN",
        "M_UNKNOWN_TOKEN",
        "M_USER_DEACTIVATED",
        "M_USER_LOCKED",
        "M_USER_SUSPENDED",
    }
)
_CODE = re.compile(r"[A-Z][A-Z0-9_.]{0,63}")
_STEP = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PAGE = re.compile(r"https?://[!-~]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A homeserver as configured. ``ca_file`` replaces the system's certificate authorities."""

    homeserver: str
    ca_file: Path | None = None
    http_proxy: str | None = None


def path(*parts: str, base: str = CLIENT) -> str:
    """A request path; each part is quoted whole, so that an id can never leave its place."""
    return "/".join((base, *(quote(part, safe="") for part in parts)))


def is_of_the_account(error: ConnectorRejectedError) -> bool:
    """Whether a refusal says nothing of what was asked for: signed in anew it may be had.

    Without a code it was no homeserver that refused, but something before it.
    """
    return error.code in _OF_THE_ACCOUNT


def unsettled(error: ConnectorRejectedError) -> ConnectorUnavailableError:
    """A refusal of the account where only one of the thing asked for would settle anything."""
    return ConnectorUnavailableError(str(error), hint=error.hint)


class AuthenticationNeededError(ConnectorRejectedError):
    """The server first wants more proof of who we are; ``session`` is what it calls this try.

    ``ways``: each a set of steps that would do together. ``page``: where a person can take one.
    """

    def __init__(self, message: str, *, code: str, fields: JsonObject) -> None:
        """``fields`` of the answer; what in them is malformed is left out."""
        super().__init__(message, code=code)
        self.session = text(fields, "session")
        self.ways = _ways(fields)
        self.page = _page(fields)


class MatrixHttp:
    """One account's requests. The token goes in a header, never in an address."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None
        self.token: str | None = None

    async def request(
        self,
        method: str,
        route: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        seconds: float = SECONDS,
    ) -> bytes:
        """The body of a 200.

        Raises:
            ConnectorUnavailableError: no answer, 429, 5xx, a broken transfer, an untrusted
                certificate.
            ConnectorRejectedError: the server refuses; ``code`` is its own error code. Where it
                names ways to authenticate, it is an :class:`AuthenticationNeededError`.
            EnvelopeError: the body is larger than we read.
        """
        try:
            response = await self._send(method, route, query, body, seconds)
            try:
                data = await _limited(response)
            finally:
                response.release()
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise self._unavailable(error) from None
        _check(response, data)
        return data

    async def stream(self, route: str, *, seconds: float) -> MediaStream:
        """Begin reading a file; redirects are refused.

        Raises:
            ConnectorUnavailableError: as in :meth:`request`, and where the account is refused.
            ConnectorRejectedError: this file is refused.
        """
        try:
            session = await self._ready()
            response = await session.get(
                self._endpoint.homeserver + route,
                headers=self._headers(),
                timeout=aiohttp.ClientTimeout(total=seconds, sock_read=SECONDS),
                allow_redirects=False,
                proxy=self._endpoint.http_proxy,
            )
            if response.status != 200:
                try:
                    data = await _limited(response)
                finally:
                    response.release()
                _check(response, data)
        except ConnectorRejectedError as error:
            if response.status >= 400 and is_of_the_account(error):
                raise unsettled(error) from None
            raise
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise self._unavailable(error) from None
        return MediaStream(response, self._unavailable)

    async def aclose(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self,
        method: str,
        route: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        seconds: float,
    ) -> aiohttp.ClientResponse:
        session = await self._ready()
        data = None if body is None else json.dumps(body).encode()
        return await session.request(
            method,
            self._endpoint.homeserver + route,
            params=query,
            data=data,
            headers=self._headers() | ({"Content-Type": "application/json"} if data else {}),
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
            proxy=self._endpoint.http_proxy,
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = await self._context()
            # Another request may have come this far while the certificates were read.
            if self._session is None:
                self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        return self._session

    async def _context(self) -> ssl.SSLContext | bool:
        """Reading the certificates takes a while: only where one is to be checked."""
        if not self._endpoint.homeserver.startswith("https:"):
            return True
        ca_file = self._endpoint.ca_file
        try:
            return await asyncio.to_thread(_trusting, ca_file)
        except OSError as error:
            raise ConnectorUnavailableError(
                f"No certificates can be read from {ca_file} ({type(error).__name__}).",
                hint="Name a PEM file of certificate authorities in [service] ca_file.",
            ) from None

    def _unavailable(self, error: BaseException) -> ConnectorUnavailableError:
        server = self._endpoint.homeserver
        if isinstance(
            error, ssl.SSLCertVerificationError | aiohttp.ClientConnectorCertificateError
        ):
            return ConnectorUnavailableError(
                f"The certificate of {server} is not trusted.",
                hint="Install a valid certificate, or name its authority in [service] ca_file.",
            )
        return ConnectorUnavailableError(
            f"The homeserver {server} does not answer ({type(error).__name__})."
        )


class MediaStream:
    """A file on its way; see :class:`bridge.protocols.Download`."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        unavailable: Callable[[BaseException], ConnectorUnavailableError],
    ) -> None:
        self._response = response
        self._unavailable = unavailable
        # Of a compressed transfer the platform declares another size than that of the file.
        packed = "Content-Encoding" in response.headers
        self.size = None if packed else response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order."""
        try:
            async for chunk in self._response.content.iter_chunked(CHUNK):
                yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._unavailable(error) from None

    async def aclose(self) -> None:
        """Give up the transfer; a connection with bytes left in it is not used again."""
        self._response.release()


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > LARGEST_RESPONSE:
            response.close()
            raise EnvelopeError(
                f"The homeserver sent a response of over {LARGEST_RESPONSE} bytes.",
                body=b"".join(parts)[:KEPT_OF_TOO_LARGE],
            )
    return b"".join(parts)


def _check(response: aiohttp.ClientResponse, data: bytes) -> None:
    """Turn every status but 200 into an error. The server's own words are not repeated."""
    status = response.status
    if status == 200:
        return
    fields = decode(data) or {}
    code = text(fields, "errcode") or ""
    if not _CODE.fullmatch(code):
        code = ""
    if status == 429:
        raise ConnectorUnavailableError(
            "The homeserver asks us to wait (429).", retry_after=_wait(response, fields)
        )
    if status >= 500:
        raise ConnectorUnavailableError(f"The homeserver answers {status}.")
    if 300 <= status < 400:
        raise ConnectorRejectedError(
            f"The homeserver redirects us ({status}); redirects are not followed.",
            hint="Set [[matrix]] homeserver to the address it redirects to.",
        )
    refusal = f"The homeserver refuses {status} {code or 'without a code'}."
    if status == 401 and "flows" in fields:
        raise AuthenticationNeededError(refusal, code=code, fields=fields)
    raise ConnectorRejectedError(refusal, code=code)


def _ways(fields: JsonObject) -> tuple[frozenset[str], ...]:
    ways = (frozenset(texts(flow, "stages")) for flow in tables(fields, "flows"))
    return tuple(way for way in ways if way and all(_STEP.fullmatch(step) for step in way))


def _page(fields: JsonObject) -> str | None:
    steps = table(fields, "params")
    pages = (text(table(steps, step), "url") or "" for step in steps)
    return next((page for page in pages if _PAGE.fullmatch(page)), None)


def _wait(response: aiohttp.ClientResponse, fields: JsonObject) -> float | None:
    """Seconds to wait: the server's own word, or that of a proxy before it."""
    wait = count(fields, "retry_after_ms")
    if wait:
        return min(wait / 1000, LONGEST_WAIT)
    header = response.headers.get("Retry-After", "")
    if header.isascii() and header.isdecimal() and len(header) < 10:
        return min(float(header), LONGEST_WAIT) or None
    return None


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
