"""A back-up as a tar, written and read in one pass: ``manifest.json`` first, then what it names."""

from __future__ import annotations

import os
import re
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from bridge.errors import ConfigError
from storage.backups import age, manifest

MEMBER = re.compile(
    r"manifest\.json|muniment\.toml|calibration\.json|(?:journal|log|office)\.db"
    r"|files/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
)
"""All that a back-up can hold. ``files/`` has what the settings name, by the setting's name."""

NEVER = re.compile(
    r"(?:.*/)?(?:matrix-.*\.(?:crypto\.db|session).*|catalog\.db.*|run\.lock|witness\.db.*)"
)
"""What would do harm if it were put back, whoever put it into a tar."""

PIECE = 1024 * 1024
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file to be written. ``chunks`` MUST give ``size`` bytes."""

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


def check_name(name: str) -> None:
    """Refuse what a back-up must not hold.

    Raises:
        ConfigError: it is not one of the names above.
    """
    if NEVER.fullmatch(name):
        raise ConfigError(
            f"The back-up holds {name}, which must never be put back.",
            hint="It was not made by `muniment backup`. A device that went on comes back as a new"
            " one, by its recovery key; a catalog is rebuilt.",
        )
    if not MEMBER.fullmatch(name):
        raise ConfigError(
            f"The back-up holds {name!r}, which no back-up of ours does.",
            hint="Was the file made by `muniment backup`?",
        )


def tar_chunks(members: Sequence[Member], *, at: datetime) -> Iterator[bytes]:
    """The bytes of a tar of these files, in this order."""
    for member in members:
        check_name(member.name)
        head = tarfile.TarInfo(member.name)
        head.size, head.mode, head.mtime = member.size, 0o600, int(at.timestamp())
        yield head.tobuf(tarfile.PAX_FORMAT)
        written = 0
        for chunk in member.chunks():
            written += len(chunk)
            yield chunk
        if written != member.size:
            raise RuntimeError(f"{member.name} has {written} bytes, not {member.size}")
        yield bytes(-written % _BLOCK)
    yield bytes(2 * _BLOCK)


class Tape:
    """A tar being read. Nothing that it gives is proved until :meth:`finish` returned."""

    def __init__(self, tar: tarfile.TarFile, plain: BinaryIO, join: Callable[[], None]) -> None:
        self._tar = tar
        self._plain = plain
        self._join = join
        self._seen: set[str] = set()

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each file's name and bytes, in order; the bytes before the next one is asked for.

        Raises:
            ConfigError: a file that must not be there, or twice.
        """
        for head in self._tar:
            check_name(head.name)
            if not head.isreg() or head.name in self._seen:
                raise ConfigError(
                    f"The back-up holds {head.name!r} as no plain file, or twice.",
                    hint="Was the file made by `muniment backup`?",
                )
            self._seen.add(head.name)
            held = self._tar.extractfile(head)
            if held is None:
                raise RuntimeError("a plain file has no bytes")
            yield head.name, iter(lambda held=held: held.read(PIECE), b"")  # type: ignore[misc]

    def finish(self) -> None:
        """Read to the end, which proves that every byte before it is as it was written.

        Raises:
            ConfigError: it is damaged, or cut off.
        """
        while self._plain.read(PIECE):
            pass
        self._join()


@contextmanager
def opened(
    file: Path, identities: list[age.Identity], *, advance: Callable[[int], None]
) -> Iterator[Tape]:
    """The tar in an encrypted file; ``advance`` is told how many bytes of it are read.

    Raises:
        ConfigError: it cannot be read, decrypted or understood.
    """
    try:
        source = file.open("rb")
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}).", hint="Name a file of `muniment backup`."
        ) from None
    with source:
        unpacking = _Unpacking(source, identities, advance)
        try:
            with tarfile.open(fileobj=unpacking.plain, mode="r|") as tar:
                yield Tape(tar, unpacking.plain, unpacking.join)
        except (tarfile.TarError, EOFError) as error:
            # What cannot be decrypted is cut off here: why is what the other thread knows.
            unpacking.join()
            raise ConfigError(f"The back-up is no tar ({error}).", hint=age.DAMAGED) from None
        finally:
            unpacking.end()


class _Unpacking:
    """Decrypts in a thread of its own, into a pipe; nothing is ever whole in memory."""

    def __init__(
        self, source: BinaryIO, identities: list[age.Identity], advance: Callable[[int], None]
    ) -> None:
        reading, writing = os.pipe()
        self.plain = os.fdopen(reading, "rb")
        self._failure: BaseException | None = None
        self._thread = threading.Thread(
            target=self._decrypt,
            args=(_Counted(source, advance), os.fdopen(writing, "wb"), identities),
            name="decrypting",
            daemon=True,
        )
        self._thread.start()

    def _decrypt(self, source: _Counted, sink: BinaryIO, identities: list[age.Identity]) -> None:
        try:
            with suppress(BrokenPipeError), sink:
                age.decrypt(source, sink, identities)
        except BaseException as error:
            self._failure = error

    def join(self) -> None:
        """Wait for the last byte; raises what went wrong."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Nobody reads any more."""
        self.plain.close()
        self._thread.join()


class _Counted:
    """A file that tells how far it was read."""

    def __init__(self, source: BinaryIO, advance: Callable[[int], None]) -> None:
        self._source = source
        self._advance = advance
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._source.read(size)
        self._read += len(data)
        self._advance(self._read)
        return data


def read_manifest(files: Iterator[tuple[str, Iterator[bytes]]]) -> manifest.Manifest:
    """The manifest, which comes first.

    Raises:
        ConfigError: it does not, or is not understood.
    """
    name, chunks = next(files, ("", iter(())))
    if name != manifest.NAME:
        raise ConfigError(
            f"The back-up does not begin with its {manifest.NAME}.",
            hint="Was the file made by `muniment backup`?",
        )
    return manifest.decoded(small(chunks))


def small(chunks: Iterator[bytes]) -> bytes:
    """A file that is read into memory.

    Raises:
        ConfigError: it is larger than any that a back-up holds.
    """
    found = b""
    for chunk in chunks:
        found += chunk
        if len(found) > manifest.LARGEST:
            raise ConfigError(
                "A file in the back-up is larger than any of ours.",
                hint="Was it made by `muniment backup`?",
            )
    return found
