"""What ``muniment init`` writes: a complete settings file and fresh keys."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from config.errors import SettingsError
from config.settings import parse
from config.values import Origin, Tenant, refused

FILE_NAME = "muniment.toml"


def scaffold(
    folder: Path,
    *,
    tenant: str,
    log_origin: str,
    random_bytes: Callable[[int], bytes],
    key_lines: tuple[str, str],
) -> list[Path]:
    """Make ``folder`` with keys and a settings file that ``muniment run`` takes as it is.

    ``key_lines`` are the signing key and its verifier key, made for this tenant and origin. Every
    file is there whole or not at all, durable on return; the settings file comes last, so a
    folder that has one has its keys. On failure nothing stays of what this call made.

    Raises:
        SettingsError: the folder is not empty or cannot be written, or a name is refused.
    """
    check_names(tenant=tenant, log_origin=log_origin)
    contents = {
        "keys/journal.key": _base64_line(random_bytes(32)),
        "keys/blind.key": _base64_line(random_bytes(32)),
        "keys/signing.key": key_lines[0].strip() + "\n",
        "keys/public.key": key_lines[1].strip() + "\n",
        FILE_NAME: _settings(folder, tenant, log_origin),
    }
    made: list[Path] = []
    try:
        _make_folders(folder, made)
        for name, content in contents.items():
            _write(folder / name, content, made)
    except OSError as error:
        _undo(made)
        raise SettingsError(
            str(folder), f"cannot be written ({error.strerror})", "name a folder that can"
        ) from None
    return [folder / name for name in contents]


def check_names(*, tenant: str, log_origin: str) -> None:
    """Refuse a tenant or log origin that settings would refuse.

    Raises:
        SettingsError: naming the one and what it may be.
    """
    for key, kind, value in (("tenant", Tenant, tenant), ("log_origin", Origin, log_origin)):
        try:
            TypeAdapter[str](kind).validate_python(value)
        except ValidationError as error:
            fact, remedy = refused(error)
            raise SettingsError(f"[service] {key}", fact, remedy) from None


def example() -> str:
    """The shipped settings file, with every setting there is and its default."""
    return (files("config") / "muniment.example.toml").read_text(encoding="utf-8")


def _settings(folder: Path, tenant: str, log_origin: str) -> str:
    text = example().replace('tenant = "demo"', f'tenant = "{tenant}"', 1)
    text = text.replace('log_origin = "records.example.org"', f'log_origin = "{log_origin}"', 1)
    parse(text, folder / FILE_NAME, {})
    return text


def _base64_line(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii") + "\n"


def _make_folders(folder: Path, made: list[Path]) -> None:
    if folder.exists():
        if not folder.is_dir():
            raise SettingsError(str(folder), "is a file", "name a folder that is new or empty")
        if any(folder.iterdir()):
            raise SettingsError(str(folder), "is not empty", "name a folder that is new or empty")
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        made.append(folder)
        _sync(folder.parent)
    (folder / "keys").mkdir(mode=0o700)
    made.append(folder / "keys")
    _sync(folder)


def _write(path: Path, content: str, made: list[Path]) -> None:
    """Bytes first, name second: after a crash the name leads to the whole file or to none."""
    half = path.with_name(f".{path.name}.part")
    made.append(half)
    with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content.encode())
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
    made[-1] = path
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _undo(made: list[Path]) -> None:
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
