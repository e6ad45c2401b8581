"""How a spool file is written: chunks of AES-256-GCM under a key of the file's own.

A file is ``MAGIC``, the version byte, the 16-byte file id, then chunks of 64 KiB of clear bytes
with 16 bytes of tag each; the last is shorter or full, and empty only in an empty file. The key is
HKDF-SHA-256 of the journal key and the file id, so a counter is a safe nonce. The header and
whether the chunk is the last are authenticated: a file that was cut, joined, renamed or whose
chunks were moved does not open.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.errors import SpoolError

MAGIC = b"MUNSPOOL"
VERSION = b"\x01"
ID_SIZE = 16
HEADER_SIZE = len(MAGIC) + len(VERSION) + ID_SIZE
CHUNK = 64 * 1024
TAG = 16
KEY_SIZE = 32


def _chunks(on_disk: int) -> int:
    return max(1, -(-(on_disk - HEADER_SIZE) // (CHUNK + TAG)))


def clear_size(on_disk: int) -> int:
    """How many clear bytes a whole file of ``on_disk`` bytes holds."""
    return max(0, on_disk - HEADER_SIZE - TAG * _chunks(on_disk))


class FileCipher:
    """Chunks of one file, sealed and opened."""

    def __init__(self, key: bytes, file_id: bytes) -> None:
        """``key``: the journal key; ``file_id``: the random 16 bytes that name the file."""
        derive = HKDF(
            algorithm=SHA256(), length=KEY_SIZE, salt=None, info=b"muniment spool 1\x00" + file_id
        )
        self.header = MAGIC + VERSION + file_id
        self._gcm = AESGCM(derive.derive(key))

    def _about(self, *, last: bool) -> bytes:
        return self.header + (b"\x01" if last else b"\x00")

    def seal(self, index: int, clear: bytes, *, last: bool) -> bytes:
        """Chunk ``index`` as it stands on disk. MUST be called once per index."""
        return self._gcm.encrypt(index.to_bytes(12, "big"), clear, self._about(last=last))

    def open(self, index: int, sealed: bytes, *, last: bool) -> bytes:
        """The clear bytes of chunk ``index``.

        Raises:
            SpoolError: these are not the bytes that were written there.
        """
        try:
            return self._gcm.decrypt(index.to_bytes(12, "big"), sealed, self._about(last=last))
        except InvalidTag:
            raise SpoolError(f"chunk {index} is not what was written") from None


class ClearFile(io.RawIOBase):
    """The clear bytes of a spool file: read-only, seekable, each chunk checked before it is given.

    Raises :class:`bridge.errors.SpoolError` from every read of a file that was changed.
    """

    def __init__(self, path: Path, cipher: FileCipher) -> None:
        """Open the file and check its header.

        Raises:
            SpoolError: it is missing, or not a spool file of this name.
        """
        super().__init__()
        self._path, self._cipher = path, cipher
        self._at = 0
        self._held: tuple[int, bytes] = (-1, b"")
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise SpoolError(f"spool file {path.name} cannot be opened: {error}") from error
        if self._file.read(HEADER_SIZE) != cipher.header:
            self._file.close()
            raise SpoolError(f"spool file {path.name} does not begin like one of this spool")
        on_disk = self._file.seek(0, io.SEEK_END)
        self._chunks = _chunks(on_disk)
        self._size = clear_size(on_disk)

    @classmethod
    def opened(cls, path: Path, cipher: FileCipher) -> BinaryIO:
        """A buffered reader of the clear bytes."""
        return io.BufferedReader(cls(path, cipher), CHUNK)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The place of the next clear byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place among the clear bytes."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Bytes of the chunk that is next. The end is believed only from the last chunk's tag."""
        index, skip = divmod(self._at, CHUNK)
        last = self._chunks - 1
        clear = self._chunk(min(index, last))
        piece = clear[skip : skip + len(buffer)] if index <= last else b""
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _chunk(self, index: int) -> bytes:
        if self._held[0] != index:
            try:
                self._file.seek(HEADER_SIZE + index * (CHUNK + TAG))
                sealed = self._file.read(CHUNK + TAG)
                clear = self._cipher.open(index, sealed, last=index == self._chunks - 1)
            except (OSError, SpoolError) as error:
                raise SpoolError(f"spool file {self._path.name}: {error}") from error
            self._held = (index, clear)
        return self._held[1]

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()
