"""What S3 makes of a request, and how a fault spoils it."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime

from tests.servers.fault_s3.faults import FaultKind, Met
from tests.servers.fault_s3.listing import list_objects, list_versions
from tests.servers.fault_s3.shelf import Bucket, Shelf, Version
from tests.servers.fault_s3.wire import (
    Answer,
    RefusalError,
    Request,
    document,
    element,
    iso,
    sha256_base64,
)

FOREIGN = b"somebody else wrote this"
SKEW = timedelta(minutes=15)
"""How far a signature's time may be off."""

SHORTER = timedelta(days=1)
_DEFAULT = re.compile(rb"<Mode>(\w+)</Mode>.*<Days>(\d+)</Days>", re.DOTALL)
_LOCK = re.compile(rb"<Mode>(\w+)</Mode>.*<RetainUntilDate>([^<]+)</RetainUntilDate>", re.DOTALL)


def carry_out(shelf: Shelf, request: Request, met: Met, now: datetime) -> Answer:
    """Do what is asked.

    Raises:
        RefusalError: it is refused.
    """
    _require_time(request, now)
    if request.operation == "CreateBucket":
        locked = request.headers.get("x-amz-bucket-object-lock-enabled", "") == "true"
        shelf.make(request.bucket, versioned=locked, locked=locked)
        return Answer()
    bucket = shelf.bucket(request.bucket)
    if bucket is None:
        raise RefusalError(404, "NoSuchBucket", "The specified bucket does not exist")
    match request.operation:
        case "PutObject":
            return _put(bucket, request, met, now)
        case "HeadObject" | "GetObject":
            return _give(bucket, request, met)
        case "GetObjectRetention":
            return _retention(bucket, request)
        case "PutObjectRetention":
            return _retain(bucket, request, met, now)
        case "GetObjectLegalHold":
            return _held(bucket, request)
        case "PutObjectLegalHold":
            return _hold(bucket, request, met)
        case "DeleteObject":
            return _delete(bucket, request, met, now)
        case _:
            return _of_bucket(bucket, request)


def _of_bucket(bucket: Bucket, request: Request) -> Answer:
    match request.operation:
        case "GetBucketVersioning":
            status = element("Status", "Enabled") if bucket.versioned else ""
            return Answer(body=document("VersioningConfiguration", status))
        case "GetObjectLockConfiguration":
            return _lock_configuration(bucket)
        case "PutObjectLockConfiguration":
            return _lock_by_default(bucket, request)
        case "ListObjectVersions":
            return list_versions(bucket, request.query)
        case "ListObjectsV2":
            return list_objects(bucket, request.query)
        case _:
            return Answer()


def _require_time(request: Request, now: datetime) -> None:
    signed_at = request.headers.get("x-amz-date")
    if signed_at is None:
        return
    at = datetime.strptime(f"{signed_at}+0000", "%Y%m%dT%H%M%SZ%z")
    if abs(at - now) > SKEW:
        raise RefusalError(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )


def _put(bucket: Bucket, request: Request, met: Met, now: datetime) -> Answer:
    if FaultKind.CHECKSUM_IDLE not in met:
        _require_whole(request)
    dropped = FaultKind.LOCK_DROPPED in met
    lock_mode, retain_until = (None, None) if dropped else _lock_of(bucket, request, now)
    if FaultKind.LOCK_SHORTENED in met and retain_until is not None:
        retain_until -= SHORTER
    data, checksum = request.data, request.headers.get("x-amz-checksum-sha256")
    if FaultKind.STORED_FLIPPED in met:
        data = flipped(data)
        checksum = sha256_base64(data)
    with bucket.lock:
        bucket.puts[request.name] += 1
        if FaultKind.FOREIGN in met and bucket.find(request.name) is None:
            foreign = Version(id=bucket.next_id(), data=FOREIGN, modified_at=now)
            bucket.add(request.name, foreign)
        _require_condition(bucket, request, met)
        version = Version(
            id=bucket.next_id(),
            data=data,
            modified_at=now,
            metadata=_metadata(request),
            content_type=request.headers.get("content-type", "binary/octet-stream"),
            checksum=checksum,
            lock_mode=lock_mode,
            retain_until=retain_until,
        )
        if FaultKind.METADATA_DROPPED in met:
            version = replace(version, metadata=(), checksum=None)
        bucket.add(request.name, version)
    if FaultKind.TWICE in met:
        raise RefusalError(412, "PreconditionFailed", "A precondition did not hold")
    return Answer(headers=(("ETag", f'"{version.etag}"'), *_marks(bucket, version, met)))


