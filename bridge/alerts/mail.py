"""Alerts as e-mail, through one server that the operator chose."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path

import aiosmtplib

from bridge.alerts.alert import Alert, Change
from bridge.errors import AlertError
from bridge.model import Digest

SECONDS = 30.0

BODY = """\
{sentence}

At {at}, from the recorder of {tenant}. `muniment status` on its machine says more; this message
holds no content and no names.
"""


class Security(StrEnum):
    """How the connection to the server is protected."""

    STARTTLS = "starttls"
    """Encrypted after a greeting; a server that does not offer it is refused."""
    TLS = "tls"
    """Encrypted from the first byte."""
    NONE = "none"
    """In the clear: for a server on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in. ``ca_file`` replaces the system's authorities."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


class Mail:
    """Implements :class:`bridge.alerts.Channel`. One connection for each alert: they are rare."""

    name = "e-mail"

    def __init__(
        self, server: MailServer, *, sender: str, recipients: Sequence[str], tenant: str
    ) -> None:
        """``sender`` and ``recipients`` are addresses as SMTP takes them."""
        self._server = server
        self._sender = sender
        self._recipients = tuple(recipients)
        self._tenant = tenant

    async def send(self, alert: Alert) -> None:
        """Hand it to the server. Only if it took it for every recipient that counts.

        Raises:
            AlertError: it did not.
        """
        server = self._server
        try:
            context = await asyncio.to_thread(_trusting, server)
            refused, _ = await aiosmtplib.send(
                self.message(alert),
                sender=self._sender,
                recipients=list(self._recipients),
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.security is Security.TLS,
                start_tls=server.security is Security.STARTTLS,
                tls_context=context,
                # The machine's own name is nobody's business, and looking it up may take long.
                local_hostname=self._sender.rpartition("@")[2],
                timeout=SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
            raise AlertError(_why(error)) from None
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Until Python 3.12 `wait_for`, on which the library waits, returns an answer that comes
            # together with a cancellation, and forgets the latter.
            raise asyncio.CancelledError
        if refused:
            raise AlertError(f"the server refuses {len(refused)} of the recipients.")

    def message(self, alert: Alert) -> EmailMessage:
        """The mail. Sent again after a crash it has the same id, by which readers drop one."""
        mail = EmailMessage()
        over = "over: " if alert.change is Change.RESOLVED else ""
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Subject"] = f"[muniment {self._tenant}] {over}{alert.title}"
        mail["Date"] = format_datetime(datetime.fromisoformat(alert.at).astimezone(UTC))
        ident = Digest.of(f"{alert}".encode()).hex[:32]
        mail["Message-ID"] = f"<{ident}@{self._sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(BODY.format(sentence=alert.sentence, at=alert.at, tenant=self._tenant))
        return mail

    async def aclose(self) -> None:
        """Nothing is held open."""


def _trusting(server: MailServer) -> ssl.SSLContext | None:
    if server.security is Security.NONE:
        return None
    return ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)


def _why(error: BaseException) -> str:
    """In our words: a server's own may repeat addresses."""
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(
        error.__cause__, ssl.SSLCertVerificationError
    ):
        return "the server's certificate is not trusted."
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"the server refuses user and password ({error.code})."
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return f"the server refuses {len(error.recipients)} of the recipients."
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"the server answers {error.code}."
    return f"the server does not answer as it should ({type(error).__name__})."
