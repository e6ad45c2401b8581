"""What lies in a folder store, for ``verify``: read as it is, changing nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bridge.protocols.evidence import Evidence, KeptUntil, StoredVersion
from storage.objects.checked import READ_SIZE
from storage.objects.folder import as_store_error
from storage.objects.names import TenantNames

NO_FILE = -1
"""The size of what is no plain file, or has a name that is no text. It is shown, never opened."""


class LocalEvidence:
    """Keeps the promises of :class:`bridge.protocols.evidence.Evidence` for a folder."""

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
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            return os.fdopen(handle, "rb", buffering=0)
        except OSError as error:
            raise as_store_error(error, f"reading {path}") from error

    def read(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None. Links are not followed."""
        path = self._base + key
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
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
                    yield _version(key, entry)

    def _entries(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        """What lies in a folder, in order, by keys; those of folders end with a slash."""
        base = f"{folder}/" if folder else ""
        try:
            with os.scandir(self._base + folder) as scan:
                return sorted(
                    (f"{base}{each.name}{'/' * each.is_dir(follow_symlinks=False)}", each)
                    for each in scan
                )
        except (FileNotFoundError, NotADirectoryError):
            return []


def _all_of(handle: int) -> bytes:
    """Every byte of an open file; mostly it takes one read."""
    size = os.fstat(handle).st_size
    first = os.read(handle, size + 1)
    pieces = [first]
    while len(pieces[-1]) and len(first) != size:
        pieces.append(os.read(handle, READ_SIZE))
    return first if len(pieces) == 1 else b"".join(pieces)


def _version(key: str, entry: os.DirEntry[str]) -> StoredVersion:
    status = entry.stat(follow_symlinks=False)
    name = key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    is_file = stat.S_ISREG(status.st_mode) and name == key
    return StoredVersion(
        key=name,
        size=status.st_size if is_file else NO_FILE,
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
    )


if TYPE_CHECKING:
    _: type[Evidence] = LocalEvidence
