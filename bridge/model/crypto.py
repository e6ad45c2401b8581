"""How an event was encrypted, and what is known of who sent it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class DeviceTrust(StrEnum):
    """What is known of the device that sent an encrypted event; the value stands in the record."""

    SIGNED = "signed"
    """Its owner's identity signed it."""
    CHANGED = "identity_changed"
    """Its owner's identity signed it, and is another one than we saw first."""
    UNSIGNED = "unsigned"
    """Its owner has an identity and has not signed it."""
    NO_IDENTITY = "no_identity"
    """Its owner has no identity."""
    INVALID = "invalid"
    """Its keys are not its own, or not signed by itself."""
    UNKNOWN = "unknown"
    """The platform knows no such device, or has not told us of it."""
    MISMATCH = "mismatch"
    """The event names another sender than the one its key came from."""
    UNPROVED = "unproved"
    """The key came from a backup, a file or a forward: who sent it first is only claimed."""


class Provenance(StrEnum):
    """How the key of an encrypted event reached us."""

    DIRECT = "direct"
    BACKUP = "backup"
    IMPORT = "import"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """How an event was encrypted. ``clear`` is exactly what was decrypted, and None until it is.

    ``session`` names the key; the sender's ``device`` is the platform's name of it.
    ``plain_in_encrypted``: the event came in the clear though its group is encrypted.
    """

    algorithm: str | None = None
    session: str | None = None
    device: str | None = None
    trust: DeviceTrust | None = None
    provenance: Provenance | None = None
    clear: bytes | None = field(default=None, repr=False)
    plain_in_encrypted: bool = False
