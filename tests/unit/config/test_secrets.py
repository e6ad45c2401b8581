"""Files with secrets: read whole, refused with a reason, never repeated."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from config.errors import SettingsError
from config.secrets import read_credentials, read_key, read_public, read_secret

GOOD = 'access_key_id = "AKIA"\nsecret_access_key = "hunter2"\n'


def secret(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    """A file with a secret."""
    path = folder / "secret"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        (" hunter2 \n", " hunter2 "),
    ],
)
def test_one_newline_at_the_end_goes(tmp_path: Path, content: str, expected: str) -> None:
    """An editor's last newline is not part of the secret; everything else is."""
    assert read_secret(secret(tmp_path, content)) == expected


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_modes_that_keep_others_out(tmp_path: Path, mode: int) -> None:
    """The owner, and a group that may only read, are trusted."""
    assert read_secret(secret(tmp_path, "hunter2", mode)) == "hunter2"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601, 0o620, 0o660])
def test_a_secret_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Whatever others may do with it, or a group may write, is too much."""
    path = secret(tmp_path, "hunter2", mode)
    with pytest.raises(SettingsError) as caught:
        read_secret(path)
    assert caught.value.message == (
        f"{path} is open to others (mode {mode:04o}): run `chmod 600 {path}`."
    )


def test_a_public_file_may_be_open(tmp_path: Path) -> None:
    """What anyone may read is read whatever its mode."""
    assert read_public(secret(tmp_path, "name+key\n", 0o644)) == "name+key"


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        ("x" * 70_000, "is larger than 65536 bytes"),
    ],
)
def test_content_that_is_no_secret(tmp_path: Path, content: str | bytes, fact: str) -> None:
    """An empty, binary or huge file is refused."""
    with pytest.raises(SettingsError, match=fact):
        read_secret(secret(tmp_path, content))


def test_a_secret_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a folder are named with the remedy."""
    with pytest.raises(SettingsError, match="does not exist: make it, or correct the path"):
        read_secret(tmp_path / "none")
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\): let the"):
        read_secret(tmp_path)


def test_a_key_is_32_bytes(tmp_path: Path) -> None:
    """A key file holds the base64 of 32 bytes, and nothing else will do."""
    key = bytes(range(32))
    assert read_key(secret(tmp_path, base64.b64encode(key) + b"\n")) == key
    for content in (base64.b64encode(key[1:]), b"not base64!", b"a", "\u00e9".encode()):
        with pytest.raises(SettingsError, match="is not the base64 of 32 bytes: use a key"):
            read_key(secret(tmp_path, content))


def test_credentials(tmp_path: Path) -> None:
    """Both values are read, and the secret one stays out of the representation."""
    credentials = read_credentials(secret(tmp_path, GOOD))
    assert (credentials.access_key_id, credentials.secret_access_key) == ("AKIA", "hunter2")
    assert "hunter2" not in repr(credentials)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ("AKIA:hunter2", "is not valid TOML"),
        ('access_key_id = "AKIA"', "gives no secret_access_key"),
        ('secret_access_key = "hunter2"', "gives no access_key_id"),
        (GOOD.replace("hunter2", " "), "gives no secret_access_key"),
        (GOOD.replace('"AKIA"', "1"), "gives no access_key_id"),
        (GOOD + 'session = "hunter2"', "holds 'session', which is not known"),
    ],
)
def test_credentials_that_are_not_whole(tmp_path: Path, content: str, fact: str) -> None:
    """What is missing or unknown is named, without the secret."""
    with pytest.raises(SettingsError, match=fact) as caught:
        read_credentials(secret(tmp_path, content))
    assert "hunter2" not in caught.value.message
    assert 'write access_key_id = "..."' in caught.value.remedy


def test_credentials_open_to_others_are_refused(tmp_path: Path) -> None:
    """Credentials are a secret like any other."""
    with pytest.raises(SettingsError, match="is open to others"):
        read_credentials(secret(tmp_path, GOOD, 0o644))
