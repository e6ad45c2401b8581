"""Files of exported keys: as clients write them, and refused by name where they are none."""

from __future__ import annotations

import hmac
import json
from hashlib import pbkdf2_hmac

import pytest

from connectors.matrix.crypto import export_file
from connectors.matrix.crypto.export_file import armoured, bare, decode, encode, opened, sealed
from connectors.matrix.crypto.exported_keys import exported
from connectors.matrix.crypto.key_refusals import (
    ExportDamagedError,
    ExportRefusedError,
    ExportTooLargeError,
    ExportTruncatedError,
    NotAnExportError,
    WrongPassphraseError,
)
from tests.unit.connectors.matrix.crypto.account_server import Randomness
from tests.unit.connectors.matrix.crypto.sessions import keys

PASSPHRASE = "gr\u00fc\u00df dich".encode()
ROUNDS = 10
# From the tests of the clients that brought the format.
FOREIGN = b"""-----BEGIN MEGOLM SESSION DATA-----
AXNhbHRzYWx0c2FsdHNhbHSIiIiIiIiIiIiIiIiIiIiIAAAACmIRUW2OjZ3L2l6j9h0lHlV3M2dx
cissyYBxjsfsAndErh065A8=
-----END MEGOLM SESSION DATA-----"""


def written(plain: bytes, *, rounds: int = ROUNDS) -> bytes:
    """A file with this content."""
    return armoured(sealed(plain, PASSPHRASE, random=Randomness(), rounds=rounds))


def test_what_another_client_wrote() -> None:
    """The clients' own test vector opens."""
    assert opened(bare(FOREIGN), b"password") == b"plain"


def test_there_and_back() -> None:
    """All keys come back, with the rounds that clients use by default."""
    several = keys(3)
    file = encode(several, PASSPHRASE, random=Randomness())
    read = decode(file, PASSPHRASE)
    assert (list(read.keys), read.unreadable) == (several, 0)
    assert int.from_bytes(bare(file)[33:37], "big") == 500_000
    assert max(len(line) for line in file.splitlines()) <= 96


def test_the_layout_by_another_computation() -> None:
    """Version, salt, vector with bit 63 zero, rounds, ciphertext, MAC: as specified."""
    body = bare(written(b"[]"))
    assert body[0] == 1
    assert not body[17 + 8] & 0x80
    mac_key = pbkdf2_hmac("sha512", PASSPHRASE, body[1:17], ROUNDS, 64)[32:]
    assert hmac.digest(mac_key, body[:-32], "sha256") == body[-32:]
    assert len(body) == 1 + 16 + 16 + 4 + 2 + 32
    vectors = {sealed(b"", b"p", random=lambda n: b"\xff" * n, rounds=1)[17 + 8]}
    assert vectors == {0x7F}


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b" \n\t", b""])
def test_white_space_is_nothing(ending: bytes) -> None:
    """However the text is wrapped, it is the same file."""
    file = b"\xef\xbb\xbf\n" + ending.join(written(b"[]").split(b"\n")) + b"\n\n"
    assert decode(file, PASSPHRASE).keys == ()


def test_an_empty_passphrase_is_refused() -> None:
    """Nothing is written that anybody could open."""
    with pytest.raises(ExportRefusedError, match="empty"):
        encode([], b"", random=Randomness(), rounds=1)


def test_a_wrong_passphrase() -> None:
    """It is named, and so is an altered file, which looks the same."""
    file = written(b"[]")
    with pytest.raises(WrongPassphraseError):
        decode(file, b"wrong")
    body = bytearray(bare(file))
    body[40] ^= 1
    with pytest.raises(WrongPassphraseError):
        decode(armoured(bytes(body)), PASSPHRASE)


@pytest.mark.parametrize("file", [b"", b"\x00\xff" * 50, b"-----BEGIN PGP MESSAGE-----\n", b"[]"])
def test_what_is_no_such_file(file: bytes) -> None:
    """Anything else is named as what it is not."""
    with pytest.raises(NotAnExportError):
        decode(file, PASSPHRASE)


def test_a_truncated_file() -> None:
    """A file whose end is missing is told from one with another passphrase."""
    whole = written(b"[]" * 100)
    for end in (40, len(whole) // 2, len(whole) - 20):
        with pytest.raises(ExportTruncatedError):
            decode(whole[:end], PASSPHRASE)
    for body in (b"", bare(whole)[:68]):
        with pytest.raises(ExportTruncatedError):
            decode(armoured(body), PASSPHRASE)


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before any work is done, and never written."""
    file = written(b"[]")
    monkeypatch.setattr(export_file, "LARGEST_FILE", len(file) - 1)
    with pytest.raises(ExportTooLargeError, match=str(len(file))):
        decode(file, PASSPHRASE)
    with pytest.raises(ExportTooLargeError):
        written(b"[]")


@pytest.mark.parametrize("rounds", [0, 20_000_001, 2**32 - 1])
def test_rounds_that_nobody_chose(rounds: int) -> None:
    """A number of rounds that would keep us busy for minutes is refused at once."""
    body = bytearray(bare(written(b"[]")))
    body[33:37] = rounds.to_bytes(4, "big")
    with pytest.raises(ExportDamagedError, match="rounds"):
        decode(armoured(bytes(body)), PASSPHRASE)


def test_another_version_and_what_is_not_base64() -> None:
    """Both are named."""
    body = b"\x02" + bare(written(b"[]"))[1:]
    with pytest.raises(ExportDamagedError, match="version 2"):
        decode(armoured(body), PASSPHRASE)
    for damage in (b"\n\xc3\xa9", b"\n*"):
        with pytest.raises(ExportDamagedError, match="base64"):
            decode(written(b"[]").replace(b"\nAQ", damage + b"AQ", 1), PASSPHRASE)


@pytest.mark.parametrize("plain", [b"", b"{}", b"[", b"\xff", b"[" * 100_000])
def test_content_that_is_no_list(plain: bytes) -> None:
    """What opens and holds no list of keys is named."""
    with pytest.raises(ExportDamagedError, match="no list"):
        decode(written(plain), PASSPHRASE)


def test_entries_that_are_no_keys() -> None:
    """They are counted, and cost their neighbours nothing."""
    several = keys(2)
    entries = [exported(several[0]), 5, [], {}, {"algorithm": "m.other"}, exported(several[1])]
    read = decode(written(json.dumps(entries).encode()), PASSPHRASE)
    assert (list(read.keys), read.unreadable) == (several, 4)


def test_no_refusal_repeats_a_secret() -> None:
    """Neither the passphrase nor a key stands in what is said or shown."""
    [key] = keys(1)
    with pytest.raises(ExportRefusedError) as refusal:
        decode(encode([key], PASSPHRASE, random=Randomness(), rounds=1), b"secret words")
    assert "secret words" not in str(refusal.value)
    assert key.session_key not in repr(decode(written(b"[]"), PASSPHRASE)) + repr(key)
