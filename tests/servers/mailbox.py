"""A real SMTP server on loopback that keeps what it is given, and refuses what a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(slots=True, kw_only=True)
class Mailbox:
    """``refused``: recipients that are not taken; ``answer``: what is said to a mail, if not 250.

    ``encrypted`` says of each mail whether it came over TLS; ``signed_in`` as whom.
    """

    port: int = 0
    user: str = ""
    password: str = ""
    refused: frozenset[str] = frozenset()
    answer: str = "250 OK"
    mails: list[Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take a recipient or not."""
        if self.user and not session.authenticated:
            return "530 sign in first"
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail or not."""
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content))
            self.recipients.append([str(each) for each in envelope.rcpt_tos])
            assert server.transport is not None
            self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        """User and password as a test set them."""
        assert isinstance(data, LoginPassword)
        right = (data.login.decode(), data.password.decode()) == (self.user, self.password)
        if right:
            self.signed_in.append(data.login.decode())
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mailbox(
    tls: ssl.SSLContext | None = None, *, starttls: bool = True, user: str = "", password: str = ""
) -> AsyncIterator[Mailbox]:
    """One for as long as the block lasts. With ``tls`` STARTTLS, or TLS from the first byte."""
    box = Mailbox(user=user, password=password)
    asks = tls is not None and starttls

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.org",
            tls_context=tls if asks else None,
            require_starttls=asks,
            authenticator=box.authenticate if user else None,
            auth_require_tls=asks,
        )

    first_byte = None if starttls else tls
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=first_byte)
    async with server:
        box.port = server.sockets[0].getsockname()[1]
        yield box
