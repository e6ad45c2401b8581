"""Encrypted attachments come in clear, or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.protocols import Download
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto.attachments import AttachmentRefusedError, decrypting, secret_of
from connectors.matrix.crypto.unpadded import decode, encode

ONES = "__________________________________________8"
LETTERS = b"alphanumerically" * 4
# Those that the clients' own tests hold: ciphertext, key, iv, SHA-256, clear, version.
VECTORS = [
    (
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        b"",
        "v2",
    ),
    (
        "5xJZTt5cQicm+9f4",
        ONES,
        "//////////8AAAAAAAAAAA",
        "YzF08lARDdOCzJpzuSwsjTNlQc4pHxpdHcXiD/wpK6k",
        b"Hello, World",
        "v1",
    ),
    (
        "zhtFStAeFx0s+9L/sSQO+WQMtldqYEHqTxMduJrCIpnkyer09kxJJuA4K+adQE4w+7jZe/vR9kIcqj9rOhDR8Q",
        ONES,
        "//////////8AAAAAAAAAAA",
        "IOq7/dHHB+mfHfxlRY5XMeCWEwTPmlf4cJcgrkf6fVU",
        LETTERS,
        "v2",
    ),
    (
        "tJVNBVJ/vl36UQt4Y5e5myqUL3M8OtjRVQljZ+LlwbJeucRIM7CeKDJGGOjlJ1bqpqUdl6zytXJ3dCyvnUi4eQ",
        ONES,
        "/////////////////////w",
        "/K4w3G4zlLK312k66KxNPKDkWCn2QAH5aphAkuncTrQ",
        LETTERS,
        None,
    ),
]


class Transfer:
    """See :class:`bridge.protocols.Download`."""

    def __init__(self, data: bytes, *, chunk: int = 7, breaks_at: int | None = None) -> None:
        self.size: int | None = len(data)
        self.is_closed = False
        self._data = data
        self._chunk = chunk
        self._breaks_at = breaks_at

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, as far as the transfer holds."""
        for start in range(0, len(self._data), self._chunk):
            if self._breaks_at is not None and start >= self._breaks_at:
                raise ConnectorUnavailableError("broken")
            yield self._data[start : start + self._chunk]

    async def aclose(self) -> None:
        """Close it."""
        self.is_closed = True


def file(*, key: str, iv: str, sha256: str, v: str | None = "v2") -> JsonObject:
    """The ``file`` of an event."""
    fields: JsonObject = {
        "url": "mxc://dept.example/file",
        "key": {
            "kty": "oct",
            "key_ops": ["encrypt", "decrypt"],
            "alg": "A256CTR",
            "k": key,
            "ext": True,
        },
        "iv": iv,
        "hashes": {"sha256": sha256},
    }
    return fields if v is None else fields | {"v": v}


def hello() -> JsonObject:
    """The ``file`` of the second vector."""
    _, key, iv, sha256, _, _ = VECTORS[1]
    return file(key=key, iv=iv, sha256=sha256)


def secret(fields: JsonObject) -> bytes:
    """Its secret, which it has."""
    found = secret_of(fields)
    assert found is not None
    return found


async def read(download: Download) -> bytes:
    """All of it."""
    return b"".join([chunk async for chunk in download.chunks()])


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
async def test_what_clients_encrypt(vector: tuple[str, str, str, str, bytes, str | None]) -> None:
    """The vectors of other clients come out clear, in whatever pieces they arrive."""
    ciphertext, key, iv, sha256, clear, v = vector
    data = decode(ciphertext)
    assert data is not None
    kept = secret(file(key=key, iv=iv, sha256=sha256, v=v))
    for chunk in (1, 16, 1000):
        assert await read(decrypting(Transfer(data, chunk=chunk), kept)) == clear


async def test_the_size_and_the_transfer_are_those_of_the_ciphertext() -> None:
    """The declared size is passed on, and closing closes the transfer."""
    transfer = Transfer(b"0123456789ab")
    download = decrypting(transfer, secret(hello()))
    assert download.size == 12
    await download.aclose()
    assert transfer.is_closed


async def test_another_file_is_refused_for_good() -> None:
    """One changed byte, one missing and one too many are found before the end is reached."""
    data = decode(VECTORS[1][0])
    assert data is not None
    for wrong in (bytes([data[0] ^ 1]) + data[1:], data[:-1], data + b"\0", b""):
        with pytest.raises(ConnectorRejectedError, match="not the one") as refusal:
            await read(decrypting(Transfer(wrong), secret(hello())))
        assert not refusal.value.retryable


async def test_a_broken_transfer_may_be_tried_again() -> None:
    """That the transfer broke is told as it is."""
    with pytest.raises(ConnectorUnavailableError):
        await read(decrypting(Transfer(bytes(100), breaks_at=50), secret(hello())))


async def test_a_counter_on_which_clients_differ() -> None:
    """What runs over 64 bits is clear to some clients and noise to others: refused."""
    fields = hello() | {"iv": encode(b"\xff" * 16)}
    with pytest.raises(AttachmentRefusedError, match="runs over"):
        await read(decrypting(Transfer(bytes(17)), secret(fields)))


def changed(*path: str, to: object) -> bytes:
    """The secret of a file with one value replaced; None takes it away."""
    fields: JsonObject = json.loads(json.dumps(hello()))
    place = fields
    for name in path[:-1]:
        inner = place[name]
        assert isinstance(inner, dict)
        place = inner
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return secret(fields)


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        changed("key", "k", to=encode(bytes(31))),
        changed("key", "k", to=encode(bytes(33))),
        changed("key", "k", to="!" * 43),
        changed("key", "k", to="A" * 100_000),
        changed("key", "k", to=[1]),
        changed("key", "k", to=None),
        changed("key", "alg", to="A128CTR"),
        changed("key", to=None),
        changed("iv", to=encode(bytes(12))),
        changed("iv", to=7),
        changed("iv", to="\ud800"),
        changed("hashes", "sha256", to=encode(bytes(20))),
        changed("hashes", to={"sha512": encode(bytes(64))}),
        changed("v", to="v3"),
        changed("v", to=2),
    ],
)
def test_malformed_secrets_are_refused_at_once(malformed: bytes) -> None:
    """They are told by name before anything is fetched, and repeat nothing of a key."""
    with pytest.raises(AttachmentRefusedError) as refusal:
        decrypting(Transfer(b"x"), malformed)
    assert ONES not in str(refusal.value)
    assert len(malformed) < 1000


def test_what_is_kept_of_an_event() -> None:
    """Only what decryption needs, always in the same bytes; nothing where there is no key."""
    kept = secret(hello() | {"mimetype": "image/png", "extra": {"a": [1]}})
    assert kept == secret(hello())
    assert json.loads(kept) == {
        "hashes": {"sha256": VECTORS[1][3]},
        "iv": VECTORS[1][2],
        "key": {"alg": "A256CTR", "k": ONES},
        "v": "v2",
    }
    assert secret_of({"url": "mxc://dept.example/file"}) is None


async def test_either_alphabet_is_read() -> None:
    """A key that a client wrote in the other alphabet, padded, opens the file all the same."""
    key = bytes(range(224, 256))
    iv = bytes(16)
    stream = Cipher(AES(key), CTR(iv)).encryptor()
    data = stream.update(b"minutes of the meeting")
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
    fields = file(
        key=base64.b64encode(key).decode(), iv=base64.b64encode(iv).decode(), sha256=digest
    )
    clear = await read(decrypting(Transfer(data), secret(fields)))
    assert clear == b"minutes of the meeting"
