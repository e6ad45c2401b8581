"""What lies in a folder store, for ``verify``: read as it is, changing nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bridge.protocols.evidence import (
    FileRead,
    KeptUntil,
    Share,
    SharedEvidence,
    StoredVersion,
)
from storage.objects.checked import READ_SIZE
from storage.objects.folder import as_store_error, require_store
from storage.objects.names import TenantNames

NO_FILE = -1
"""The size of what is no plain file, or has a name that is no text. It is shown, never opened."""

AT_ONCE = 1 << 17
"""Files up to this length are read in one go."""

OPENING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class LocalEvidence:
    """Keeps the promises of :class:`bridge.protocols.evidence.SharedEvidence` for a folder."""

    def __init__(self, root: Path, tenant: str) -> None:
        self._root = root
        self._base = f"{root / TenantNames(tenant).base}/"

    @property
    def place(self) -> str:
        """The store's URL."""
        return f"file:{self._root}"

    @property
    def keeps_retentions(self) -> bool:
        """A folder keeps none."""
        return False

    def walk(self, prefix: str = "") -> Iterator[StoredVersion]:
        """Every file, and whatever else is no folder, in key order."""
        folder = prefix.rpartition("/")[0]
        try:
            yield from self._below(folder, prefix)
        except OSError as error:
            raise as_store_error(error, f"listing {self._root}") from error

    def open(self, found: StoredVersion) -> BinaryIO:
        """The file's bytes. Links are not followed."""
        path = self._base + found.key
        try:
            handle = os.open(path, OPENING)
            return os.fdopen(handle, "rb", buffering=0)
        except OSError as error:
            raise as_store_error(error, f"reading {path}") from error

    def read(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None. Links are not followed."""
        path = self._base + key
        try:
            handle = os.open(path, OPENING)
        except FileNotFoundError:
            require_store(self._root)
            return None
        except OSError as error:
            raise as_store_error(error, f"reading {path}") from error
        try:
            return _all_of(handle)
        except IsADirectoryError:
            return None
        except OSError as error:
            raise as_store_error(error, f"reading {path}") from error
        finally:
            os.close(handle)

    def retention(self, found: StoredVersion) -> KeptUntil | None:
        """None: nothing in a folder is kept."""
        return None

    def close(self) -> None:
        """Nothing to give up."""

    def shares(self, most: int) -> Iterator[Share]:
        """What lies here, a few files of one folder at a time; none of them is looked at yet."""
        try:
            yield from self._shares("", most)
        except OSError as error:
            raise as_store_error(error, f"listing {self._root}") from error

    def listed(self, share: Share) -> Iterator[StoredVersion]:
        """The files of a share."""
        for name in share.names:
            key = share.folder + name
            try:
                status = os.stat(self._base + key, follow_symlinks=False)  # noqa: PTH116
            except (FileNotFoundError, NotADirectoryError):
                require_store(self._root)
                continue
            except OSError as error:
                raise as_store_error(error, f"reading {self._base}{key}") from error
            yield _version(key, status)

    def read_share(self, share: Share) -> Iterator[FileRead]:
        """The files of a share, their folder opened once. Links are not followed."""
        base, here = share.folder, f"{self._base}{share.folder}"
        try:
            folder = os.open(here, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            require_store(self._root)
            return
        except OSError as error:
            raise as_store_error(error, f"reading {here}") from error
        try:
            for name in share.names:
                with suppress(FileNotFoundError):
                    yield FileRead(base + name, *_read_at(folder, name))
        except OSError as error:
            raise as_store_error(error, f"reading {here}{name}") from error
        finally:
            os.close(folder)

    def _shares(self, folder: str, most: int) -> Iterator[Share]:
        names: list[str] = []
        is_text = _as_text(folder) == folder
        for name, entry in self._in_order(folder):
            is_plain = entry.is_file(follow_symlinks=False) and is_text and _as_text(name) == name
            if names and (len(names) >= most or not is_plain):
                yield Share(folder, tuple(names))
                names = []
            if is_plain:
                names.append(name)
            elif name[-1] == "/":
                yield from self._shares(folder + name, most)
            else:
                yield Share(folder, (name,), is_plain=False)
        if names:
            yield Share(folder, tuple(names))

    def _below(self, folder: str, prefix: str) -> Iterator[StoredVersion]:
        """Depth first, which is the order of whole keys: a folder sorts with its slash."""
        waiting = [iter(self._entries(folder))]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
                continue
            key, entry = found
            if key[-1] == "/":
                if key.startswith(prefix) or prefix.startswith(key):
                    waiting.append(iter(self._entries(key[:-1])))
            elif key.startswith(prefix):
                # Gone since the folder was read: as if it had never been listed.
                with suppress(FileNotFoundError):
                    yield _version(key, entry.stat(follow_symlinks=False))

    def _entries(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        """What lies in a folder, in order, by keys; those of folders end with a slash."""
        base = f"{folder}/" if folder else ""
        return [(base + name, entry) for name, entry in self._in_order(folder)]

    def _in_order(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        """What lies in a folder, in the order of keys: the names of folders end with a slash."""
        try:
            with os.scandir(self._base + folder) as scan:
                found = [
                    (f"{e.name}/" if e.is_dir(follow_symlinks=False) else e.name, e) for e in scan
                ]
        except (FileNotFoundError, NotADirectoryError):
            require_store(self._root)
            return []
        return sorted(found, key=_name)


_name = itemgetter(0)


def _read_at(folder: int, name: str) -> tuple[int, float, bytes | None]:
    """Size, time and, unless it is long, the bytes of a file."""
    handle = os.open(name, OPENING, dir_fd=folder)
    try:
        status = os.fstat(handle)
        size = status.st_size
        if size > AT_ONCE or not stat.S_ISREG(status.st_mode):
            return size, status.st_mtime, None
        body = os.read(handle, size + 1)
        if len(body) != size:
            return size, status.st_mtime, None
        return size, status.st_mtime, body
    finally:
        os.close(handle)


def _all_of(handle: int) -> bytes:
    """Every byte of an open file; mostly it takes one read."""
    size = os.fstat(handle).st_size
    first = os.read(handle, size + 1)
    pieces = [first]
    while len(pieces[-1]) and len(first) != size:
        pieces.append(os.read(handle, READ_SIZE))
    return first if len(pieces) == 1 else b"".join(pieces)


def _as_text(key: str) -> str:
    """A key as it can be shown; it is another one if it is no text."""
    if key.isascii():
        return key
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _version(key: str, status: os.stat_result) -> StoredVersion:
    name = _as_text(key)
    is_file = stat.S_ISREG(status.st_mode) and name == key
    return StoredVersion(
        key=name,
        size=status.st_size if is_file else NO_FILE,
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
    )


if TYPE_CHECKING:
    _: type[SharedEvidence] = LocalEvidence
