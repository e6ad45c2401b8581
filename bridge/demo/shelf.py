"""What lies in a `file:` store, read as a stranger would: file by file, trusting nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

_AREAS = ("records", "review")


class _Upstream(msgspec.Struct):
    id: str


class _Media(msgspec.Struct):
    object: str = ""
    sha256: str = ""


class _Record(msgspec.Struct):
    upstream: _Upstream
    kind: str
    body: str = ""
    sent_at: datetime | None = None
    media: list[_Media] = msgspec.field(default_factory=list)


class _Row(msgspec.Struct):
    n: int
    key: str = ""
    sha256: str = ""


class _Manifest(msgspec.Struct):
    rows: list[_Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A record in the store.

    ``sha256`` is of the file, ``media`` holds those of its media; ``stored_at`` is the file's time.
    """

    path: Path
    key: str
    upstream_id: str
    kind: str
    body: str
    sent_at: datetime | None
    stored_at: datetime
    sha256: str
    media: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A row of a manifest and the part it stands in."""

    sha256: str
    part: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All records, and what the manifests say of their keys."""

    records: tuple[StoredObject, ...]
    listed: dict[str, Listing]

    def of(self, upstream_id: str) -> tuple[StoredObject, ...]:
        """The records of one event."""
        return tuple(record for record in self.records if record.upstream_id == upstream_id)


def read_shelf(objects: Path) -> Shelf:
    """Read every record and manifest under ``objects``. It blocks: call it in a thread."""
    return Shelf(
        records=tuple(record for area in _AREAS for record in _records(objects, area)),
        listed=_listed(objects),
    )


def _records(objects: Path, area: str) -> Iterator[StoredObject]:
    for path in sorted((objects / area).rglob("*.json")):
        if "media" in path.relative_to(objects).parts:
            continue
        data = path.read_bytes()
        record = msgspec.json.decode(data, type=_Record)
        yield StoredObject(
            path=path,
            key=path.relative_to(objects).as_posix(),
            upstream_id=record.upstream.id,
            kind=record.kind,
            body=record.body,
            sent_at=record.sent_at,
            stored_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
            sha256=hashlib.sha256(data).hexdigest(),
            media=frozenset(_media_digests(path.parent, record.media)),
        )


def _media_digests(folder: Path, media: list[_Media]) -> Iterator[str]:
    """Digests of the media files that are there and are what their record says."""
    for medium in media:
        path = folder / medium.object
        if medium.object and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest == medium.sha256:
                yield digest


def _listed(objects: Path) -> dict[str, Listing]:
    listed: dict[str, Listing] = {}
    for part in sorted((objects / "manifests").rglob("*.json")):
        for row in msgspec.json.decode(part.read_bytes(), type=_Manifest).rows:
            if row.key:
                listed[row.key] = Listing(sha256=row.sha256, part=part)
    return listed
