"""Alerts as JSON, POSTed to one address that the operator chose."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import msgspec

from bridge.alerts.alert import Alert
from bridge.errors import AlertError

SECONDS = 20.0


class Webhook:
    """Implements :class:`bridge.alerts.Channel`. Redirects are not followed, no reply is read.

    No sentence of it holds the address, which may be a secret.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        tenant: str,
        ca_file: Path | None = None,
        http_proxy: str | None = None,
    ) -> None:
        """``ca_file`` replaces the system's authorities."""
        self._url = url
        self._tenant = tenant
        self._ca_file = ca_file
        self._http_proxy = http_proxy
        self._session: aiohttp.ClientSession | None = None

    async def send(self, alert: Alert) -> None:
        """POST it. Only an answer of 200 to 299 counts.

        Raises:
            AlertError: no such answer.
        """
        body = msgspec.json.encode(Posted.of(alert, self._tenant))
        try:
            session = await self._ready()
            async with session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                allow_redirects=False,
                proxy=self._http_proxy,
            ) as response:
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise AlertError(_why(error)) from None
        if 300 <= status < 400:
            raise AlertError(
                f"it redirects us ({status}), which is not followed.",
                hint="Write the address that it redirects to into [alerts] webhook_url_file.",
            )
        if not 200 <= status < 300:
            raise AlertError(f"it answers {status}.")

    async def aclose(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            trusting = await asyncio.to_thread(_trusting, self._ca_file)
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting))
        return self._session


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What is POSTed. ``text`` says all of it, as chat programs show it."""

    v: int = 1
    tenant: str
    change: str
    part: str
    trouble: str
    subject: str
    at: str
    since: str
    count: int
    suppressed: int
    text: str

    @staticmethod
    def of(alert: Alert, tenant: str) -> Posted:
        """The same alert for others."""
        return Posted(
            tenant=tenant,
            change=alert.change.value,
            part=alert.part,
            trouble=alert.trouble,
            subject=alert.subject,
            at=alert.at,
            since=alert.since,
            count=alert.count,
            suppressed=alert.suppressed,
            text=f"Muniment {tenant}: {alert.sentence}",
        )


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError | aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted."
    return f"it does not answer ({type(error).__name__})."
