"""Attachments of encrypted rooms, decrypted on their way in.

AES-256-CTR with a key of their own, which stands in the event beside the SHA-256 of the
ciphertext (Matrix specification, "Sending encrypted attachments"). The hash can only be checked
when all has passed: until :meth:`DecryptedDownload.chunks` ends without an error, nothing that it
gave may be used.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from bridge.errors import CanonicalError, ConnectorRejectedError
from bridge.protocols import Download
from bridge.rawjson.fields import JsonObject, decode, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.signed_json import canonical

KEY_BYTES = 32
IV_BYTES = 16
HASH_BYTES = 32
BLOCK_BYTES = 16
LONGEST_TEXT = 256
ALGORITHM = "A256CTR"
VERSIONS = frozenset({None, "v1", "v2"})
"""Those that clients read. Without a version the counter has 128 bits, for all clients."""

_STANDARD = str.maketrans("-_", "+/")
_HINT = "Nothing can be done here: the sender's client made it so. The event itself is kept."


class AttachmentRefusedError(ConnectorRejectedError):
    """An encrypted attachment that can never be decrypted. No message holds a key."""

    hint = _HINT


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentSecret:
    """What one attachment is decrypted and checked with. The key stays out of its text."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    sha256: bytes
    version: str | None = None

    @classmethod
    def parse(cls, secret: bytes) -> Self:
        """Read what :func:`secret_of` gave.

        Raises:
            AttachmentRefusedError: it lacks something, or is of a kind that we do not know.
        """
        fields = decode(secret)
        if fields is None:
            raise AttachmentRefusedError("The attachment's key cannot be read.")
        if text(fields, "v") not in VERSIONS:
            raise AttachmentRefusedError("The attachment is encrypted in an unknown way.")
        if text(table(fields, "key"), "alg") not in {None, ALGORITHM}:
            raise AttachmentRefusedError("The attachment's key is for another algorithm.")
        return cls(
            version=text(fields, "v"),
            key=_exactly(_bytes(table(fields, "key"), "k"), KEY_BYTES, "key"),
            iv=_exactly(_bytes(fields, "iv"), IV_BYTES, "initialization vector"),
            sha256=_exactly(_bytes(table(fields, "hashes"), "sha256"), HASH_BYTES, "hash"),
        )

    def check_length(self, size: int) -> None:
        """That the counter stays within 64 bits: beyond, clients do not agree what is clear.

        Raises:
            AttachmentRefusedError: it does not.
        """
        blocks = (1 << 64) - int.from_bytes(self.iv[8:], "big")
        if self.version is not None and size > blocks * BLOCK_BYTES:
            raise AttachmentRefusedError("The attachment's counter runs over.")


def secret_of(file: JsonObject) -> bytes | None:
    """``Attachment.secret`` of the ``file`` of an event; None where it says nothing of a key.

    What is malformed is kept, as far as it is text of a sensible length, and refused when the
    file is fetched: a file that is said to be encrypted MUST NOT be taken for a clear one.
    """
    if not any(name in file for name in ("key", "iv", "hashes")):
        return None
    key, hashes = table(file, "key"), table(file, "hashes")
    kept: JsonObject = {
        "key": _texts(key, "alg", "k"),
        "hashes": _texts(hashes, "sha256"),
        **_texts(file, "iv", "v"),
    }
    if "v" in file and "v" not in kept:
        kept["v"] = ""
    try:
        return canonical(kept)
    except CanonicalError:
        return canonical({})


def decrypting(download: Download, secret: bytes) -> Download:
    """``download`` with its bytes decrypted by ``secret``; it owns ``download`` from then on.

    Raises:
        AttachmentRefusedError: ``secret`` is malformed. ``download`` is still the caller's.
    """
    return DecryptedDownload(download, AttachmentSecret.parse(secret))


class DecryptedDownload:
    """See :class:`bridge.protocols.Download`. Memory is bounded by the chunks that come in.

    ``size``: that of the ciphertext, which is that of the clear bytes too.
    """

    def __init__(self, download: Download, secret: AttachmentSecret) -> None:
        self._download = download
        self._secret = secret
        self.size = download.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The clear bytes in order; MUST be dropped unless the iteration ends by itself.

        Raises:
            AttachmentRefusedError: the bytes are not those that the event names.
            ConnectorUnavailableError: the transfer broke; it may be tried again.
        """
        stream = Cipher(AES(self._secret.key), CTR(self._secret.iv)).decryptor()
        digest = hashlib.sha256()
        size = 0
        async for chunk in self._download.chunks():
            size += len(chunk)
            self._secret.check_length(size)
            digest.update(chunk)
            yield stream.update(chunk)
        if not hmac.compare_digest(digest.digest(), self._secret.sha256):
            raise AttachmentRefusedError("The attachment is not the one that the event names.")

    async def aclose(self) -> None:
        """Give up the transfer, finished or not."""
        await self._download.aclose()


def _texts(fields: JsonObject, *names: str) -> JsonObject:
    found = {name: text(fields, name) for name in names}
    return {
        name: value
        for name, value in found.items()
        if value is not None and len(value) <= LONGEST_TEXT
    }


def _bytes(fields: JsonObject, name: str) -> bytes | None:
    """Base64 of either alphabet: JSON Web Keys have the one, all else in Matrix the other."""
    value = text(fields, name)
    return unpadded.decode(value.translate(_STANDARD)) if value is not None else None


def _exactly(value: bytes | None, size: int, name: str) -> bytes:
    if value is None or len(value) != size:
        raise AttachmentRefusedError(f"The attachment's {name} is malformed.")
    return value
