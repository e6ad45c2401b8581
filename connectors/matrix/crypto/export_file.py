"""Files of exported room keys, as clients write and read them. Pure; blocks for its key's sake.

Text between two lines: base64 of version, salt, initialization vector, number of rounds, the keys
encrypted, and an HMAC of all that (Matrix specification, "Key exports"): PBKDF2 with HMAC-SHA-512,
AES-256-CTR, HMAC-SHA-256. Hundreds of thousands of rounds take seconds: MUST be run in a thread.
"""

from __future__ import annotations

import hmac
from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from bridge.rawjson.fields import decode as decoded
from bridge.rawjson.scan import ScanError, Scanner
from connectors.matrix.crypto.exported_keys import exported, read_exported
from connectors.matrix.crypto.key_refusals import (
    ExportDamagedError,
    ExportRefusedError,
    ExportTooLargeError,
    ExportTruncatedError,
    NotAnExportError,
    WrongPassphraseError,
)
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.values import ExportedKey

HEADER = b"-----BEGIN MEGOLM SESSION DATA-----"
TRAILER = b"-----END MEGOLM SESSION DATA-----"
LARGEST_FILE = 256 * 1024 * 1024
ROUNDS = 500_000
MOST_ROUNDS = 20_000_000
VERSION = 1
LINE_BYTES = 72
PIECE = 256 * 1024
_SALT, _IV, _ROUNDS, _MAC = 16, 16, 4, 32
_HEAD = 1 + _SALT + _IV + _ROUNDS
_KEY = 32
_WHITE = b" \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedKeys:
    """What a file holds. ``unreadable``: entries that are no Megolm keys; they are passed over."""

    keys: tuple[ExportedKey, ...]
    unreadable: int


def encode(
    keys: Iterable[ExportedKey], passphrase: bytes, *, random: RandomBytes, rounds: int = ROUNDS
) -> bytes:
    """The whole file.

    Raises:
        ExportRefusedError: the passphrase is empty, or the file would be too large to be read.
    """
    if not passphrase:
        raise ExportRefusedError(
            "The passphrase is empty.", hint="Give a passphrase that nobody can guess."
        )
    # Key by key, so that other threads have their turn.
    plain = b",".join(msgspec.json.encode(exported(key)) for key in keys)
    return armoured(sealed(b"[" + plain + b"]", passphrase, random=random, rounds=rounds))


def decode(file: bytes, passphrase: bytes) -> ExportedKeys:
    """The keys in a file.

    Raises:
        ExportRefusedError: there are none to be had; see its kinds.
    """
    scanner = Scanner(opened(bare(file), passphrase))
    keys: list[ExportedKey] = []
    unreadable = 0
    try:
        for entry in scanner.elements():
            fields = decoded(entry)
            key = read_exported(fields) if fields is not None else None
            if key is None:
                unreadable += 1
            else:
                keys.append(key)
        scanner.finish()
    except ScanError:
        raise ExportDamagedError("The file holds no list of keys.") from None
    return ExportedKeys(keys=tuple(keys), unreadable=unreadable)


def sealed(plain: bytes, passphrase: bytes, *, random: RandomBytes, rounds: int) -> bytes:
    """``plain`` under the passphrase, as it stands between the two lines before base64."""
    salt, iv = random(_SALT), bytearray(random(_IV))
    # Some implementations count in 64 bits.
    iv[8] &= 0x7F
    aes_key, mac_key = _derived(passphrase, salt, rounds)
    head = bytes([VERSION]) + salt + bytes(iv) + rounds.to_bytes(_ROUNDS, "big")
    body = head + _aes(aes_key, bytes(iv), memoryview(plain))
    return body + _mac(mac_key, memoryview(body))


