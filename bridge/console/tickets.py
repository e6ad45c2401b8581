"""What goes to an identity provider and comes back with its answer: sealed, bound to one browser.

Nothing is remembered between the two requests: the ticket says what was begun, and the secrets
that belong to it (nonce, PKCE verifier) are made of it again.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

LASTS: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """``purpose`` is what was begun, ``following`` where to go on after it."""

    purpose: str
    following: str
    sealed: str
    nonce: str
    verifier: str


def issue(
    secret: bytes, visitor: str, *, purpose: str, following: str, at: datetime, salt: bytes
) -> Ticket:
    """A ticket for the browser whose cookie is ``visitor``. ``salt``: 16 random bytes."""
    body = _text(msgspec.json.encode((purpose, following, at.timestamp(), salt.hex())))
    sealed = f"{body}.{_mac(secret, 'ticket', visitor, body)}"
    return _ticket(secret, visitor, sealed, purpose, following)


def opened(secret: bytes, visitor: str, sealed: str, *, now: datetime) -> Ticket | None:
    """The ticket, if it was issued to this browser and not too long ago."""
    body, _, mac = sealed.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(secret, "ticket", visitor, body).encode()):
        return None
    try:
        data = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        purpose, following, at, _salt = msgspec.json.decode(data, type=tuple[str, str, float, str])
    except (Error, ValueError, msgspec.MsgspecError):
        return None
    if not 0 <= now.timestamp() - at <= LASTS.total_seconds():
        return None
    return _ticket(secret, visitor, sealed, purpose, following)


def _ticket(secret: bytes, visitor: str, sealed: str, purpose: str, following: str) -> Ticket:
    return Ticket(
        purpose=purpose,
        following=following,
        sealed=sealed,
        nonce=_mac(secret, "nonce", visitor, sealed),
        verifier=_mac(secret, "verifier", visitor, sealed),
    )


def _mac(secret: bytes, what: str, visitor: str, text: str) -> str:
    return hmac.digest(secret, f"{what}\0{visitor}\0{text}".encode(), "sha256").hex()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
