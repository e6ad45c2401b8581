"""``muniment keys next``: a new pair of keys for the log, beside the ones in use."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.app.adapters import check_signing_key, signing_key
from bridge.app.reading import as_config_error
from bridge.errors import ConfigError
from bridge.notekeys import generate
from bridge.whole_file import sync_folder
from config.secrets import read_public
from config.settings import Settings

SUFFIX = ".next"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextKeys:
    """What was made. ``public_key`` holds the log's keys so far, and the next one last."""

    signing_key: Path
    public_key: Path
    line: str


def next_keys(settings: Settings, *, random_bytes: Callable[[int], bytes]) -> NextKeys:
    """Write the next signing key, and the log's verifier keys with that one behind them.

    Nothing that is there is written over, and nothing is in use yet. Both files are durable on
    return, readable by their owner alone; on failure nothing stays. Blocks.

    Raises:
        ConfigError: a next key is there already, or a file cannot be read or written.
    """
    check_signing_key(settings)
    keys = settings.keys
    if keys.next_signing_key_file is not None:
        raise ConfigError(
            f"[keys] next_signing_key_file is {keys.next_signing_key_file}:"
            " a key is being replaced.",
            hint="Finish that first: see docs/operations.md, Rotating keys and tokens.",
        )
    with as_config_error():
        so_far = read_public(keys.public_key_file)
    signing_line, line = generate(signing_key(settings).name, random_bytes)
    signing = _beside(keys.signing_key_file)
    public = _beside(keys.public_key_file)
    # The public one first: a crash in between leaves a key that nobody can sign with.
    _write(public, f"{so_far.rstrip()}\n{line}\n")
    try:
        _write(signing, f"{signing_line}\n")
    except ConfigError:
        with suppress(OSError):
            public.unlink()
        raise
    return NextKeys(signing_key=signing, public_key=public, line=line)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SUFFIX)


def _write(file: Path, text: str) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    try:
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(file.parent)
    except FileExistsError:
        raise ConfigError(
            f"{file} is there already.",
            hint="Use that key, or remove both .next files if it was never used.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written ({error.strerror}).",
            hint="Give the command as an account that may write beside the keys.",
        ) from None
