"""An archive's objects in memory, as ``verify`` reads a store with versions, markers and locks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from bridge.errors import ObjectStoreUnavailableError
from bridge.protocols.evidence import Evidence, KeptUntil, StoredVersion
from tests.archive.archive import Archive, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version; without a body it is a delete marker."""

    body: bytes | None = field(repr=False)
    modified_at: datetime
    retain_until: datetime | None = None


class MemoryEvidence:
    """Keeps the promises of :class:`bridge.protocols.evidence.Evidence`.

    ``objects`` holds the versions of each key, oldest first. ``locked``: whether it is a store
    that keeps retentions.
    """

    def __init__(self, objects: dict[str, list[Version]], *, locked: bool = False) -> None:
        self.objects = objects
        self._locked = locked

    @classmethod
    def of(cls, archive: Archive, *, locked: bool = False) -> MemoryEvidence:
        """What an archive holds."""
        return cls({one.key: [_version(one)] for one in archive.objects}, locked=locked)

    def copy(self) -> MemoryEvidence:
        """Another one, to be broken by itself."""
        objects = {key: list(versions) for key, versions in self.objects.items()}
        return MemoryEvidence(objects, locked=self._locked)

    @property
    def place(self) -> str:
        """Where it reads."""
        return "memory:"

    @property
    def keeps_retentions(self) -> bool:
        """As it was told."""
        return self._locked

    def walk(self, prefix: str = "") -> Iterator[StoredVersion]:
        """Every version and marker in key order, the newest first."""
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield from self._shown(key)

    def _shown(self, key: str) -> Iterator[StoredVersion]:
        versions = self.objects[key]
        for number in reversed(range(len(versions))):
            one = versions[number]
            yield StoredVersion(
                key=key,
                version=str(number),
                size=len(one.body or b""),
                modified_at=one.modified_at,
                deleted=one.body is None,
                latest=number == len(versions) - 1,
            )

    def open(self, found: StoredVersion) -> BinaryIO:
        """The bytes of a version."""
        return io.BytesIO(self._found(found).body or b"")

    def read(self, key: str) -> bytes | None:
        """The newest version's bytes, or None."""
        versions = self.objects.get(key)
        return versions[-1].body if versions else None

    def retention(self, found: StoredVersion) -> KeptUntil | None:
        """How long a version is kept."""
        until = self._found(found).retain_until
        if until is None or not self._locked:
            return None
        return KeptUntil(until=until, mode="governance")

    def close(self) -> None:
        """Nothing to give up."""

    def _found(self, found: StoredVersion) -> Version:
        try:
            return self.objects[found.key][int(found.version or 0)]
        except (KeyError, IndexError):
            raise ObjectStoreUnavailableError(f"{found.key} is no longer there") from None

    def change(self, key: str, body: bytes) -> None:
        """Replace the bytes of what stands under a key, as if they had always been these."""
        self.objects[key][0] = replace(self.objects[key][0], body=body)


def _version(one: Stored) -> Version:
    return Version(body=one.body, modified_at=one.modified_at, retain_until=one.retain_until)


if TYPE_CHECKING:
    _: type[Evidence] = MemoryEvidence
