"""python-telegram-bot's client, which writes the requests, made to return exact bytes.

The library puts the token into every address, and addresses into log lines and exceptions. So it
never gets the token: only the transport, below everything that logs, puts it in.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest, RequestData

from bridge.errors import ConnectorError, ConnectorUnavailableError, EnvelopeError
from connectors.telegram.refusals import error_of

LARGEST_ANSWER = 32 * 1024 * 1024
KEPT_OF_TOO_LARGE = 64 * 1024
CONNECTIONS = 64
SECONDS = 30.0
_STAND_IN = "0:token"
_LOUD = ("httpx", "httpcore", "telegram")
_WIRE = ("connection", "http11", "http2", "proxy", "socks")
_TELLTALES = ("telegram.Bot", *(f"httpcore.{each}" for each in _WIRE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A Bot API server as configured. ``ca_file`` replaces the system's authorities."""

    api_base: str
    ca_file: Path | None = None
    http_proxy: str | None = None


class FailedError(TelegramError):
    """Brings an error of ours through the library, which lets errors of its own pass."""

    def __init__(self, error: ConnectorError) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class DistrustError(httpx.ConnectError):
    """The server's certificate is not trusted."""


class Tokened(httpx.AsyncBaseTransport):
    """Puts the token into the address at the last moment. MUST be the only one to know it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, token: str) -> None:
        self._inner = inner
        self._token = token.encode()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; the request that others hold and log stays as it is."""
        failure: httpx.TransportError
        try:
            return await self._inner.handle_async_request(self._with_token(request))
        except httpx.TransportError as error:
            # Another one, since this one's traceback leads to the address with the token.
            kind = DistrustError if _is_distrust(error) else type(error)
            failure = kind(str(error))
        raise failure

    async def aclose(self) -> None:
        """Give up connections."""
        await self._inner.aclose()

    def _with_token(self, request: httpx.Request) -> httpx.Request:
        path = request.url.raw_path.replace(_STAND_IN.encode(), self._token, 1)
        return httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )


class ExactRequest(HTTPXRequest):
    """Returns the body of a 200 as it came; everything else is a :class:`FailedError`."""

    def __init__(self, endpoint: Endpoint, token: str, context: ssl.SSLContext) -> None:
        self._base = endpoint.api_base
        limits = httpx.Limits(max_connections=CONNECTIONS)
        inner = httpx.AsyncHTTPTransport(
            verify=context, trust_env=False, limits=limits, proxy=endpoint.http_proxy
        )
        super().__init__(
            httpx_kwargs={"transport": Tokened(inner, token), "trust_env": False},
        )

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, object]:
        """What the library takes for the result: the whole body, unread."""
        return {"result": payload}

    async def do_request(  # noqa: PLR0917 - the library's signature
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = None,
        write_timeout: object = None,
        connect_timeout: object = None,
        pool_timeout: object = None,
    ) -> tuple[int, bytes]:
        """Status and body. ``read_timeout`` is how long the answer may keep us waiting."""
        request = self._client.build_request(
            method,
            url,
            data=request_data.json_parameters if request_data else None,
            headers={"User-Agent": self.USER_AGENT},
            timeout=httpx.Timeout(
                SECONDS, read=read_timeout if isinstance(read_timeout, float) else SECONDS
            ),
        )
        response = await self._sent(request)
        try:
            return response.status_code, await self._body(response)
        finally:
            await response.aclose()

    async def open(self, url: str) -> httpx.Response:
        """Begin to fetch a file. Anything but a 200 is a :class:`FailedError`."""
        headers = {"User-Agent": self.USER_AGENT, "Accept-Encoding": "identity"}
        timeout = httpx.Timeout(SECONDS)
        request = self._client.build_request("GET", url, headers=headers, timeout=timeout)
        response = await self._sent(request)
        if response.status_code == 200:
            return response
        try:
            await self._body(response)
        finally:
            await response.aclose()
        raise RuntimeError("only a 200 has a body")

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        # Raised outside of the handler: what the library knows of the error is not chained to it.
        failure: Exception
        try:
            return await self._client.send(request, stream=True, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = error
        raise FailedError(unavailable(self._base, failure))

    async def _body(self, response: httpx.Response) -> bytes:
        try:
            body, whole = await limited(response)
        except (httpx.HTTPError, OSError) as error:
            failure: ConnectorError = unavailable(self._base, error)
        else:
            if not whole:
                said = f"The Bot API sent an answer of over {LARGEST_ANSWER} bytes."
                failure = EnvelopeError(said, body=body)
            elif response.status_code == 200:
                return body
            else:
                wait = response.headers.get("Retry-After", "")
                failure = error_of(response.status_code, body, wait=wait)
        raise FailedError(failure)


class ExactBot(Bot):
    """The library's bot, asked for any method at all."""

    def __init__(self, base: str, request: ExactRequest) -> None:
        super().__init__(
            _STAND_IN,
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=request,
            get_updates_request=request,
        )

    async def ask(self, method: str, given: Mapping[str, object], *, seconds: float) -> bytes:
        """The exact body of a 200.

        Raises:
            TelegramError: a :class:`FailedError`, or something that the library did not expect.
        """
        answer: object = await self._post(method, dict(given), read_timeout=seconds)
        if not isinstance(answer, bytes):
            raise TelegramError("no bytes")
        return answer


def file_address(base: str, path: str) -> str:
    """Where a file is fetched from, with the stand-in for the token."""
    return f"{base}/file/bot{_STAND_IN}/{path}"


def hush() -> None:
    """Requests and answers are not logged by the libraries: they hold what people said.

    What tells of answers is dropped even where somebody turns it on: a server may say the token,
    in a redirect for one.
    """
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in _TELLTALES:
        logging.getLogger(name).addFilter(_dropped)


def _dropped(_record: logging.LogRecord) -> bool:
    return False


async def limited(response: httpx.Response) -> tuple[bytes, bool]:
    """The body as far as we read it, and whether that is all of it."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            return b"".join(parts)[:KEPT_OF_TOO_LARGE], False
    return b"".join(parts), True


def unavailable(base: str, error: BaseException) -> ConnectorUnavailableError:
    """No answer, and why, as far as that is ours to tell."""
    if isinstance(error, DistrustError):
        return ConnectorUnavailableError(
            f"The certificate of {base} is not trusted.",
            hint="Install a valid certificate, or name its authority in [service] ca_file.",
        )
    return ConnectorUnavailableError(
        f"The Bot API at {base} does not answer ({type(error).__name__})."
    )


def _is_distrust(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
