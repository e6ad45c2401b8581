"""What ``verify`` reads: the store as it is, every version and delete marker of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version of one object. ``key`` is below ``v1/<tenant>/``.

    ``version`` is the store's name for it, None where the store has no versions. ``deleted``: a
    delete marker, without bytes. ``modified_at`` is the store's own time, of a folder the file's.
    """

    key: str
    version: str | None = None
    size: int = 0
    modified_at: datetime
    deleted: bool = False
    latest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptUntil:
    """A retention as the store shows it now. ``mode`` is ``governance`` or ``compliance``."""

    until: datetime
    mode: str


class Evidence(Protocol):
    """Reads one tenant's objects. Synchronous and safe to use from several threads.

    Changes nothing. Raises only :class:`bridge.errors.ObjectStoreError`.
    """

    @property
    def place(self) -> str:
        """Where it reads, for people: the store's URL."""

    @property
    def keeps_retentions(self) -> bool:
        """Whether this kind of store can keep a retention at all (a folder cannot)."""

    def walk(self, prefix: str = "") -> Iterator[StoredVersion]:
        """Every version and delete marker whose key starts with ``prefix``, in key order.

        Of one key the newest comes first.
        """

    def open(self, found: StoredVersion) -> BinaryIO:
        """The bytes of a version that :meth:`walk` gave, as a stream."""

    def read(self, key: str) -> bytes | None:
        """The bytes that stand under ``key`` now, its newest version; None if nothing does."""

    def retention(self, found: StoredVersion) -> KeptUntil | None:
        """What the store says now of how long it keeps this version; None: not at all."""

    def close(self) -> None:
        """Give up connections."""


@dataclass(frozen=True, slots=True)
class Share:
    """Some files of one folder, in key order. ``folder`` is the part of their keys before theirs.

    ``is_plain``: whether they are files at all, with names that are texts.
    """

    folder: str
    names: tuple[str, ...]
    is_plain: bool = True


class FileRead(NamedTuple):
    """A file as it was read. ``body`` is None where it is too long to be read at once."""

    key: str
    size: int
    modified_at: float
    body: bytes | None


@runtime_checkable
class SharedEvidence(Evidence, Protocol):
    """A store that can be divided among several processes."""

    def shares(self, most: int) -> Iterator[Share]:
        """Everything that :meth:`walk` gives, in its order, at most so many files at a time."""

    def listed(self, share: Share) -> Iterator[StoredVersion]:
        """What :meth:`walk` gives of a share. What is gone by now is left out."""

    def read_share(self, share: Share) -> Iterator[FileRead]:
        """The files of a share that is plain. What is gone by now is left out."""
