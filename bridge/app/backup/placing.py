"""Files into their places: created, never replaced, each whole or not there, the journal last.

From the first one on an unfinished restore stands where the journal belongs: `run` refuses it, and
the next restore goes on.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bridge.app.backup.contents import JOURNAL
from bridge.errors import ConfigError

UNFINISHED = b"A restore was not finished. Give `muniment restore` again, or remove this file.\n"
BESIDE = ("-wal", "-shm")


def check_free(data_dir: Path, databases: tuple[str, ...]) -> None:
    """Refuse a folder that has a journal, or what belongs to one that is gone.

    Raises:
        ConfigError: naming it.
    """
    journal = data_dir / JOURNAL
    if os.path.lexists(journal) and not is_unfinished(journal):
        raise ConfigError(
            f"{journal} is there: a restore replaces nothing.",
            hint="Move it away, with what begins with its name, if it is of no use any more; or"
            " name another data_dir.",
        )
    for name in databases:
        for beside in BESIDE:
            if os.path.lexists(data_dir / f"{name}{beside}") and not (data_dir / name).exists():
                raise ConfigError(
                    f"{data_dir / name}{beside} is there without its database.",
                    hint="Move it away: SQLite would read it as a part of what is restored.",
                )


def is_unfinished(journal: Path) -> bool:
    """Whether a restore ended in the middle."""
    try:
        return journal.stat().st_size == len(UNFINISHED) and journal.read_bytes() == UNFINISHED
    except OSError:
        return False


def refuse_unfinished(data_dir: Path) -> None:
    """Let nobody record over half a restore. Blocks.

    Raises:
        ConfigError: a restore into this folder ended in the middle.
    """
    if is_unfinished(data_dir / JOURNAL):
        raise ConfigError(
            f"A restore into {data_dir} was not finished.",
            hint=f"Give `muniment restore` again, or remove {JOURNAL} there.",
        )


def begin(data_dir: Path) -> None:
    """Write down that a restore is not finished."""
    journal = data_dir / JOURNAL
    if not is_unfinished(journal):
        write_new(journal, UNFINISHED)


def write_new(target: Path, content: bytes) -> bool:
    """A new private file, durable on return. False: something is there; nothing was changed."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return move_new(part, target)
    finally:
        part.unlink(missing_ok=True)


def move_new(source: Path, target: Path) -> bool:
    """A file to a new name in the same file system. False: something is there."""
    _sync(source)
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    source.unlink()
    _sync(target.parent)
    return True


def finish(source: Path, data_dir: Path) -> None:
    """The journal into its place. Crash before: the restore is unfinished. After: it is done."""
    _sync(source)
    source.replace(data_dir / JOURNAL)
    _sync(data_dir)


def replace(source: Path, target: Path) -> None:
    """A file of our own over an older one."""
    _sync(source)
    source.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
