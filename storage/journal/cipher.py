"""Values at rest: MessagePack under AES-256-GCM with the journal key.

Platforms send lone surrogates and integers of any length, which MessagePack cannot carry. Such a
value is sealed as ASCII JSON instead: a hostile event must not keep its neighbours out.

Each value is bound to the row and the column it stands in, so that swapping two of them in the
file is noticed as damage.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.errors import JournalKeyError

T = TypeVar("T")
NONCE = 12
JSON_BEGINS = frozenset({b"{", b'"'})
"""In MessagePack these begin the integers 123 and 34; no integer is ever sealed alone."""


class JournalCipher:
    """Seals and opens values. ``key`` is 32 bytes; ``random_bytes`` draws nonces."""

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._aead = AESGCM(key)
        self._random = random_bytes
        self._encoder = msgspec.msgpack.Encoder()
        self._decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}

    def seal(self, value: object, *, column: str, row: bytes) -> bytes:
        """``value`` encoded and encrypted for one place in the journal."""
        try:
            data = self._encoder.encode(value)
        except (UnicodeEncodeError, OverflowError):
            data = _as_json(value)
        return self.seal_bytes(data, column=column, row=row)

    def seal_bytes(self, data: bytes, *, column: str, row: bytes) -> bytes:
        """``data`` encrypted for one place in the journal."""
        nonce = self._random(NONCE)
        return nonce + self._aead.encrypt(nonce, data, column.encode() + row)

    def open(self, sealed: bytes, shape: type[T], *, column: str, row: bytes) -> T:
        """The value of type ``shape``.

        Raises:
            JournalKeyError: wrong key, or the bytes were altered.
        """
        decoder = self._decoders.get(shape)
        if decoder is None:
            decoder = self._decoders[shape] = msgspec.msgpack.Decoder(shape)
        data = self.open_bytes(sealed, column=column, row=row)
        if data[:1] in JSON_BEGINS:
            return msgspec.convert(json.loads(data), shape)
        value = decoder.decode(data)
        assert isinstance(value, shape)  # noqa: S101 - the decoder was made for this shape
        return value

    def open_bytes(self, sealed: bytes, *, column: str, row: bytes) -> bytes:
        """The bytes.

        Raises:
            JournalKeyError: wrong key, or the bytes were altered.
        """
        try:
            return self._aead.decrypt(sealed[:NONCE], sealed[NONCE:], column.encode() + row)
        except (InvalidTag, ValueError):
            raise JournalKeyError(
                f"A value in the journal ({column}) does not open with this journal key."
            ) from None


def _as_json(value: object) -> bytes:
    """``value`` as JSON with everything but ASCII escaped."""
    return json.dumps(msgspec.to_builtins(value)).encode("ascii")