def _require_whole(request: Request) -> None:
    signed = request.headers.get("x-amz-content-sha256", "")
    if len(signed) == 64 and signed != hashlib.sha256(request.data).hexdigest():
        raise RefusalError(400, "XAmzContentSHA256Mismatch", "The provided digest does not match")
    given = request.headers.get("x-amz-checksum-sha256")
    if given is not None and given != sha256_base64(request.data):
        raise RefusalError(400, "BadDigest", "The SHA256 you specified did not match")
    md5 = hashlib.md5(request.data, usedforsecurity=False).digest()
    if request.headers.get("content-md5") not in {None, b64encode(md5).decode()}:
        raise RefusalError(400, "BadDigest", "The Content-MD5 you specified did not match")


def _require_condition(bucket: Bucket, request: Request, met: Met) -> None:
    if FaultKind.CONDITION_IGNORED in met:
        return
    found = bucket.find(request.name)
    standing = found if found is not None and found.data is not None else None
    wanted = request.headers.get("if-match")
    if wanted is not None and standing is None:
        raise RefusalError(404, "NoSuchKey")
    fits = standing is None or wanted in {None, standing.etag, f'"{standing.etag}"'}
    if not fits or (standing is not None and request.headers.get("if-none-match") == "*"):
        raise RefusalError(412, "PreconditionFailed", "A precondition did not hold")


