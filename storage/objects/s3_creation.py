"""Creating a name once, in a store that may not keep ``If-None-Match``.

Some stores take a second conditional PUT on a bucket with versions, and Object Lock always brings
versions. There the promise is kept here: of all versions of a name the oldest counts, whoever made
it; a later one with other bytes is a conflict for its writer, and is never read.

A process that dies after the PUT leaves the object; the same put then finds it and succeeds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.errors import (
    ObjectConflictError,
    ObjectStoreUnavailableError,
    RetentionNotKeptError,
)
from bridge.protocols import ObjectBody
from storage.objects.s3_bucket import Bucket, Standing

TOLERANCE = timedelta(seconds=1)
_STRENGTH = {"none": 0, "GOVERNANCE": 1, "governance": 1, "COMPLIANCE": 2, "compliance": 2}


def create(
    bucket: Bucket,
    name: str,
    body: ObjectBody,
    *,
    retain_until: datetime | None,
    content_type: str,
) -> tuple[Standing, bool]:
    """Make ``name`` hold the body. What stands there, and whether it stood there before."""
    making = _create_with_versions if bucket.is_versioned() else _create_plainly
    standing, existed = making(
        bucket, name, body, retain_until=retain_until, content_type=content_type
    )
    if retain_until is not None and bucket.protection.lock_mode != "none":
        _require_retention(bucket, name, standing, retain_until)
    return standing, existed


def _create_plainly(
    bucket: Bucket, name: str, body: ObjectBody, *, retain_until: datetime | None, content_type: str
) -> tuple[Standing, bool]:
    made = bucket.put(name, body, retain_until=retain_until, content_type=content_type)
    return _require_ours(bucket, name, None, body), made is None


def _create_with_versions(
    bucket: Bucket, name: str, body: ObjectBody, *, retain_until: datetime | None, content_type: str
) -> tuple[Standing, bool]:
    before = bucket.history(name)
    if before.oldest is not None:
        standing = _require_ours(bucket, name, before.oldest, body)
        if not before.hidden:
            return standing, True
    # Behind a delete marker the same bytes are put again: that makes them readable again.
    made = bucket.put(name, body, retain_until=retain_until, content_type=content_type)
    after = bucket.history(name)
    if made is not None and made not in after.versions:
        raise _gone(bucket, name)
    standing = _require_ours(bucket, name, after.oldest, body)
    if before.oldest is not None and made is not None:
        # The version that counts for its retention is the one just put, not the hidden one.
        standing = _require_ours(bucket, name, made, body)
    return standing, made != after.oldest


def standing_version(bucket: Bucket, name: str) -> tuple[bool, str | None]:
    """Whether something can be read under ``name``, and which version (None: there is one)."""
    if not bucket.is_versioned():
        return True, None
    history = bucket.history(name)
    return history.oldest is not None and not history.hidden, history.oldest


def _gone(bucket: Bucket, name: str) -> ObjectStoreUnavailableError:
    return ObjectStoreUnavailableError(
        f"{name} in {bucket.where} was put and is not there when asked for"
    )


def _require_ours(bucket: Bucket, name: str, version: str | None, body: ObjectBody) -> Standing:
    standing = bucket.head(name, version)
    if standing is None:
        raise _gone(bucket, name)
    found = standing.sha256
    # Kept digests are believed where the size agrees; otherwise the bytes are asked.
    if found is None or (found == body.digest.hex and standing.size != body.size):
        found = bucket.sha256(name, version)
    if found != body.digest.hex:
        raise ObjectConflictError(
            f"{name} in {bucket.where} holds other bytes, SHA-256 {found}", found=found
        )
    return standing


def _require_retention(bucket: Bucket, name: str, shown: Standing, asked: datetime) -> None:
    mode = bucket.protection.lock_mode
    strong = _STRENGTH.get(shown.lock_mode or "none", 0) >= _STRENGTH[mode]
    long = shown.retain_until is not None and shown.retain_until >= asked - TOLERANCE
    if strong and long:
        return
    until = shown.retain_until.isoformat() if shown.retain_until is not None else "nothing"
    raise RetentionNotKeptError(
        f"{name} in {bucket.where}: asked for {mode} until {asked.isoformat()},"
        f" the store shows {shown.lock_mode or 'no lock'} until {until}"
    )
