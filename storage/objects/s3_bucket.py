"""One bucket, asked from threads: each method is one request, and raises only our own errors.

Here names are whole names in the bucket. What the answers mean for a key that is created once is
decided in :mod:`storage.objects.s3_creation`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from botocore.exceptions import ClientError

from bridge.errors import ObjectStoreUnavailableError
from bridge.protocols import ObjectBody
from storage.objects.checked import READ_SIZE, CheckedBody
from storage.objects.s3_client import S3Connection
from storage.objects.s3_errors import (
    code_of,
    is_absent,
    is_refused_precondition,
    translate,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        ListObjectsV2RequestTypeDef,
        ListObjectVersionsRequestTypeDef,
        PutObjectRequestTypeDef,
    )

LockMode = Literal["none", "governance", "compliance"]
Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
_HEX64 = re.compile(r"[0-9a-f]{64}")
_UNVERSIONED = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An object, or one version of it, as HEAD shows it. ``sha256`` is what was kept with it."""

    size: int
    modified_at: datetime
    sha256: str | None
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
class Protection:
    """What every object is put with."""

    lock_mode: LockMode
    sse: Encryption | None
    kms_key_id: str | None


def whole_second(moment: datetime) -> datetime:
    """The next whole second: stores keep no fraction, and none may be lost off a retention."""
    floor = moment.replace(microsecond=0)
    return floor if floor == moment else floor + timedelta(seconds=1)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _put_request(
    bucket: str,
    name: str,
    body: ObjectBody,
    *,
    protection: Protection,
    retain_until: datetime | None,
    content_type: str,
) -> PutObjectRequestTypeDef:
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
        compliance = protection.lock_mode == "compliance"
        request["ObjectLockMode"] = "COMPLIANCE" if compliance else "GOVERNANCE"
        request["ObjectLockRetainUntilDate"] = whole_second(retain_until)
    if protection.sse is not None:
        request["ServerSideEncryption"] = protection.sse
    if protection.kms_key_id is not None:
        request["SSEKMSKeyId"] = protection.kms_key_id
    return request


