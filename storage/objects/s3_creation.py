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
from storage.objects.s3_bucket import Bucket
from storage.objects.s3_values import Standing

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
    standing, version, existed = making(
        bucket, name, body, retain_until=retain_until, content_type=content_type
    )
    if retain_until is not None and bucket.protection.lock_mode != "none":
        standing = _retained(bucket, name, version, standing, retain_until)
    return standing, existed


def _create_plainly(
    bucket: Bucket, name: str, body: ObjectBody, *, retain_until: datetime | None, content_type: str
) -> tuple[Standing, str | None, bool]:
    made = bucket.put(name, body, retain_until=retain_until, content_type=content_type)
    return _require_ours(bucket, name, None, body), None, made is None


def _create_with_versions(
    bucket: Bucket, name: str, body: ObjectBody, *, retain_until: datetime | None, content_type: str
) -> tuple[Standing, str | None, bool]:
    before = bucket.history(name)
    if before.oldest is not None:
        standing = _require_ours(bucket, name, before.oldest, body)
        if not before.hidden:
            return standing, before.oldest, True
    # Behind a delete marker the same bytes are put again: that makes them readable again.
    made = bucket.put(name, body, retain_until=retain_until, content_type=content_type)
    after = bucket.history(name)
    if made is not None and made not in after.versions:
        raise _gone(bucket, name)
    standing, version = _require_ours(bucket, name, after.oldest, body), after.oldest
    if before.oldest is not None and made is not None:
        # The version that counts for its retention is the one just put, not the hidden one.
        standing, version = _require_ours(bucket, name, made, body), made
    return standing, version, made != after.oldest


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
    found = _told(standing, body) or bucket.sha256(name, version)
    if found is None:
        raise _gone(bucket, name)
    if found == body.digest.hex:
        return standing
    if standing.checksum not in {None, found}:
        # Neither ours nor another's for certain: what the store shows contradicts itself.
        raise ObjectStoreUnavailableError(
            f"{name} in {bucket.where}: the bytes given out, SHA-256 {found}, are not those"
            f" whose checksum the store shows, {standing.checksum}"
        )
    raise ObjectConflictError(
        f"{name} in {bucket.where} holds other bytes, SHA-256 {found}", found=found
    )


def _told(standing: Standing, body: ObjectBody) -> str | None:
    """The digest left with an object, where nothing else gives it the lie; else ask the bytes."""
    kept = standing.sha256
    if standing.checksum not in {None, kept}:
        return None
    return None if kept == body.digest.hex and standing.size != body.size else kept


def _retained(
    bucket: Bucket, name: str, version: str | None, shown: Standing, asked: datetime
) -> Standing:
    """The object with at least the retention asked for.

    One that stands with less, since the store did not keep what came with it, is given it now:
    it could never be put again. A lock of another mode is left to the operator.
    """
    mode = bucket.protection.lock_mode
    if _is_kept(shown, mode, asked):
        return shown
    if shown.lock_mode is None or _STRENGTH.get(shown.lock_mode) == _STRENGTH[mode]:
        bucket.retain(name, version, asked)
        shown = bucket.head(name, version) or shown
        if _is_kept(shown, mode, asked):
            return shown
    until = shown.retain_until.isoformat() if shown.retain_until is not None else "nothing"
    raise RetentionNotKeptError(
        f"{name} in {bucket.where}: asked for {mode} until {asked.isoformat()},"
        f" the store shows {shown.lock_mode or 'no lock'} until {until}"
    )


def _is_kept(shown: Standing, mode: str, asked: datetime) -> bool:
    strong = _STRENGTH.get(shown.lock_mode or "none", 0) >= _STRENGTH[mode]
    return strong and shown.retain_until is not None and shown.retain_until >= asked - TOLERANCE
