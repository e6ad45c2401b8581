"""Ed25519 keys as Matrix names them: ``ed25519:`` and, of cross-signing keys, the key itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connectors.matrix.crypto import unpadded

ALGORITHM = "ed25519"
SEED_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key; its seed stays out of its representation."""

    seed: bytes = field(repr=False)
    public: str = field(init=False)

    def __post_init__(self) -> None:
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        object.__setattr__(self, "public", unpadded.encode(private.public_key().public_bytes_raw()))

    @property
    def key_id(self) -> str:
        """Under which its signatures stand."""
        return f"{ALGORITHM}:{self.public}"

    def sign(self, message: bytes) -> str:
        """The signature, unpadded base64. The same message has the same signature."""
        return unpadded.encode(Ed25519PrivateKey.from_private_bytes(self.seed).sign(message))


def is_signature(*, public: str, message: bytes, signature: str) -> bool:
    """Whether ``signature`` is one of ``message`` by the key ``public``. MUST NOT raise."""
    key, signed = unpadded.decode(public), unpadded.decode(signature)
    if key is None or signed is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed, message)
    except (InvalidSignature, ValueError):
        return False
    return True
