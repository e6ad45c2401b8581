"""One request to somebody outside: bounded in time and size, and only our errors."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bridge.errors import AnchorRejectedError, AnchorUnavailableError

SECONDS = 15.0
CHUNK = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Whom to ask, and how to get there. ``ca_file`` replaces the system's authorities.

    ``seconds``: how long a request may take from its beginning to its end.
    """

    url: str
    ca_file: Path | None = None
    http_proxy: str | None = None
    seconds: float = SECONDS

    @property
    def host(self) -> str:
        """The host, as the operator knows it."""
        return urlsplit(self.url).hostname or self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. ``content_type`` without its parameters."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


class Post:
    """POSTs to one address. Redirects are not followed."""

    def __init__(self, outside: Outside, *, largest: int) -> None:
        """``largest``: bytes of a reply that are read."""
        self._outside = outside
        self._largest = largest
        self._session: aiohttp.ClientSession | None = None

    async def send(self, body: bytes, *, content_type: str) -> Reply:
        """The reply, whatever its status below 500.

        Raises:
            AnchorUnavailableError: no answer, 429, 5xx, a broken transfer, an untrusted
                certificate.
            AnchorRejectedError: the reply is too large, or leads elsewhere.
        """
        try:
            session = await self._ready()
            async with session.post(
                self._outside.url,
                data=body,
                headers={"Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=self._outside.seconds),
                allow_redirects=False,
                proxy=self._outside.http_proxy,
            ) as response:
                data = await self._limited(response)
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise self._unavailable(error) from None
        if response.status == 429 or response.status >= 500:
            raise AnchorUnavailableError(f"{self._outside.host} answers {response.status}.")
        if 300 <= response.status < 400:
            raise AnchorRejectedError(
                f"{self._outside.host} redirects us ({response.status}), which is not followed.",
                hint="Set the address that it redirects to.",
            )
        return Reply(status=response.status, content_type=response.content_type, body=data)

    async def aclose(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _limited(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_chunked(CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > self._largest:
                response.close()
                raise AnchorRejectedError(
                    f"{self._outside.host} sent a reply of over {self._largest} bytes."
                )
        return b"".join(parts)

    async def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = await self._context()
            # Another request may have come this far while the certificates were read.
            if self._session is None:
                self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        return self._session

    async def _context(self) -> ssl.SSLContext | bool:
        """Reading the certificates takes a while: only where one is to be checked."""
        if not self._outside.url.startswith("https:"):
            return True
        ca_file = self._outside.ca_file
        try:
            return await asyncio.to_thread(_trusting, ca_file)
        except OSError as error:
            raise AnchorUnavailableError(
                f"No certificates can be read from {ca_file} ({type(error).__name__}).",
                hint="Name a PEM file of certificate authorities in [service] ca_file.",
            ) from None

    def _unavailable(self, error: BaseException) -> AnchorUnavailableError:
        host = self._outside.host
        if isinstance(
            error, ssl.SSLCertVerificationError | aiohttp.ClientConnectorCertificateError
        ):
            return AnchorUnavailableError(
                f"The certificate of {host} is not trusted.",
                hint="Install a valid certificate, or name its authority in [service] ca_file.",
            )
        return AnchorUnavailableError(f"{host} does not answer ({type(error).__name__}).")


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
