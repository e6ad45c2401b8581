"""Secrets in the account data, as other implementations write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto import unpadded
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.refusals import SecretDamagedError, WrongRecoveryKeyError
from connectors.matrix.crypto.secret_storage import (
    ALGORITHM,
    SecretName,
    StorageKey,
    default_key,
    default_key_id,
    description_type,
    key_ids,
)
from tests.unit.connectors.matrix.crypto.account_server import Randomness

# Published in the tests of two other implementations, in Rust and in Python.
DESCRIBED = [
    (
        "EsTj 3yST y93F SLpB jJsz eAXc 2XzA ygD3 w69H fGaN TKBj jXEd",
        "xv5b6/p3ExEw++wTyfSHEg==",
        "ujBBbXahnTAMkmPUX2/0+VTfUh63pGyVRuBcDMgmJC8=",
    ),
    (
        "EsTE s92N EtaX s2h6 VQYF 9Kao tHYL mkyL GKMh isZb KJ4E tvoC",
        "xxkTK0L4UzxgAFkQ6XPwsw",
        "MEhooO0ZhFJNxUhvRMSxBnJfL20wkLgle3ocY0ee/eA",
    ),
    (
        "EsUC xSxt XJgQ dz19 8WBZ rHdE GZo7 ybsn EFmG Y5HY MDAG GNWe",
        "O0BOvTqiIAYjC+RMcyHfWw==",
        "7k6OruQlWg0UmQjxGZ0ad4Q6DdwkgnoI7G6X3IjBYtI=",
    ),
]
STORED_ID = "gEJqbfSEMnP5JXXcukpXEX1l0aI3MDs0"
STORED: JsonObject = {
    "encrypted": {
        STORED_ID: {
            "iv": "BpKP9nQJTE9jrsAssoxPqQ==",
            "ciphertext": "fNRiiiidezjerTgV+G6pUtmeF3izzj5re/mVvY0hO2kM6kYGrxLuIu2ej80=",
            "mac": "/gWGDGMyOLmbJp+aoSLh5JxCs0AdS6nAhjzpe+9G2Q0=",
        }
    }
}
STORED_SEED = "68f97fd1922eecf6b82bb890d24d0652984e7a1d703b9e867b7ebaf7feb95b6f"
KEY = StorageKey(key_id=STORED_ID, recovery_key=RecoveryKey.parse(DESCRIBED[1][0]))
OTHER = StorageKey(key_id=STORED_ID, recovery_key=RecoveryKey(raw=bytes(32)))


def _described(iv: object, mac: object) -> JsonObject:
    return {"algorithm": ALGORITHM, "iv": iv, "mac": mac}


def _changed(**members: object) -> JsonObject:
    entry = table(table(STORED, "encrypted"), STORED_ID)
    return {"encrypted": {STORED_ID: entry | members}}


@pytest.mark.parametrize(("key", "iv", "mac"), DESCRIBED)
def test_published_descriptions(key: str, iv: str, mac: str) -> None:
    """A key fits the description that another client stored, and no other key does."""
    description = _described(iv, mac)
    StorageKey(key_id="any", recovery_key=RecoveryKey.parse(key)).check(description)
    with pytest.raises(WrongRecoveryKeyError):
        OTHER.check(description)


def test_a_published_secret() -> None:
    """A secret that another client stored is read."""
    secret = KEY.decrypted(SecretName.MASTER, STORED)
    assert secret is not None
    seed = unpadded.decode(secret)
    assert seed is not None
    assert seed.hex() == STORED_SEED


@pytest.mark.parametrize(
    ("key", "name", "content"),
    [
        (OTHER, SecretName.MASTER, STORED),
        (KEY, SecretName.SELF_SIGNING, STORED),
        (KEY, SecretName.MASTER, _changed(mac="AAAA")),
        (KEY, SecretName.MASTER, _changed(ciphertext="AAAA")),
        (KEY, SecretName.MASTER, _changed(ciphertext=3)),
        (KEY, SecretName.MASTER, _changed(iv="BpKP9nQJTE9jrsAssoxP")),
        (KEY, SecretName.MASTER, _changed(iv="not base64!")),
        (KEY, SecretName.MASTER, _changed(iv="AAAAAAAAAAAAAAAAAAAAAA==")),
        (KEY, SecretName.MASTER, {"encrypted": {STORED_ID: []}}),
    ],
)
def test_what_cannot_be_read_is_named(
    key: StorageKey, name: SecretName, content: JsonObject
) -> None:
    """Another key, another name or other bytes: one error, without the secret."""
    with pytest.raises(SecretDamagedError, match=name):
        key.decrypted(name, content)


@pytest.mark.parametrize("content", [{}, {"encrypted": {}}, {"encrypted": {"other": {}}}])
def test_a_secret_under_no_key_of_ours(content: JsonObject) -> None:
    """What is not stored under this key is not there for it."""
    assert KEY.decrypted(SecretName.MASTER, content) is None


@given(secret=st.text(alphabet=st.characters(codec="ascii"), max_size=100))
def test_what_is_stored_is_read(secret: str) -> None:
    """Every secret comes back under its name."""
    content = KEY.encrypted(SecretName.BACKUP, secret, Randomness())
    assert KEY.decrypted(SecretName.BACKUP, content) == secret
    assert key_ids(content) == (STORED_ID,)


def test_our_description_fits_our_key() -> None:
    """Others can check the key against what we store; bit 63 of the iv is never set."""
    key = StorageKey.own(RecoveryKey(raw=bytes(32)))
    description = key.description(lambda size: b"\xff" * size)
    key.check(description)
    iv = unpadded.decode(text(description, "iv") or "")
    assert iv == b"\xff" * 8 + b"\x7f" + b"\xff" * 7
    with pytest.raises(WrongRecoveryKeyError):
        KEY.check(description)


def test_the_id_follows_from_the_key() -> None:
    """Begun again with the same key the storage has the same id; with another, another."""
    key = RecoveryKey(raw=bytes(32))
    assert StorageKey.own(key).key_id == StorageKey.own(key).key_id
    assert StorageKey.own(key).key_id != StorageKey.own(KEY.recovery_key).key_id
    assert "recovery" not in repr(StorageKey.own(key))


def test_a_description_without_a_check() -> None:
    """Without iv and mac the key is taken for the right one, as the specification says."""
    OTHER.check({"algorithm": ALGORITHM})


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"algorithm": "m.secret_storage.v1.curve25519-aes-sha2"},
        _described("O0BOvTqiIAYjC+RMcyHfWwMeowMeowMeow", DESCRIBED[2][2]),
        _described("AAAA", DESCRIBED[2][2]),
        _described(None, DESCRIBED[2][2]),
        _described(DESCRIBED[2][1], 7),
        _described(DESCRIBED[2][1], "not base64!"),
    ],
)
def test_a_damaged_description(description: JsonObject) -> None:
    """What cannot be read is no proof that the recovery key is wrong, and is named otherwise."""
    with pytest.raises(SecretDamagedError):
        KEY.check(description)


def test_the_default_key() -> None:
    """Which key is the default is read as it is written."""
    assert default_key_id(default_key("abc")) == "abc"
    assert default_key_id(None) is None
    assert default_key_id({}) is None
    assert default_key_id({"key": 3}) is None
    assert key_ids(None) == ()
    assert description_type("abc") == "m.secret_storage.key.abc"


@pytest.mark.parametrize(
    ("data", "encoded"),
    [(b"", ""), (b"f", "Zg"), (b"foob", "Zm9vYg"), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy")],
)
def test_unpadded_base64(data: bytes, encoded: str) -> None:
    """The examples of the specification, with and without padding."""
    assert unpadded.encode(data) == encoded
    assert unpadded.decode(encoded) == data
    assert unpadded.decode(encoded + "=" * (-len(encoded) % 4)) == data


@pytest.mark.parametrize("encoded", ["Z", "Zg-_", "Z g", "é", "Zg\n"])
def test_what_is_no_base64(encoded: str) -> None:
    """Other alphabets, spaces and impossible lengths are refused."""
    assert unpadded.decode(encoded) is None
