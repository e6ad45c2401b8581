"""Secret storage: secrets in the account data, under a key that the server never has. Pure.

The algorithm is ``m.secret_storage.v1.aes-hmac-sha2`` (Matrix specification, "Secrets"):
AES-256-CTR, then HMAC-SHA-256 over the ciphertext, with keys derived by HKDF-SHA-256 from the
recovery key and the secret's name. The MAC does not cover the initialization vector: whoever
reads a secret MUST check that it is the one it should be.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.recovery_key import RandomBytes, RecoveryKey
from connectors.matrix.crypto.refusals import SecretDamagedError, WrongRecoveryKeyError

ALGORITHM = "m.secret_storage.v1.aes-hmac-sha2"
DEFAULT_KEY = "m.secret_storage.default_key"
_DESCRIPTION = "m.secret_storage.key."
_IV_BYTES = 16
_ZEROS = bytes(32)
_OWN_ID = "muniment.secret_storage.key_id"


class SecretName(StrEnum):
    """What the recorder keeps in secret storage; the types of its account data."""

    MASTER = "m.cross_signing.master"
    SELF_SIGNING = "m.cross_signing.self_signing"
    USER_SIGNING = "m.cross_signing.user_signing"
    BACKUP = "m.megolm_backup.v1"


def description_type(key_id: str) -> str:
    """The type of the account data that describes a key."""
    return _DESCRIPTION + key_id


def default_key_id(content: JsonObject | None) -> str | None:
    """Which key is the default, by the account data :data:`DEFAULT_KEY`."""
    return (text(content, "key") or None) if content is not None else None


def default_key(key_id: str) -> JsonObject:
    """The account data that makes a key the default."""
    return {"key": key_id}


def key_ids(content: JsonObject | None) -> tuple[str, ...]:
    """The keys under which a secret is stored, by its account data."""
    return tuple(table(content, "encrypted")) if content is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageKey:
    """A key of the storage, with the id that the account data know it by."""

    key_id: str
    recovery_key: RecoveryKey = field(repr=False)

    @classmethod
    def own(cls, recovery_key: RecoveryKey) -> Self:
        """The key with the id that we give it.

        The id follows from the key: begun again after a crash, the storage has the same one.
        """
        digest = _derived(recovery_key, _OWN_ID)[0]
        return cls(key_id=digest[:16].hex(), recovery_key=recovery_key)

    def description(self, random: RandomBytes) -> JsonObject:
        """The account data of type :func:`description_type`; whoever has the key can check it."""
        iv = _iv(random)
        return {"algorithm": ALGORITHM, "iv": unpadded.encode(iv), "mac": self._check(iv)}

    def check(self, description: JsonObject) -> None:
        """That this is the key which is described; one without iv and mac is taken for it.

        Raises:
            WrongRecoveryKeyError: it is another.
            SecretDamagedError: the description cannot be read, or its algorithm is unknown.
        """
        if text(description, "algorithm") != ALGORITHM:
            raise SecretDamagedError("The account's secret storage uses an unknown algorithm.")
        if "iv" not in description or "mac" not in description:
            return
        iv, mac = _bytes(description, "iv"), _bytes(description, "mac")
        if iv is None or mac is None or len(iv) != _IV_BYTES:
            raise SecretDamagedError("The description of the account's storage key is damaged.")
        if not hmac.compare_digest(unpadded.encode(mac), self._check(iv)):
            raise WrongRecoveryKeyError(
                "The recovery key is not the one of the account's secret storage."
            )

    def encrypted(self, name: SecretName, secret: str, random: RandomBytes) -> JsonObject:
        """The account data of type ``name``."""
        iv = _iv(random)
        aes_key, mac_key = _derived(self.recovery_key, name)
        ciphertext = _aes(aes_key, iv, secret.encode())
        entry = {
            "iv": unpadded.encode(iv),
            "ciphertext": unpadded.encode(ciphertext),
            "mac": unpadded.encode(hmac.digest(mac_key, ciphertext, "sha256")),
        }
        return {"encrypted": {self.key_id: entry}}

    def decrypted(self, name: SecretName, content: JsonObject) -> str | None:
        """The secret in the account data of type ``name``; None: not stored under this key.

        Raises:
            SecretDamagedError: it cannot be read.
        """
        entries = table(content, "encrypted")
        if self.key_id not in entries:
            return None
        entry = table(entries, self.key_id)
        iv, ciphertext, mac = (_bytes(entry, each) for each in ("iv", "ciphertext", "mac"))
        if iv is None or len(iv) != _IV_BYTES or ciphertext is None or mac is None:
            raise SecretDamagedError(f"The stored secret {name} is malformed.")
        aes_key, mac_key = _derived(self.recovery_key, name)
        if not hmac.compare_digest(mac, hmac.digest(mac_key, ciphertext, "sha256")):
            raise SecretDamagedError(f"The stored secret {name} is not what was stored.")
        try:
            return _aes(aes_key, iv, ciphertext).decode("ascii")
        except UnicodeDecodeError:
            raise SecretDamagedError(f"The stored secret {name} is not text.") from None

    def _check(self, iv: bytes) -> str:
        aes_key, mac_key = _derived(self.recovery_key, "")
        return unpadded.encode(hmac.digest(mac_key, _aes(aes_key, iv, _ZEROS), "sha256"))


def _derived(key: RecoveryKey, name: str) -> tuple[bytes, bytes]:
    both = HKDF(algorithm=SHA256(), length=64, salt=_ZEROS, info=name.encode()).derive(key.raw)
    return both[:32], both[32:]


def _aes(key: bytes, iv: bytes, data: bytes) -> bytes:
    stream = Cipher(AES(key), CTR(iv)).encryptor()
    return stream.update(data) + stream.finalize()


def _iv(random: RandomBytes) -> bytes:
    """Bit 63 is zero: some implementations count in 64 bits."""
    iv = bytearray(random(_IV_BYTES))
    iv[8] &= 0x7F
    return bytes(iv)


def _bytes(fields: JsonObject, name: str) -> bytes | None:
    value = text(fields, name)
    return unpadded.decode(value) if value is not None else None
