"""What we encrypt others decrypt, and the other way about; what is damaged says so."""

from __future__ import annotations

import errno
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrage import x25519

from bridge.errors import ConfigError
from storage.backups import age

IDENTITY = x25519.Identity.generate()
PLAIN = bytes(range(256)) * 1200
"""More than four of the pieces that age makes."""


def encrypted(plain: bytes = PLAIN) -> bytes:
    """Encrypted to the identity, in uneven pieces."""
    sink = io.BytesIO()
    age.encrypt(
        iter((plain[:1], b"", plain[1:100_000], plain[100_000:])), sink, IDENTITY.to_public()
    )
    return sink.getvalue()


def decrypted(data: bytes, identity: age.Identity = IDENTITY) -> bytes:
    """What the identity opens."""
    sink = io.BytesIO()
    age.decrypt(io.BytesIO(data), sink, [identity])
    return sink.getvalue()


def test_it_comes_back() -> None:
    """Byte for byte."""
    assert decrypted(encrypted()) == PLAIN
    assert decrypted(encrypted(b"")) == b""


def test_the_tool_of_others_opens_it(tmp_path: Path) -> None:
    """Debian's age, with an identity file as age-keygen writes it."""
    made = subprocess.run(["age-keygen"], capture_output=True, check=True, text=True).stdout
    (identity,) = age.identities_of(made, name="identity.txt")
    (tmp_path / "identity.txt").write_text(made)
    sink = io.BytesIO()
    age.encrypt(iter((PLAIN,)), sink, identity.to_public())
    opened = subprocess.run(
        ["age", "-d", "-i", str(tmp_path / "identity.txt")],
        input=sink.getvalue(),
        capture_output=True,
        check=True,
    )
    assert opened.stdout == PLAIN


def test_what_the_tool_of_others_made_is_opened() -> None:
    """So a back-up can be encrypted anew, to another recipient."""
    made = subprocess.run(
        ["age", "-r", str(IDENTITY.to_public())], input=PLAIN, capture_output=True, check=True
    )
    assert decrypted(made.stdout) == PLAIN


@pytest.mark.parametrize("cut", [0, 1, 30, 150, 400, 70_000, 200_000, -17, -1])
def test_what_is_cut_off_is_refused(cut: int) -> None:
    """Wherever it ends, the end included."""
    with pytest.raises(ConfigError):
        decrypted(encrypted()[:cut])


@pytest.mark.parametrize("at", [0, 25, 120, 400, 70_000, 200_000, -1])
def test_one_flipped_bit_is_refused(at: int) -> None:
    """Wherever it stands."""
    data = bytearray(encrypted())
    data[at] ^= 1
    with pytest.raises(ConfigError):
        decrypted(bytes(data))


def test_another_identity_is_told() -> None:
    """So that one looks for the right one, and not for another copy."""
    with pytest.raises(ConfigError, match="another recipient"):
        decrypted(encrypted(), x25519.Identity.generate())


@pytest.mark.parametrize(
    "text",
    ["", "age1", "age1examplerecipient", "ssh-ed25519 AAAA", str(IDENTITY)],
    ids=["nothing", "short", "invented", "ssh", "the secret"],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    """A secret that stands in its place is not repeated."""
    with pytest.raises(ConfigError, match="no age recipient") as raised:
        age.recipient_of(text)
    assert str(IDENTITY) not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "age1abc", "AGE-SECRET-KEY-1NONSENSE"])
def test_what_is_no_identity_is_refused(text: str) -> None:
    """By the file's name, without a word of it."""
    with pytest.raises(ConfigError, match=r"identity\.txt") as raised:
        age.identities_of(text, name="identity.txt")
    assert "NONSENSE" not in str(raised.value) + raised.value.hint


def test_a_full_disk_is_told_as_it_is() -> None:
    """Not as what the library makes of it."""
    with Path("/dev/full").open("wb", buffering=0) as sink, pytest.raises(OSError) as raised:  # noqa: PT011 - its number is asked for
        age.encrypt(iter((PLAIN,)), sink, IDENTITY.to_public())
    assert raised.value.errno == errno.ENOSPC
    with Path("/dev/full").open("wb", buffering=0) as sink, pytest.raises(OSError) as raised:  # noqa: PT011
        age.decrypt(io.BytesIO(encrypted()), sink, [IDENTITY])
    assert raised.value.errno == errno.ENOSPC


def test_what_fails_while_it_is_read_is_told_as_it_is() -> None:
    """An interruption too."""

    def chunks() -> Iterator[bytes]:
        yield PLAIN
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        age.encrypt(chunks(), io.BytesIO(), IDENTITY.to_public())
