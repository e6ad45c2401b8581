"""Buckets in memory: every version of every name, in the order in which they came."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a name. ``data`` of None: a delete marker."""

    id: str
    data: bytes | None = field(repr=False)
    modified_at: datetime
    metadata: tuple[tuple[str, str], ...] = ()
    content_type: str = "binary/octet-stream"
    checksum: str | None = None
    lock_mode: str | None = None
    retain_until: datetime | None = None
    held: bool = False

    @property
    def etag(self) -> str:
        """As S3 makes it of an object put in one piece."""
        return hashlib.md5(self.data or b"", usedforsecurity=False).hexdigest()


class Bucket:
    """One bucket. ``puts`` counts what was asked to be put, by name, kept or not.

    ``default_lock``: mode and length of the retention that an object gets which comes without.
    """

    def __init__(self, name: str, *, versioned: bool, locked: bool) -> None:
        self.name = name
        self.versioned = versioned or locked
        self.locked = locked
        self.lock = threading.RLock()
        self.default_lock: tuple[str, timedelta] | None = None
        self.puts: Counter[str] = Counter()
        self._names: dict[str, list[Version]] = {}
        self._ids = count(1)

    def next_id(self) -> str:
        """What the next version is called."""
        return f"v{next(self._ids):08d}" if self.versioned else "null"

    def add(self, name: str, version: Version) -> None:
        """It stands from now on."""
        with self.lock:
            if self.versioned:
                self._names.setdefault(name, []).append(version)
            else:
                self._names[name] = [version]

    def replace(self, name: str, version: Version) -> None:
        """A version's lock changes."""
        with self.lock:
            self._names[name] = [version if v.id == version.id else v for v in self._names[name]]

    def remove(self, name: str, version_id: str | None) -> None:
        """A version goes for good; without versions the object."""
        with self.lock:
            left = [v for v in self._names.get(name, []) if version_id not in {None, v.id}]
            if left:
                self._names[name] = left
            else:
                self._names.pop(name, None)

    def clear(self) -> None:
        """Nothing stands here any more."""
        with self.lock:
            self._names.clear()
            self.puts.clear()

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions of a name, the oldest first."""
        with self.lock:
            return tuple(self._names.get(name, ()))

    def find(self, name: str, version_id: str | None = None) -> Version | None:
        """The newest version or a certain one. It may be a delete marker."""
        found = [v for v in self.versions(name) if version_id in {None, v.id}]
        return found[-1] if found else None

    def names(self, prefix: str = "") -> list[str]:
        """Every name that starts so, in order, also those hidden by a delete marker."""
        with self.lock:
            return sorted(name for name in self._names if name.startswith(prefix))

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """What can be read, by name."""
        newest = {name: self.find(name) for name in self.names(prefix)}
        return {n: v.data for n, v in newest.items() if v is not None and v.data is not None}


class Shelf:
    """All buckets."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def make(self, name: str, *, versioned: bool, locked: bool) -> Bucket:
        """A new, empty bucket."""
        made = Bucket(name, versioned=versioned, locked=locked)
        return self._buckets.setdefault(name, made)

    def bucket(self, name: str) -> Bucket | None:
        """A bucket, if there is one of that name."""
        return self._buckets.get(name)

    def buckets(self) -> tuple[Bucket, ...]:
        """All of them."""
        return tuple(self._buckets.values())
