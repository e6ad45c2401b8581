"""Room keys under a backup's key, as clients encrypt and decrypt them."""

from __future__ import annotations

import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.backup_key import BackupKey
from connectors.matrix.crypto.exported_keys import session_data
from connectors.matrix.crypto.unpadded import decode, encode
from connectors.matrix.crypto.values import ExportedKey, KeyRow
from tests.unit.connectors.matrix.crypto.account_server import Randomness
from tests.unit.connectors.matrix.crypto.sessions import FORWARDER, ROOM, Sender

BACKUP = BackupKey(raw=bytes(range(32)))
KEY = Sender().key(forwarders=(FORWARDER,))
ROW = KeyRow(id=7, key=KEY, first_index=0, is_trusted=True)


def derived(secret: bytes) -> tuple[bytes, bytes, bytes]:
    """Encryption key, MAC key and vector, as the specification derives them."""
    data = HKDF(algorithm=SHA256(), length=80, salt=bytes(32), info=b"").derive(secret)
    return data[:32], data[32:64], data[64:]


def raw(fields: JsonObject, name: str) -> bytes:
    """The bytes of a field."""
    found = decode(text(fields, name) or "")
    assert found is not None
    return found


def entry(
    plain: bytes, *, public: str = BACKUP.public, mac_of: bytes = b"", mac_bytes: int = 8
) -> JsonObject:
    """What another implementation would put into the backup."""
    ephemeral = X25519PrivateKey.from_private_bytes(bytes(range(100, 132)))
    backup = X25519PublicKey.from_public_bytes(decode(public) or b"")
    aes_key, mac_key, iv = derived(ephemeral.exchange(backup))
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    stream = Cipher(AES(aes_key), CBC(iv)).encryptor()
    ciphertext = stream.update(padded) + stream.finalize()
    return {
        "first_message_index": 0,
        "forwarded_count": 0,
        "is_verified": True,
        "session_data": {
            "ephemeral": encode(ephemeral.public_key().public_bytes_raw()),
            "ciphertext": encode(ciphertext),
            "mac": encode(hmac.digest(mac_key, mac_of, "sha256")[:mac_bytes]),
        },
    }


def read(data: JsonObject) -> ExportedKey | None:
    """The key of our session in an entry."""
    return BACKUP.decrypted(data, room_id=ROOM, session_id=KEY.session_id)


def test_what_we_write_by_another_computation() -> None:
    """The specification's steps, done apart, open what we write; its MAC is of nothing."""
    written = BACKUP.encrypted(ROW)
    data = table(written, "session_data")
    own = X25519PrivateKey.from_private_bytes(BACKUP.raw)
    secret = own.exchange(X25519PublicKey.from_public_bytes(raw(data, "ephemeral")))
    aes_key, mac_key, iv = derived(secret)
    stream = Cipher(AES(aes_key), CBC(iv)).decryptor()
    padded = stream.update(raw(data, "ciphertext")) + stream.finalize()
    unpadder = PKCS7(128).unpadder()
    plain = unpadder.update(padded) + unpadder.finalize()
    assert json.loads(plain) == session_data(KEY)
    assert raw(data, "mac") == hmac.digest(mac_key, b"", "sha256")[:8]
    assert written["first_message_index"] == 0
    assert written["forwarded_count"] == 1
    assert written["is_verified"] is False


def test_what_another_implementation_writes() -> None:
    """It is read, and so is what we write."""
    plain = json.dumps(session_data(KEY)).encode()
    assert read(entry(plain)) == KEY
    assert read(BACKUP.encrypted(ROW)) == KEY


def test_the_public_key_by_another_computation() -> None:
    """It belongs to the private one."""
    own = X25519PrivateKey.from_private_bytes(BACKUP.raw)
    assert BACKUP.public == encode(own.public_key().public_bytes_raw())


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"session_data": "x"},
        {"session_data": {"ephemeral": "", "ciphertext": "", "mac": ""}},
        {"session_data": {"ephemeral": encode(bytes(32)), "ciphertext": "AA", "mac": "AA"}},
        entry(b"{}"),
        entry(b"\xff"),
        entry(b"[1]"),
        entry(json.dumps(session_data(Sender().key())).encode()),
        entry(json.dumps(session_data(KEY)).encode(), public=BackupKey(raw=b"\1" * 32).public),
        entry(json.dumps(session_data(KEY)).encode(), mac_of=b"not what clients do"),
        entry(json.dumps(session_data(KEY) | {"more": "x" * 50_000}).encode()),
    ],
)
def test_what_cannot_be_read(data: JsonObject) -> None:
    """Anything malformed, of another session or under another key is no key."""
    assert read(data) is None


def test_every_damage_to_an_entry_is_survived() -> None:
    """Whatever byte is cut or changed, reading gives a key or nothing."""
    written = BACKUP.encrypted(ROW)
    data = table(written, "session_data")
    for name in ("ephemeral", "ciphertext", "mac"):
        whole = raw(data, name)
        for place in range(0, len(whole), 5):
            for damaged in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
                changed: JsonObject = {"session_data": data | {name: encode(damaged)}}
                assert read(changed) in {None, KEY}


def test_the_stored_secret() -> None:
    """It is read as it was written; what is no key is none."""
    key = BackupKey.make(Randomness())
    assert BackupKey.parse(key.text()) == key
    for wrong in ("", "!", encode(bytes(31)), encode(bytes(33)), "\u00e9"):
        assert BackupKey.parse(wrong) is None
    assert key.text() not in repr(key)
    assert repr(key.raw) not in repr(key)
