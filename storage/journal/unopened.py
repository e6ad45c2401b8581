"""What is still encrypted: how it is told apart, and how the name of its key stands at rest."""

from __future__ import annotations

import hmac

from bridge.model import Event, EventKind


def is_unopened(event: Event) -> bool:
    """Whether a key could still show what ``event`` says."""
    crypto = event.crypto
    return event.kind is EventKind.ENCRYPTED and crypto is not None and crypto.clear is None


def session_mark(blind_key: bytes, session: str) -> bytes:
    """The blinded name of a key: platforms name keys as they like, and it is nobody's business."""
    name = session.encode("utf-8", "surrogatepass")
    return hmac.digest(blind_key, b"session\0" + name, "sha256")[:16]


def mark_of(blind_key: bytes, event: Event) -> bytes | None:
    """The mark of the key that ``event`` waits for, known by name or not; None where of none."""
    if not is_unopened(event) or event.crypto is None:
        return None
    return session_mark(blind_key, event.crypto.session or "")
