"""The recovery key as people write it down, and its file."""

from __future__ import annotations

import os
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from connectors.matrix.crypto.key_file import KeyFile
from connectors.matrix.crypto.recovery_key import (
    RecoveryKey,
    _to_base58,
    read_key,
    write_key,
)
from connectors.matrix.crypto.refusals import RecoveryKeyFormatError

# Published in the tests of two other implementations, in Rust and in Python.
PUBLISHED = [
    "EsTj 3yST y93F SLpB jJsz eAXc 2XzA ygD3 w69H fGaN TKBj jXEd",
    "EsTE s92N EtaX s2h6 VQYF 9Kao tHYL mkyL GKMh isZb KJ4E tvoC",
    "EsUC xSxt XJgQ dz19 8WBZ rHdE GZo7 ybsn EFmG Y5HY MDAG GNWe",
]
KEY = RecoveryKey(raw=bytes(range(32)))


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("published", PUBLISHED)
def test_published_keys(published: str) -> None:
    """Keys that others made are read, and written as they wrote them."""
    key = RecoveryKey.parse(published)
    assert key.text() == published
    assert RecoveryKey.parse(published.replace(" ", "")) == key
    assert RecoveryKey.parse(f"\n {published.replace(' ', '  ')}\t\n") == key


@given(raw=st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(raw: bytes) -> None:
    """Every key comes back, and has twelve groups of four."""
    text = RecoveryKey(raw=raw).text()
    assert RecoveryKey.parse(text).raw == raw
    assert [len(group) for group in text.split()] == [4] * 12


def test_a_new_key_is_random() -> None:
    """A key is 32 bytes of the randomness that is passed in."""
    assert RecoveryKey.make(lambda size: b"r" * size).raw == b"r" * 32


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("EsTj 3yST", "too short"),
        (PUBLISHED[0] + " EsTj", "too long"),
        ("z" * 300, "too long"),
        (PUBLISHED[0].replace("3yST", "3ySU"), "parity"),
        (PUBLISHED[0].replace("3yST", "3y0T"), "character 7"),
        ("correct horse battery staple!", "character"),
        ("EsTj é", "character 5"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    """What is no recovery key is refused with the reason."""
    with pytest.raises(RecoveryKeyFormatError, match=says):
        RecoveryKey.parse(text)


def test_another_kind_of_key() -> None:
    """A key of right length and parity with another prefix is named as such."""
    bare = b"\x8c\x01" + bytes(range(32))
    text = _to_base58(bare + bytes([reduce(xor, bare)]))
    with pytest.raises(RecoveryKeyFormatError, match="another kind"):
        RecoveryKey.parse(text)


@given(text=st.text(max_size=80))
def test_anything_else_is_refused(text: str) -> None:
    """No text raises anything else, and no refusal repeats it."""
    with pytest.raises(RecoveryKeyFormatError) as refusal:
        RecoveryKey.parse(text)
    assert len(text) < 8 or text not in str(refusal.value)


def test_the_key_stays_out_of_its_representation() -> None:
    """Neither repr nor str shows a byte of it."""
    assert repr(KEY) == str(KEY) == "RecoveryKey()"


def test_a_key_of_another_length_is_a_mistake_of_ours() -> None:
    """Only 32 bytes make one."""
    with pytest.raises(RuntimeError):
        RecoveryKey(raw=b"short")


async def test_the_file(tmp_path: Path) -> None:
    """A key is kept in a file that only its owner reads, whatever the umask, and comes back."""
    keeper = KeyFile(tmp_path / "recovery.key", given=False)
    assert await keeper.load() is None
    umask = os.umask(0)
    try:
        await keeper.keep(KEY)
    finally:
        os.umask(umask)
    assert await keeper.load() == KEY
    assert keeper.file.stat().st_mode & 0o777 == 0o600
    assert keeper.file.read_text(encoding="ascii") == KEY.text() + "\n"
    assert _names(tmp_path) == ["recovery.key"]


async def test_a_file_that_an_operator_named_must_be_there(tmp_path: Path) -> None:
    """No key is made in place of one that is missing."""
    with pytest.raises(ConfigError, match="no recovery key"):
        await KeyFile(tmp_path / "given.key", given=True).load()


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """A second key is refused, and the first one stays."""
    file = tmp_path / "recovery.key"
    write_key(file, KEY)
    with pytest.raises(ConfigError, match="cannot be kept"):
        write_key(file, RecoveryKey(raw=bytes(32)))
    assert read_key(file) == KEY


def test_a_crash_between_the_names(tmp_path: Path) -> None:
    """Where the temporary name still stands, the key behind it is not written to."""
    file, fresh = tmp_path / "recovery.key", tmp_path / "recovery.key.new"
    write_key(file, KEY)
    os.link(file, fresh)
    with pytest.raises(ConfigError):
        write_key(file, RecoveryKey(raw=bytes(32)))
    assert read_key(file) == KEY


def test_a_crash_before_the_key_was_whole(tmp_path: Path) -> None:
    """What a crash left half written is no key and does not hinder the next."""
    file = tmp_path / "recovery.key"
    file.with_name("recovery.key.new").write_bytes(b"EsTj")
    assert read_key(file) is None
    write_key(file, KEY)
    assert read_key(file) == KEY


@pytest.mark.parametrize("content", [b"", b"EsTj 3yST\n", b"\xff\xfe", b"E" * 10_000])
def test_a_file_with_something_else(tmp_path: Path, content: bytes) -> None:
    """The refusal names the file and not what is in it."""
    file = tmp_path / "recovery.key"
    file.write_bytes(content)
    with pytest.raises(RecoveryKeyFormatError) as refusal:
        read_key(file)
    assert str(file) in str(refusal.value)
    assert "EsTj" not in str(refusal.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in its place is a mistake in the settings."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(tmp_path)
