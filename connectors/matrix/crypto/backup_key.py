"""The key of a key backup, and room keys encrypted under it. Pure.

The algorithm is ``m.megolm_backup.v1.curve25519-aes-sha2`` (Matrix specification, "Server-side
key backups"). Its MAC is, in all clients there are, that of the empty string: it protects
nothing. Whoever knows the public key, the homeserver too, can put keys into a backup: a key from
there MUST never prove who sent it first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import msgspec
import vodozemac

from bridge.rawjson.fields import JsonObject, decode, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.exported_keys import read_session_data, session_data
from connectors.matrix.crypto.guarded import GUARDED, OlmRefusedError
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.values import ExportedKey, KeyRow

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
PRIVATE_BYTES = 32
LONGEST_CIPHERTEXT = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupKey:
    """The private key. It stays out of its representation."""

    raw: bytes = field(repr=False)
    public: str = field(init=False)

    def __post_init__(self) -> None:
        if len(self.raw) != PRIVATE_BYTES:
            raise RuntimeError("a backup key has 32 bytes")
        public = vodozemac.Curve25519SecretKey.from_bytes(self.raw).public_key()
        object.__setattr__(self, "public", public.to_base64())

    @classmethod
    def make(cls, random: RandomBytes) -> Self:
        """A new one."""
        return cls(raw=random(PRIVATE_BYTES))

    @classmethod
    def parse(cls, secret: str) -> Self | None:
        """The key in a stored secret, or None where it holds none."""
        raw = unpadded.decode(secret)
        return cls(raw=raw) if raw is not None and len(raw) == PRIVATE_BYTES else None

    def text(self) -> str:
        """The key as it is kept in secret storage."""
        return unpadded.encode(self.raw)

    def encrypted(self, row: KeyRow) -> JsonObject:
        """A room key as it stands in the backup.

        It never claims to be verified: of two keys the server keeps the one that says so, even
        if it opens fewer messages; of two that do not, the one that opens more.
        """
        public = vodozemac.Curve25519PublicKey.from_base64(self.public)
        plain = msgspec.json.encode(session_data(row.key))
        message = vodozemac.PkEncryption.from_key(public).encrypt(plain)
        return {
            "first_message_index": row.first_index,
            "forwarded_count": len(row.key.forwarders),
            "is_verified": False,
            "session_data": {
                "ephemeral": unpadded.encode(message.ephemeral_key),
                "ciphertext": unpadded.encode(message.ciphertext),
                "mac": unpadded.encode(message.mac),
            },
        }

    def decrypted(self, entry: JsonObject, *, room_id: str, session_id: str) -> ExportedKey | None:
        """The room key in the backup; None where none can be read. MUST NOT raise."""
        data = table(entry, "session_data")
        if len(text(data, "ciphertext") or "") > LONGEST_CIPHERTEXT:
            return None
        parts = [_bytes(data, name) for name in ("ciphertext", "mac", "ephemeral")]
        ciphertext, mac, ephemeral = parts
        if ciphertext is None or mac is None or ephemeral is None:
            return None
        own = vodozemac.PkDecryption.from_key(vodozemac.Curve25519SecretKey.from_bytes(self.raw))
        try:
            with GUARDED:
                plain = own.decrypt(vodozemac.Message(ciphertext, mac, ephemeral))
        except OlmRefusedError:
            return None
        fields = decode(plain)
        if fields is None:
            return None
        return read_session_data(fields, room_id=room_id, session_id=session_id)


def _bytes(fields: JsonObject, name: str) -> bytes | None:
    value = text(fields, name)
    return unpadded.decode(value) if value is not None else None