def opened(body: bytes, passphrase: bytes) -> bytes:
    """What :func:`sealed` was given.

    Raises:
        ExportTruncatedError: it is too short.
        ExportDamagedError: it is of another version, or asks for a number of rounds that nobody
            would have chosen.
        WrongPassphraseError: it does not open.
    """
    if body[:1] not in {b"", bytes([VERSION])}:
        raise ExportDamagedError(f"The file is of version {body[0]}; known is {VERSION}.")
    if len(body) < _HEAD + _MAC:
        raise ExportTruncatedError("The file ends before its keys begin.")
    salt, iv = body[1 : 1 + _SALT], body[1 + _SALT : 1 + _SALT + _IV]
    rounds = int.from_bytes(body[_HEAD - _ROUNDS : _HEAD], "big")
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ExportDamagedError(
            f"The file asks for {rounds} rounds of key derivation; we do at most {MOST_ROUNDS}."
        )
    aes_key, mac_key = _derived(passphrase, salt, rounds)
    whole = memoryview(body)
    if not hmac.compare_digest(_mac(mac_key, whole[:-_MAC]), whole[-_MAC:]):
        raise WrongPassphraseError(
            "The passphrase is not the one of the file, or the file was altered."
        )
    return _aes(aes_key, iv, whole[_HEAD:-_MAC])


def armoured(body: bytes) -> bytes:
    """``body`` in base64 between the two lines.

    Raises:
        ExportTooLargeError: nobody could read it.
    """
    starts = range(0, len(body), LINE_BYTES)
    lines = (b2a_base64(body[start : start + LINE_BYTES], newline=False) for start in starts)
    file = b"\n".join((HEADER, *lines, TRAILER, b""))
    _check_size(len(file))
    return file


def bare(file: bytes) -> bytes:
    """What stands between the two lines. White space and how it is wrapped are nothing.

    Raises:
        NotAnExportError: there is no first line.
        ExportTruncatedError: there is no last line.
        ExportDamagedError: what is between is not base64.
        ExportTooLargeError: it is too large.
    """
    _check_size(len(file))
    header = file.find(HEADER)
    if header < 0:
        raise NotAnExportError("The file holds no exported room keys.")
    start = header + len(HEADER)
    end = file.find(TRAILER, start)
    if end < 0:
        raise ExportTruncatedError("The file does not end as files of exported keys do.")
    try:
        return _from_base64(memoryview(file)[start:end])
    except BinasciiError:
        raise ExportDamagedError("The file is damaged: what it holds is not base64.") from None


def _from_base64(text: memoryview) -> bytes:
    parts: list[bytes] = []
    rest = b""
    for piece in _pieces(text):
        rest += bytes(piece).translate(None, _WHITE)
        whole = len(rest) - len(rest) % 4
        parts.append(a2b_base64(rest[:whole], strict_mode=True))
        rest = rest[whole:]
    rest = rest.rstrip(b"=")
    parts.append(a2b_base64(rest + b"=" * (-len(rest) % 4), strict_mode=True))
    return b"".join(parts)


def _pieces(data: memoryview) -> Iterator[memoryview]:
    """``data`` bit by bit, so that other threads have their turn."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def _check_size(size: int) -> None:
    if size > LARGEST_FILE:
        raise ExportTooLargeError(
            f"The file of exported keys has {size} bytes; at most {LARGEST_FILE} are taken."
        )


def _derived(passphrase: bytes, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
    both = PBKDF2HMAC(algorithm=SHA512(), length=2 * _KEY, salt=salt, iterations=rounds).derive(
        passphrase
    )
    return both[:_KEY], both[_KEY:]


def _mac(key: bytes, data: memoryview) -> bytes:
    mac = hmac.new(key, digestmod="sha256")
    for piece in _pieces(data):
        mac.update(piece)
    return mac.digest()


def _aes(key: bytes, iv: bytes, data: memoryview) -> bytes:
    stream = Cipher(AES(key), CTR(iv)).encryptor()
    return b"".join(stream.update(piece) for piece in _pieces(data))
