"""The files that settings name: secrets, keys and credentials. Their content is never repeated."""

from __future__ import annotations

import base64
import os
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from config.errors import SettingsError

_LARGEST = 64 * 1024
_OTHERS = stat.S_IWGRP | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An identity at an S3-compatible store."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def read_secret(path: Path) -> str:
    """The secret in the file, without one newline at its end.

    Raises:
        SettingsError: the file is missing, unreadable, empty, not text, or open to others.
    """
    mode, text = _read(path)
    if mode & _OTHERS:
        raise SettingsError(
            str(path), f"is open to others (mode {mode:04o})", f"run `chmod 600 {path}`"
        )
    return text


def read_public(path: Path) -> str:
    """The text of a file that anyone may read: a verifier key, a notice.

    Raises:
        SettingsError: the file is missing, unreadable, empty or not text.
    """
    return _read(path)[1]


def read_key(path: Path) -> bytes:
    """The 32 bytes of a journal or blind key, written in base64.

    Raises:
        SettingsError: as for :func:`read_secret`, or it is not such a key.
    """
    try:
        key = base64.b64decode(read_secret(path), validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise SettingsError(
            str(path), "is not the base64 of 32 bytes", "use a key that `muniment init` made"
        )
    return key


def read_credentials(path: Path) -> Credentials:
    """Who to be at the store: ``access_key_id`` and ``secret_access_key``, as TOML.

    Raises:
        SettingsError: as for :func:`read_secret`, or it does not hold exactly these two.
    """
    remedy = 'write access_key_id = "..." and secret_access_key = "...", each on a line of its own'
    try:
        found: dict[str, object] = tomllib.loads(read_secret(path))
    except tomllib.TOMLDecodeError:
        # The parser's own words might repeat a part of the secret.
        raise SettingsError(str(path), "is not valid TOML", remedy) from None
    if unknown := sorted(found.keys() - {"access_key_id", "secret_access_key"}):
        raise SettingsError(str(path), f"holds {unknown[0]!r}, which is not known", remedy)
    return Credentials(
        access_key_id=_credential(path, found, "access_key_id", remedy),
        secret_access_key=_credential(path, found, "secret_access_key", remedy),
    )


def _credential(path: Path, found: dict[str, object], key: str, remedy: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(str(path), f"gives no {key}", remedy)
    return value


def _read(path: Path) -> tuple[int, str]:
    """The file's mode and text; of one open file, so that nobody changes it in between."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise SettingsError(str(path), "does not exist", "make it, or correct the path") from None
    except OSError as error:
        fact = f"cannot be read ({error.strerror})"
        raise SettingsError(str(path), fact, "let the recorder's account read it") from None
    if len(content) > _LARGEST:
        raise SettingsError(
            str(path), f"is larger than {_LARGEST} bytes", "check that it is the right file"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SettingsError(str(path), "is not UTF-8 text", "save it as UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise SettingsError(str(path), "is empty", "write its content into it")
    return mode, text
