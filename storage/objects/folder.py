"""Durable files and directories of a folder store."""

from __future__ import annotations

import errno
from pathlib import Path

from bridge.errors import (
    ObjectStoreError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
)
from bridge.whole_file import sync_folder

FILE_MODE = 0o640
INCOMING = ".incoming"
FOLDER_MODE = 0o750
_REFUSED = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EROFS,
        errno.EXDEV,
    }
)
_ROOM = "Free disk space under [store] url; the recorder tries again by itself."
_AWAY = (
    "Mount its disk, or correct [store] url. If the store is lost and this is where a new one"
    " begins, make an empty folder v1 in it."
)
_RIGHTS = (
    "Check [store] url: it must name a folder that is ours to write, on a disk with hard links."
)


def as_store_error(error: OSError, doing: str) -> ObjectStoreError:
    """An operating system's refusal in the store's words."""
    why = error.strerror or type(error).__name__
    message = f"{doing}: {why}"
    if error.errno in _REFUSED:
        return ObjectStoreRejectedError(message, hint=_RIGHTS)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ObjectStoreUnavailableError(message, hint=_ROOM)
    return ObjectStoreUnavailableError(message)


def require_store(root: Path) -> None:
    """Refuse a root that holds no store: what lies elsewhere now would look lost.

    A store has a folder for what is being written from its start on, and ``v1/`` from its first
    object on. The folder on which a disk was mounted has neither.

    Raises:
        ObjectStoreError: it is a file, it is not there, or no store lies in it.
    """
    _require_folder(root)
    if not any((root / name).is_dir() for name in (INCOMING, "v1")):
        what = "holds no store" if root.is_dir() else "is not there"
        raise ObjectStoreUnavailableError(f"The folder {root} {what}.", hint=_AWAY)


def _require_folder(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ObjectStoreRejectedError(f"{root} is a file, not a folder.", hint=_RIGHTS)


class DurableFolders:
    """Makes folders below ``root``, and knows which of them would survive a power cut.

    Used by several threads at once. A folder stands in ``_settled`` only once the one above it
    has been synced with its name in it, so a thread that finds a folder made by another, and not
    yet synced, syncs it too.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stood = False
        """Whether a store lies in the root, or did."""
        self._settled: set[Path] = set()

    def _chain(self, folder: Path) -> list[Path]:
        below = folder.relative_to(self._root).parts
        return [self._root.joinpath(*below[: i + 1]) for i in range(len(below))]

    def expect_store(self) -> None:
        """Never make the root: a store lay in it before this process."""
        self._stood = True

    def make(self, folder: Path) -> None:
        """Make ``folder`` and what is missing above it, down from the root; the root only once.

        Raises:
            ObjectStoreError: the root is a file, or the store that stood there has gone.
        """
        if folder in self._settled and folder.is_dir():
            return
        _require_folder(self._root)
        if self._stood:
            # Not made again: what went to the disk below nobody would find.
            require_store(self._root)
        if not self._root.is_dir():
            self._root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            sync_folder(self._root.parent)
        for each in self._chain(folder):
            try:
                each.mkdir(mode=FOLDER_MODE)
            except FileExistsError:
                continue
            self._settled.discard(each)
        self._stood = True

    def settle(self, folder: Path) -> None:
        """Make the names in ``folder`` durable, and its own name, and those above it."""
        sync_folder(folder)
        # Upwards: a folder is settled only when the one holding its name is on disk.
        for each in reversed(self._chain(folder)):
            if each in self._settled:
                continue
            sync_folder(each.parent)
            self._settled.add(each)
