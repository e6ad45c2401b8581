"""One bucket, asked from threads: each method is one request, and raises only our own errors.

Here names are whole names in the bucket. What the answers mean for a key that is created once is
decided in :mod:`storage.objects.s3_creation`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from botocore.exceptions import ClientError

from bridge.errors import MunimentError, ObjectStoreUnavailableError
from bridge.protocols import LARGEST_CHECKPOINT, ObjectBody
from storage.objects.checked import READ_SIZE, CheckedBody
from storage.objects.s3_client import S3Connection
from storage.objects.s3_errors import (
    code_of,
    is_absent,
    is_refusal,
    is_refused_precondition,
    translate,
)
from storage.objects.s3_pace import paced
from storage.objects.s3_values import (
    History,
    Listed,
    Protection,
    Rewritten,
    Standing,
    put_request,
    retention,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        GetObjectRequestTypeDef,
        ListObjectsV2RequestTypeDef,
        ListObjectVersionsRequestTypeDef,
        PutObjectRequestTypeDef,
        PutObjectRetentionRequestTypeDef,
    )

_HEX64 = re.compile(r"[0-9a-f]{64}")
_UNVERSIONED = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_UNCONDITIONAL = frozenset({"NotImplemented", "501"})
_SLOW = "Check the network and the store; the recorder tries again by itself."


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _hex(checksum: str | None) -> str | None:
    """A SHA-256 as S3 writes it, or None for one over parts, which is not that of the bytes."""
    if checksum is None or "-" in checksum:
        return None
    try:
        return base64.b64decode(checksum, validate=True).hex()
    except ValueError:
        return None


class Bucket:
    """The requests we make of a bucket. Used by several threads at once."""

    def __init__(
        self, connection: S3Connection, protection: Protection, monotonic: Callable[[], float]
    ) -> None:
        """Nothing is asked, and no client made, before the first request."""
        self.protection = protection
        self.page_size = 1000
        self._connection = connection
        self._monotonic = monotonic
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
        with paced(self._connection.patience, self._monotonic) as pace:
            try:
                yield self._made_client()
            except Exception as error:  # nothing foreign escapes
                what = f"{doing} in {self.where}"
                if pace.over and not isinstance(error, MunimentError):
                    raise ObjectStoreUnavailableError(
                        f"{what}: the store is silent or too slow; given up after {pace.taken}",
                        hint=_SLOW,
                    ) from error
                raise translate(error, what) from error

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
        request = put_request(
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
                    made = client.put_object(**request)
                except Exception as error:
                    # The body's own fault, not the store's, whatever the library calls it.
                    if checked.failure is not None:
                        raise checked.failure from error
                    if isinstance(error, ClientError) and is_refused_precondition(error):
                        return None
                    raise
            if (_hex(made.get("ChecksumSHA256")) or body.digest.hex) != body.digest.hex:
                raise ObjectStoreUnavailableError(
                    f"putting {name} in {self.where}: the store shows the checksum of other bytes"
                )
            return made.get("VersionId", "null")

    def retain(self, name: str, version: str | None, until: datetime) -> None:
        """Ask for a lock on what stands already. Whether it is kept, the next look shows."""
        request: PutObjectRetentionRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": name,
            "Retention": retention(self.protection, until),
        }
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"locking {name}") as client:
            try:
                client.put_object_retention(**request)
            except ClientError as error:
                if not is_refusal(error):
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
                    shown = client.head_object(
                        Bucket=self._bucket, Key=name, ChecksumMode="ENABLED"
                    )
                else:
                    shown = client.head_object(
                        Bucket=self._bucket, Key=name, ChecksumMode="ENABLED", VersionId=version
                    )
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            kept = shown.get("Metadata", {}).get("sha256", "")
            return Standing(
                size=shown["ContentLength"],
                modified_at=shown["LastModified"].astimezone(UTC),
                sha256=kept if _HEX64.fullmatch(kept) else None,
                checksum=_hex(shown.get("ChecksumSHA256")),
                lock_mode=shown.get("ObjectLockMode"),
                retain_until=_utc(shown.get("ObjectLockRetainUntilDate")),
            )

    def chunks(self, name: str, version: str | None = None) -> Iterator[bytes] | None:
        """The bytes, piece by piece, or None.

        They fail at their end where they are not those whose checksum the store shows.
        """
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": name}
        return self._chunks(request | {"ChecksumMode": "ENABLED"}, version)

    def sha256(self, name: str, version: str | None = None) -> str | None:
        """SHA-256 of the bytes as the store gives them out, whatever it says of them, or None."""
        pieces = self._chunks({"Bucket": self._bucket, "Key": name}, version)
        if pieces is None:
            return None
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        return digest.hexdigest()

    def _chunks(
        self, request: GetObjectRequestTypeDef, version: str | None
    ) -> Iterator[bytes] | None:
        doing = f"getting {request['Key']}"
        if version is not None:
            request["VersionId"] = version
        with self._asking(doing) as client:
            try:
                stream = client.get_object(**request)["Body"]
            except ClientError as error:
                if is_absent(error):
                    return None
                raise

        def pieces() -> Iterator[bytes]:
            with stream:
                while True:
                    # Each piece has a time of its own, so that an object of any size can be read.
                    with self._asking(doing):
                        piece = stream.read(READ_SIZE)
                    if not piece:
                        return
                    yield piece

        return pieces()

    def newest(self, name: str) -> Rewritten | None:
        """The newest version of a name that is written again."""
        with self._asking(f"getting {name}") as client:
            try:
                found = client.get_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            with found["Body"] as stream:
                version = found.get("VersionId")
                # In two goes: the end of the body is checked only by whoever asks for it.
                data = stream.read(LARGEST_CHECKPOINT + 1)
                if len(data) <= LARGEST_CHECKPOINT:
                    data += stream.read()
                return Rewritten(data=data, etag=found["ETag"], version=version)

    def rewrite(
        self, name: str, data: bytes, *, instead_of: Rewritten | None, bare: bool = False
    ) -> str | None:
        """Write a name again, without retention. None: the store says that another stands there.

        ``bare``: without a condition.
        """
        request = put_request(
            self._bucket,
            name,
            ObjectBody.of(data),
            protection=self.protection,
            retain_until=None,
            content_type="text/plain; charset=utf-8",
        )
        request["Body"] = data
        if instead_of is None:
            return self._put_if(request)
        del request["IfNoneMatch"]
        if bare:
            return self._put_if(request)
        # Some stores compare the header with their own name for the object as it is, without the
        # quotes that HTTP asks for.
        for tag in dict.fromkeys((instead_of.etag, instead_of.etag.strip('"'))):
            made = self._put_if(request | {"IfMatch": tag})
            if made is not None:
                return made
        return None

    def _put_if(self, request: PutObjectRequestTypeDef) -> str | None:
        with self._asking(f"putting {request['Key']}") as client:
            try:
                made = client.put_object(**request)
            except ClientError as error:
                if is_refused_precondition(error) or is_absent(error):
                    return None
                if code_of(error) not in _UNCONDITIONAL or "IfMatch" not in request:
                    raise
                # A store that knows no If-Match: the caller has compared what stands.
                del request["IfMatch"]
                made = client.put_object(**request)
            return made.get("VersionId", "null")

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
