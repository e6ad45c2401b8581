"""Names of objects and streams. No name, id or other personal data ever stands in a key.

All keys are relative to ``v1/<tenant>/`` of the store and use ``[a-z0-9./_-]`` only. The formats
are fixed: ``docs/formats.md``, "Keys of objects".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(days=1)
RECORDS = "records"
REVIEW = "review"
MANIFESTS = "manifests"
ANCHORS = "anchors"
LOG = "log"


def _hmac(key: bytes, *parts: str) -> bytes:
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")


def stream_id(stream_key: bytes, platform: str, group_id: str) -> str:
    """The blinded stream of one group, from its ``open`` to its ``close`` (16 hex)."""
    return _hmac(stream_key, platform, group_id).hex()[:16]


def group_gid(blind_key: bytes, platform: str, group_id: str) -> str:
    """The blinded group as it stands in keys (16 hex). Stays the same across streams."""
    return _hmac(blind_key, platform, group_id).hex()[:16]


def identity(blind_key: bytes, stream: str, upstream_id: str, revision: str | None) -> bytes:
    """What makes an event itself within its stream (16 bytes); its first 8 are ``id16``."""
    return _hmac(blind_key, stream, upstream_id, revision or "")[:16]


def filed_at(*, sent_at: datetime | None, observed_at: datetime) -> datetime:
    """The time a record is filed under: ``sent_at``, unless it is absent or not credible."""
    if sent_at is None or sent_at < EARLIEST or sent_at > observed_at + FURTHEST_AHEAD:
        return observed_at
    return sent_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordName:
    """Where a record, its media and its manifest stand."""

    platform: str
    gid: str
    filed_at: datetime
    n: int
    id16: str

    @property
    def day(self) -> str:
        """``YYYY/MM/DD``."""
        return self.filed_at.strftime("%Y/%m/%d")

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        clock = self.filed_at.strftime("%H%M%S") + f"{self.filed_at.microsecond // 1000:03d}"
        return f"{clock}-{self.n:012d}-{self.id16}"

    def record(self, area: str) -> str:
        """Key of the record in ``area`` (``records`` or ``review``)."""
        return f"{area}/{self.platform}/{self.gid}/{self.day}/{self.stem}.json"


def media_object(stem: str, i: int) -> str:
    """An attachment's place relative to its record's folder, as the record names it."""
    return f"media/{stem}/{i}"


def media_key(record_key: str, object_name: str) -> str:
    """Key of an attachment, from its record's key and the name in the record."""
    return f"{record_key.rpartition('/')[0]}/{object_name}"


def stem_of(record_key: str) -> str:
    """The stem in a record's key."""
    return record_key.rpartition("/")[2].removesuffix(".json")


def manifest_folder(gid: str, day: str) -> str:
    """Where a day's manifest stands; ``day`` is ``YYYY/MM/DD``."""
    return f"{MANIFESTS}/{gid}/{day}"


def act_folder(at: datetime) -> str:
    """Where the acts of a day stand."""
    return f"acts/{at:%Y/%m/%d}"


def placed_key(folder: str, number: int) -> str:
    """Key of a manifest part or an act, from its folder and its number."""
    digits = 6 if folder.startswith(MANIFESTS) else 12
    return f"{folder}/{number:0{digits}d}.json"


def anchor_key(shard: str, size: int, form: str) -> str:
    """The object key of an outside proof of so many leaves; ``form`` is ``note`` or ``tsr``."""
    return f"anchors/{shard}/{size}.{form}"


def log_key(shard: str, path: str) -> str:
    """Key of a tile, a bundle or the checkpoint, from its path in the log."""
    return f"{LOG}/{shard}/{path}"


def absolute(tenant: str, key: str) -> str:
    """The key from ``v1/`` on, as leaves digest it."""
    return f"v1/{tenant}/{key}"


def saying_key(connector: str, group_id: str, what: str, at: datetime) -> str:
    """The key under which a group is told one thing once; the platform sees it."""
    digest = hashlib.sha256(f"{connector}\0{group_id}\0{at.isoformat()}".encode()).hexdigest()
    return f"muniment-{what}-{digest[:24]}"


def answer_key(connector: str, group_id: str, upstream_id: str) -> str:
    """The key under which a command is answered once; the platform sees it."""
    asked = f"{connector}\0{group_id}\0{upstream_id}".encode("utf-8", "surrogatepass")
    return f"muniment-answer-{hashlib.sha256(asked).hexdigest()[:24]}"
