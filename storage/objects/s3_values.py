"""What is said to a bucket and what it shows, as values."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from bridge.protocols import ObjectBody

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectLockRetentionTypeDef, PutObjectRequestTypeDef

LockMode = Literal["none", "governance", "compliance"]
Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An object, or one version of it, as HEAD shows it.

    ``sha256`` is what its writer left with it, ``checksum`` what the store says of its bytes.
    """

    size: int
    modified_at: datetime
    sha256: str | None
    checksum: str | None
    lock_mode: str | None
    retain_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The versions of one name, newest first, and whether a delete marker hides them."""

    versions: tuple[str, ...]
    hidden: bool

    @property
    def oldest(self) -> str | None:
        """The version that counts: what came first under a name is what stands there."""
        return self.versions[-1] if self.versions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of a listing."""

    name: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What stands newest under a name that is written again, and the store's name for it."""

    data: bytes = field(repr=False)
    etag: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What every object is put with."""

    lock_mode: LockMode
    sse: Encryption | None
    kms_key_id: str | None


def whole_second(moment: datetime) -> datetime:
    """The next whole second: stores keep no fraction, and none may be lost off a retention."""
    floor = moment.replace(microsecond=0)
    return floor if floor == moment else floor + timedelta(seconds=1)


def retention(protection: Protection, until: datetime) -> ObjectLockRetentionTypeDef:
    """The lock that everything gets, until then."""
    compliance = protection.lock_mode == "compliance"
    return {
        "Mode": "COMPLIANCE" if compliance else "GOVERNANCE",
        "RetainUntilDate": whole_second(until),
    }


def put_request(
    bucket: str,
    name: str,
    body: ObjectBody,
    *,
    protection: Protection,
    retain_until: datetime | None,
    content_type: str,
) -> PutObjectRequestTypeDef:
    """A conditional PUT, but for its body."""
    request: PutObjectRequestTypeDef = {
        "Bucket": bucket,
        "Key": name,
        "ContentLength": body.size,
        "ContentType": content_type,
        "IfNoneMatch": "*",
        # Both: some stores refuse a lock without the one, some without the other.
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": base64.b64encode(body.digest.value).decode(),
        "Metadata": {"sha256": body.digest.hex},
    }
    if retain_until is not None and protection.lock_mode != "none":
        lock = retention(protection, retain_until)
        request["ObjectLockMode"] = lock["Mode"]
        request["ObjectLockRetainUntilDate"] = lock["RetainUntilDate"]
    if protection.sse is not None:
        request["ServerSideEncryption"] = protection.sse
    if protection.kms_key_id is not None:
        request["SSEKMSKeyId"] = protection.kms_key_id
    return request
