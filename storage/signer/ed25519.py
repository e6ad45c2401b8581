"""Signs with a key that lies in a file of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.notekeys import NoteSigner, NoteVerifier
from bridge.protocols import Signer


class Ed25519Signer:
    """Keeps the promises of :class:`bridge.protocols.Signer` with a key in memory."""

    def __init__(self, key: NoteSigner) -> None:
        self._verifier = key.verifier
        self._key = Ed25519PrivateKey.from_private_bytes(key.seed)

    @property
    def verifier(self) -> NoteVerifier:
        """Who it signs as."""
        return self._verifier

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature (RFC 8032) over ``message``."""
        return self._key.sign(message)


if TYPE_CHECKING:
    _: type[Signer] = Ed25519Signer
