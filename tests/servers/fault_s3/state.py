"""What the server holds and was asked, as one document."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec

from tests.servers.fault_s3.faults import Asked
from tests.servers.fault_s3.shelf import Bucket, Shelf, Version


class ObjectState(msgspec.Struct, frozen=True, kw_only=True):
    """A name. ``sha256`` and what follows are of the oldest version, the one that counts."""

    versions: int
    sha256: str
    size: int
    retain_until: str | None


class BucketState(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket. ``puts`` counts the puts asked for, by name, done or not."""

    objects: dict[str, ObjectState]
    puts: dict[str, int]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it. ``asked`` counts requests by operation."""

    buckets: dict[str, BucketState]
    asked: dict[str, int]


def state_of(shelf: Shelf, asked: Sequence[Asked]) -> State:
    """As it is now."""
    return State(
        buckets={bucket.name: _bucket(bucket) for bucket in shelf.buckets()},
        asked=dict(Counter(each.operation for each in tuple(asked))),
    )


def _bucket(bucket: Bucket) -> BucketState:
    with bucket.lock:
        objects = {name: _object(bucket.versions(name)) for name in bucket.names()}
        return BucketState(objects=objects, puts=dict(bucket.puts))


def _object(versions: tuple[Version, ...]) -> ObjectState:
    oldest = versions[0]
    data = oldest.data or b""
    return ObjectState(
        versions=len(versions),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        retain_until=None if oldest.retain_until is None else oldest.retain_until.isoformat(),
    )