def _lock_of(bucket: Bucket, request: Request, now: datetime) -> tuple[str | None, datetime | None]:
    mode = request.headers.get("x-amz-object-lock-mode")
    until = request.headers.get("x-amz-object-lock-retain-until-date")
    if mode is None or until is None:
        if bucket.default_lock is None:
            return None, None
        return bucket.default_lock[0], now + bucket.default_lock[1]
    if not bucket.locked:
        raise RefusalError(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
    if not ({"x-amz-checksum-sha256", "content-md5"} & request.headers.keys()):
        raise RefusalError(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- is required")
    retain_until = datetime.fromisoformat(until)
    if retain_until <= now:
        raise RefusalError(400, "InvalidArgument", "The retain until date must be in the future!")
    return mode, retain_until


def _metadata(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value) for name, value in request.headers.items() if name.startswith("x-amz-meta-")
    )


def _marks(bucket: Bucket, version: Version, met: Met) -> tuple[tuple[str, str], ...]:
    marks: list[tuple[str, str]] = []
    if bucket.versioned:
        marks.append(("x-amz-version-id", version.id))
    if version.checksum is not None:
        wrong = FaultKind.CHECKSUM_WRONG in met
        shown = sha256_base64(b"other bytes") if wrong else version.checksum
        marks.append(("x-amz-checksum-sha256", shown))
    return tuple(marks)


def _find(bucket: Bucket, request: Request) -> Version:
    wanted = request.query.get("versionId")
    version = bucket.find(request.name, wanted)
    if version is None or version.data is None:
        raise RefusalError(404, "NoSuchKey" if wanted is None else "NoSuchVersion")
    return version


def _give(bucket: Bucket, request: Request, met: Met) -> Answer:
    version = _find(bucket, request)
    data = version.data or b""
    lock = (
        ("x-amz-object-lock-mode", version.lock_mode),
        (
            "x-amz-object-lock-retain-until-date",
            None if version.retain_until is None else iso(version.retain_until),
        ),
    )
    marks = _marks(bucket, version, met)
    if version.held:
        marks += (("x-amz-object-lock-legal-hold", "ON"),)
    if request.headers.get("x-amz-checksum-mode") != "ENABLED":
        marks = tuple(mark for mark in marks if mark[0] != "x-amz-checksum-sha256")
    return Answer(
        headers=(
            ("Last-Modified", format_datetime(version.modified_at, usegmt=True)),
            ("ETag", f'"{version.etag}"'),
            ("Content-Type", version.content_type),
            *version.metadata,
            *((name, value) for name, value in lock if value is not None),
            *marks,
        ),
        body=flipped(data) if FaultKind.GIVEN_FLIPPED in met else data,
    )


def _retention(bucket: Bucket, request: Request) -> Answer:
    version = _find(bucket, request)
    if version.lock_mode is None or version.retain_until is None:
        raise RefusalError(404, "NoSuchObjectLockConfiguration")
    inside = element("Mode", version.lock_mode) + element(
        "RetainUntilDate", iso(version.retain_until)
    )
    return Answer(body=document("Retention", inside))


def _retain(bucket: Bucket, request: Request, met: Met, now: datetime) -> Answer:
    asked = _LOCK.search(request.data)
    if asked is None:
        raise RefusalError(400, "MalformedXML")
    mode, until = asked[1].decode(), datetime.fromisoformat(asked[2].decode())
    with bucket.lock:
        version = _find(bucket, request)
        if not bucket.locked or until <= now:
            raise RefusalError(400, "InvalidRequest")
        standing = version.retain_until
        weaker = version.lock_mode == "COMPLIANCE" and mode != "COMPLIANCE"
        shorter = standing is not None and (until < standing or weaker)
        if shorter and FaultKind.LOCK_IDLE not in met and not _passes_over(version, request):
            raise RefusalError(403, "AccessDenied", "A retention is not shortened")
        if FaultKind.LOCK_SHORTENED in met:
            until -= SHORTER
        if FaultKind.LOCK_DROPPED not in met:
            bucket.replace(request.name, replace(version, lock_mode=mode, retain_until=until))
    return Answer()


def _passes_over(version: Version, request: Request) -> bool:
    """Whoever asks to pass over a governance lock may."""
    asked = request.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    return asked and version.lock_mode == "GOVERNANCE"


def _held(bucket: Bucket, request: Request) -> Answer:
    if not bucket.locked:
        raise RefusalError(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
    version = _find(bucket, request)
    return Answer(body=document("LegalHold", element("Status", "ON" if version.held else "OFF")))


def _hold(bucket: Bucket, request: Request, met: Met) -> Answer:
    with bucket.lock:
        version = _find(bucket, request)
        if not bucket.locked:
            raise RefusalError(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        if FaultKind.LOCK_DROPPED not in met:
            held = b"<Status>ON</Status>" in request.data
            bucket.replace(request.name, replace(version, held=held))
    return Answer()


def _delete(bucket: Bucket, request: Request, met: Met, now: datetime) -> Answer:
    wanted = request.query.get("versionId")
    if bucket.versioned and wanted is None:
        marker = Version(id=bucket.next_id(), data=None, modified_at=now)
        bucket.add(request.name, marker)
        return Answer(status=204, headers=(("x-amz-version-id", marker.id),))
    version = bucket.find(request.name, wanted)
    if version is not None and FaultKind.LOCK_IDLE not in met:
        locked = version.retain_until is not None and version.retain_until > now
        if version.held or (locked and not _passes_over(version, request)):
            raise RefusalError(403, "AccessDenied", "The object is locked")
    bucket.remove(request.name, wanted)
    return Answer(status=204)


def _lock_configuration(bucket: Bucket) -> Answer:
    if not bucket.locked:
        raise RefusalError(404, "ObjectLockConfigurationNotFoundError")
    inside = element("ObjectLockEnabled", "Enabled")
    if bucket.default_lock is not None:
        mode, length = bucket.default_lock
        default = element("Mode", mode) + element("Days", length.days)
        inside += f"<Rule><DefaultRetention>{default}</DefaultRetention></Rule>"
    return Answer(body=document("ObjectLockConfiguration", inside))


def _lock_by_default(bucket: Bucket, request: Request) -> Answer:
    rule = _DEFAULT.search(request.data)
    if rule is None or not bucket.locked:
        raise RefusalError(400, "MalformedXML")
    bucket.default_lock = rule[1].decode(), timedelta(days=int(rule[2]))
    return Answer()


def flipped(data: bytes) -> bytes:
    """The same but for one bit; of nothing, one byte."""
    return data[:-1] + bytes([data[-1] ^ 1]) if data else b"\x01"
