"""Room keys out to a file and in from one, as other clients write and read them."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress
from pathlib import Path

from bridge.errors import ConnectorRejectedError
from bridge.model import Provenance
from bridge.protocols import ImportedKeys
from bridge.whole_file import sync_folder
from connectors.matrix.crypto.export_file import LARGEST_FILE, decode, encode
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.values import ExportedKey

PORTION = 100
_EXISTS = "File exists"


async def export_keys(
    machine: Machine, file: Path, passphrase: bytes, *, random: RandomBytes
) -> int:
    """Write all room keys to a new file of mode 0600; gives how many.

    Raises:
        ConnectorRejectedError: there is a file of that name, or it cannot be written.
    """
    if await asyncio.to_thread(os.path.lexists, file):  # before the passphrase takes its seconds
        raise _not_written(file, _EXISTS)
    keys = await _all(machine)
    data = await asyncio.to_thread(encode, keys, passphrase, random=random)
    try:
        await asyncio.to_thread(_write_new, file, data)
    except OSError as error:
        raise _not_written(file, error.strerror) from None
    return len(keys)


async def import_keys(machine: Machine, file: Path, passphrase: bytes) -> ImportedKeys:
    """Take the room keys of a file. Crash: a part of them is taken; all may be taken again.

    Raises:
        ConnectorRejectedError: it cannot be read, or does not open.
    """
    try:
        data = await asyncio.to_thread(_read, file)
    except OSError as error:
        raise _not_read(file, error.strerror) from None
    found = await asyncio.to_thread(decode, data, passphrase)
    del data  # up to 256 MB
    new = 0
    for at in range(0, len(found.keys), PORTION):
        new += await machine.import_keys(found.keys[at : at + PORTION], Provenance.IMPORT)
    return ImportedKeys(new=new, known=len(found.keys) - new, unreadable=found.unreadable)


async def _all(machine: Machine) -> list[ExportedKey]:
    keys: list[ExportedKey] = []
    after = 0
    while rows := await machine.keys(after=after, limit=PORTION, unbacked=False):
        keys += [row.key for row in rows]
        after = rows[-1].id
    return keys


def _not_written(file: Path, why: str | None) -> ConnectorRejectedError:
    return ConnectorRejectedError(
        f"The keys cannot be written to {file} ({why}).",
        hint="Name a file that does not exist, in a folder that the recorder may write.",
    )


def _not_read(file: Path, why: str | None) -> ConnectorRejectedError:
    return ConnectorRejectedError(
        f"The keys in {file} cannot be read ({why}).",
        hint="Name a file of exported keys, and let the recorder's user read it.",
    )


def _read(file: Path) -> bytes:
    """Not more than shows that it is too large; a pipe, which may never end, not at all."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_read(file, "Not a file")
        return opened.read(LARGEST_FILE + 1)


def _write_new(file: Path, data: bytes) -> None:
    """Durable on return. Crash: a file cut short, which says so when it is read.

    What could not be written whole is taken away again: its name is free for another try.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            out.write(data)
            out.flush()
            os.fsync(descriptor)
        sync_folder(file.parent)
    except OSError:
        with suppress(OSError):
            file.unlink()
        raise
