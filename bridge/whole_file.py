"""A small file that is replaced whole: whoever reads it finds the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path


def replace_whole(file: Path, data: bytes, *, durable: bool) -> None:
    """Replace ``file``, for its owner alone. One writer at a time.

    ``durable``: once this returns, a crash of the machine leaves the new one. Otherwise it may
    leave the old one or an empty one, which the reader MUST take for none. Blocks.

    Raises:
        OSError: it cannot be written; the old one stands.
    """
    fresh = file.with_name(f"{file.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(descriptor, 0o600)  # one that a crash left keeps its own mode
        out.write(data)
        out.flush()
        if durable:
            os.fsync(descriptor)
    fresh.replace(file)
    if durable:
        sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable. Blocks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