class Bucket:
    """The requests we make of a bucket. Used by several threads at once."""

    def __init__(self, connection: S3Connection, protection: Protection) -> None:
        """Nothing is asked, and no client made, before the first request."""
        self.protection = protection
        self.page_size = 1000
        self._connection = connection
        self._bucket = connection.bucket
        self._making = threading.Lock()
        self._client: S3Client | None = None
        self._closed = False
        self._versioned: bool | None = None

    @property
    def where(self) -> str:
        """The bucket and its server, for messages."""
        return self._connection.where

    @contextmanager
    def _asking(self, doing: str) -> Iterator[S3Client]:
        try:
            yield self._made_client()
        except Exception as error:  # nothing foreign escapes
            raise translate(error, f"{doing} in {self.where}") from error

    def _made_client(self) -> S3Client:
        with self._making:
            if self._closed:
                raise ObjectStoreUnavailableError(f"{self.where} is closed")
            if self._client is None:
                self._client = self._connection.client()
            return self._client

    def is_versioned(self) -> bool:
        """Whether a second PUT may leave the first as an older version. Asked once.

        It also tells a missing bucket from a missing object, which HEAD cannot.
        """
        if self._versioned is None:
            self._versioned = self._ask_versioned()
        return self._versioned

    def _ask_versioned(self) -> bool:
        with self._asking("asking for versioning") as client:
            try:
                answer = client.get_bucket_versioning(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) in _UNVERSIONED:
                    return False
                if code_of(error) == "AccessDenied":
                    # Unknown is taken as versioned: it costs a request, and overwrites nothing.
                    return True
                raise
            # Suspended versioning leaves earlier versions behind.
            return answer.get("Status") in {"Enabled", "Suspended"}

    def put(
        self, name: str, body: ObjectBody, *, retain_until: datetime | None, content_type: str
    ) -> str | None:
        """Create it. The version made ("null" where there are none), or None: something stands."""
        request = _put_request(
            self._bucket,
            name,
            body,
            protection=self.protection,
            retain_until=retain_until,
            content_type=content_type,
        )
        with self._asking(f"putting {name}") as client:
            checked, request["Body"] = CheckedBody.opened(body)
            with cast("BinaryIO", request["Body"]):
                try:
                    return client.put_object(**request).get("VersionId", "null")
                except Exception as error:
                    # The body's own fault, not the store's, whatever the library calls it.
                    if checked.failure is not None:
                        raise checked.failure from error
                    if isinstance(error, ClientError) and is_refused_precondition(error):
                        return None
                    raise

    def history(self, name: str) -> History:
        """The versions of exactly this name."""
        versions: list[str] = []
        hidden = False
        request: ListObjectVersionsRequestTypeDef = {
            "Bucket": self._bucket,
            "Prefix": name,
            "MaxKeys": self.page_size,
        }
        with self._asking(f"listing the versions of {name}") as client:
            while True:
                page = client.list_object_versions(**request)
                found = page.get("Versions", [])
                versions += [each["VersionId"] for each in found if each["Key"] == name]
                markers = page.get("DeleteMarkers", [])
                hidden |= any(each["IsLatest"] for each in markers if each["Key"] == name)
                # Names come in order, so another name ends this one; so does the last page.
                if not page.get("IsTruncated") or page["NextKeyMarker"] != name:
                    return History(versions=tuple(versions), hidden=hidden)
                request["KeyMarker"] = page["NextKeyMarker"]
                request["VersionIdMarker"] = page["NextVersionIdMarker"]

    def head(self, name: str, version: str | None = None) -> Standing | None:
        """What stands there, or None."""
        with self._asking(f"heading {name}") as client:
            try:
                if version is None:
                    shown = client.head_object(Bucket=self._bucket, Key=name)
                else:
                    shown = client.head_object(Bucket=self._bucket, Key=name, VersionId=version)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            kept = shown.get("Metadata", {}).get("sha256", "")
            return Standing(
                size=shown["ContentLength"],
                modified_at=shown["LastModified"].astimezone(UTC),
                sha256=kept if _HEX64.fullmatch(kept) else None,
                lock_mode=shown.get("ObjectLockMode"),
                retain_until=_utc(shown.get("ObjectLockRetainUntilDate")),
            )

    def chunks(self, name: str, version: str | None = None) -> Iterator[bytes] | None:
        """The bytes, piece by piece, or None."""
        with self._asking(f"getting {name}") as client:
            try:
                if version is None:
                    answer = client.get_object(Bucket=self._bucket, Key=name)
                else:
                    answer = client.get_object(Bucket=self._bucket, Key=name, VersionId=version)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
        stream = answer["Body"]

        def pieces() -> Iterator[bytes]:
            with self._asking(f"getting {name}"), stream:
                while piece := stream.read(READ_SIZE):
                    yield piece

        return pieces()

    def sha256(self, name: str, version: str | None = None) -> str | None:
        """SHA-256 of the bytes as the store gives them out, or None."""
        pieces = self.chunks(name, version)
        if pieces is None:
            return None
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        return digest.hexdigest()

    def page(self, prefix: str, after: str | None) -> tuple[tuple[Listed, ...], str | None]:
        """One page of a listing in the order of names, and where the next begins."""
        request: ListObjectsV2RequestTypeDef = {
            "Bucket": self._bucket,
            "Prefix": prefix,
            "MaxKeys": self.page_size,
        }
        if after is not None:
            request["ContinuationToken"] = after
        with self._asking(f"listing {prefix}") as client:
            page = client.list_objects_v2(**request)
            listed = tuple(
                Listed(
                    name=each["Key"],
                    size=each["Size"],
                    modified_at=each["LastModified"].astimezone(UTC),
                )
                for each in page.get("Contents", [])
            )
            return listed, page.get("NextContinuationToken")

    def close(self) -> None:
        """Give up the connections; later requests fail, also those of threads left behind."""
        with self._making:
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None
