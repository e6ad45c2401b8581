"""Requests to the identity provider: bounded in time and size, and only our errors."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus, urlsplit

import aiohttp

from bridge.errors import ConnectorUnavailableError

SECONDS: Final = 10.0
LARGEST: Final = 1 << 20
_HINT: Final = "Check the address in [console] oidc_issuer, the network and the provider."


class Wire:
    """GET and POST. Redirects are not followed: an answer MUST come from who was asked."""

    def __init__(self, *, ca_file: Path | None = None, http_proxy: str | None = None) -> None:
        """``ca_file`` replaces the system's authorities; all requests go through the proxy."""
        self._ca_file = ca_file
        self._http_proxy = http_proxy

    async def get(self, url: str) -> tuple[int, bytes]:
        """Status and body.

        Raises:
            ConnectorUnavailableError: no answer, an untrusted certificate, or too long a one.
        """
        return await self._ask("GET", url, None, None)

    async def post(
        self, url: str, fields: Mapping[str, str], *, basic: tuple[str, str] | None
    ) -> tuple[int, bytes]:
        """Status and body of what a form is answered with, as :meth:`get`."""
        return await self._ask("POST", url, fields, basic)

    async def _ask(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str] | None,
        basic: tuple[str, str] | None,
    ) -> tuple[int, bytes]:
        host = urlsplit(url).hostname or "the identity provider"
        try:
            context = await self._context(url)
            headers = {"accept": "application/json"}
            if basic is not None:
                headers["authorization"] = _basic(*basic)
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context),
                    timeout=aiohttp.ClientTimeout(total=SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                ) as session,
                session.request(
                    method,
                    url,
                    data=fields,
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._http_proxy,
                ) as response,
            ):
                return response.status, await _limited(response, host)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ConnectorUnavailableError(
                f"{host} cannot be asked ({type(error).__name__}).", hint=_HINT
            ) from None

    async def _context(self, url: str) -> ssl.SSLContext | bool:
        if not url.startswith("https:"):
            return True
        ca_file = str(self._ca_file) if self._ca_file else None
        return await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)


def _basic(client_id: str, secret: str) -> str:
    """Both are encoded as in a form before they are joined (RFC 6749, section 2.3.1)."""
    joined = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(joined.encode()).decode()}"


async def _limited(response: aiohttp.ClientResponse, host: str) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        data += chunk
        if len(data) > LARGEST:
            raise ConnectorUnavailableError(
                f"{host} sent over {LARGEST} bytes, which no answer needs.", hint=_HINT
            )
    return bytes(data)
