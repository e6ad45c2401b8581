"""A spool file being written, and how it gets its name."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from bridge.errors import SpoolError, SpoolFullError
from bridge.model import Digest, SpooledFile
from bridge.whole_file import sync_folder
from storage.spool.cipher import CHUNK, FileCipher
from storage.spool.sniff import HEAD, sniffed

PARTIAL = ".part"
FILE_MODE = 0o600


def as_spool_error(error: OSError, doing: str) -> SpoolError:
    """An operating system's refusal in the spool's words."""
    message = f"{doing}: {error.strerror or error}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SpoolFullError(message)
    return SpoolError(message)


class PartialFile:
    """A file under its temporary name. Used by one thread at a time.

    The last chunk is held back, since only at the end is it known to be the last.
    """

    def __init__(self, folder: Path, name: str, cipher: FileCipher) -> None:
        """Make the file.

        Raises:
            OSError: it cannot be made.
        """
        self._folder, self._name, self._cipher = folder, name, cipher
        self._temporary = folder / (name + PARTIAL)
        self._held = bytearray()
        self._head = b""
        self._digest = hashlib.sha256()
        self._size = 0
        self._index = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(self._temporary, flags, FILE_MODE), "wb")
        self._file.write(cipher.header)

    def write(self, clear: bytes) -> None:
        """Append clear bytes."""
        if len(self._head) < HEAD:
            self._head += clear[: HEAD - len(self._head)]
        self._digest.update(clear)
        self._size += len(clear)
        self._held += clear
        while len(self._held) > CHUNK:
            self._seal(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]

    def _seal(self, clear: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.seal(self._index, clear, last=last))
        self._index += 1

    def commit(self) -> SpooledFile:
        """Seal the last chunk and give the file its name, durably."""
        self._seal(bytes(self._held), last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        # Until here a crash leaves a temporary file, which the next start removes. The name comes
        # after the bytes are on disk: what has a name is whole. A crash after it leaves a file
        # that no download order names, which reconcile removes.
        self._temporary.rename(self._folder / self._name)
        sync_folder(self._folder)
        return SpooledFile(
            name=self._name,
            size=self._size,
            digest=Digest(value=self._digest.digest()),
            sniffed_type=sniffed(self._head),
        )

    def remove(self) -> None:
        """Remove the file under either name."""
        with suppress(OSError):  # bytes that find no room when flushed are to go anyway
            self._file.close()
        self._temporary.unlink(missing_ok=True)
        (self._folder / self._name).unlink(missing_ok=True)
        sync_folder(self._folder)
