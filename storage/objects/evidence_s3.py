"""What lies in a bucket, for ``verify``: every version and delete marker, changing nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import ClientError

from bridge.errors import MunimentError, ObjectStoreUnavailableError
from bridge.protocols.evidence import Evidence, KeptUntil, StoredVersion
from storage.objects.checked import READ_SIZE
from storage.objects.names import TenantNames
from storage.objects.s3_body import ObjectReader
from storage.objects.s3_client import S3Connection
from storage.objects.s3_errors import code_of, is_absent, translate
from storage.objects.s3_pace import paced

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectOutputTypeDef,
        HeadObjectRequestTypeDef,
        ListObjectsV2RequestTypeDef,
        ListObjectVersionsOutputTypeDef,
        ListObjectVersionsRequestTypeDef,
    )

PAGE = 1000
UNVERSIONED = "null"
"""The version of an object in a bucket without versions."""

_NO_LOCKS = frozenset(
    {
        "ObjectLockConfigurationNotFoundError",
        "NoSuchObjectLockConfiguration",
        "InvalidRequest",
        "NotImplemented",
        "MethodNotAllowed",
        "404",
        "405",
        "501",
    }
)
_NO_VERSIONS = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})


class S3Evidence:
    """Keeps the promises of :class:`bridge.protocols.evidence.Evidence` for a bucket."""

    def __init__(
        self,
        connection: S3Connection,
        *,
        prefix: str,
        tenant: str,
        monotonic: Callable[[], float],
    ) -> None:
        """Nothing is asked, and no client made, before the first request."""
        self._connection = connection
        self._names = TenantNames(tenant)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._monotonic = monotonic
        self._making = threading.Lock()
        self._client: S3Client | None = None
        self._locks: bool | None = None
        # What a GET said of a retention, until it is asked for: it saves a HEAD.
        self._told: dict[tuple[str, str | None], KeptUntil | None] = {}

    @property
    def place(self) -> str:
        """The bucket and its server."""
        return self._connection.where

    @property
    def keeps_retentions(self) -> bool:
        """Whether the bucket has Object Lock, which no one can turn off. Asked once."""
        if self._locks is None:
            self._locks = self._has_locks()
        return self._locks

    def _has_locks(self) -> bool:
        bucket = self._connection.bucket
        with self._asking("asking for Object Lock") as client:
            try:
                shown = client.get_object_lock_configuration(Bucket=bucket)
            except ClientError as error:
                if code_of(error) in _NO_LOCKS:
                    return False
                if code_of(error) == "AccessDenied":
                    # Unknown is taken as locked: what then shows no retention is told.
                    return True
                raise
        return shown.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def walk(self, prefix: str = "") -> Iterator[StoredVersion]:
        """Every version and delete marker, in key order, the newest of a key first."""
        beginning = self._prefix + self._names.base + prefix
        try:
            yield from self._versions(beginning)
        except _VersionsUnknownError:
            yield from self._objects(beginning)

    def open(self, found: StoredVersion) -> BinaryIO:
        """The bytes of a version, as a stream."""
        return ObjectReader.opened(lambda: self._pieces(found))

    def read(self, key: str) -> bytes | None:
        """The bytes that stand under ``key`` now, or None."""
        name = self._name(key)
        with self._asking(f"getting {name}") as client:
            try:
                answer = client.get_object(Bucket=self._connection.bucket, Key=name)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            with answer["Body"] as body:
                return body.read()

    def retention(self, found: StoredVersion) -> KeptUntil | None:
        """How long the store shows that it keeps this version."""
        told = (found.key, found.version)
        if told in self._told:
            return self._told.pop(told)
        name = self._name(found.key)
        request: HeadObjectRequestTypeDef = {"Bucket": self._connection.bucket, "Key": name}
        if not _is_current(found):
            request["VersionId"] = found.version or UNVERSIONED
        with self._asking(f"heading {name}") as client:
            return _kept(client.head_object(**request))

    def close(self) -> None:
        """Give up the connections."""
        with self._making:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _name(self, key: str) -> str:
        # Not through of_key: whatever is listed must be readable.
        return self._prefix + self._names.base + key

    def _key(self, name: str) -> str:
        return name.removeprefix(self._prefix + self._names.base)

    @contextmanager
    def _asking(self, doing: str) -> Iterator[S3Client]:
        with paced(self._connection.patience, self._monotonic) as pace:
            try:
                yield self._made_client()
            except Exception as error:  # nothing foreign escapes
                what = f"{doing} in {self.place}"
                if pace.over and not isinstance(error, MunimentError):
                    raise ObjectStoreUnavailableError(
                        f"{what}: the store is silent or too slow; given up after {pace.taken}"
                    ) from error
                raise translate(error, what) from error

    def _made_client(self) -> S3Client:
        with self._making:
            if self._client is None:
                self._client = self._connection.client()
            return self._client

    def _pieces(self, found: StoredVersion) -> Iterator[bytes]:
        name = self._name(found.key)
        request: GetObjectRequestTypeDef = {"Bucket": self._connection.bucket, "Key": name}
        if not _is_current(found):
            request["VersionId"] = found.version or UNVERSIONED
        doing = f"getting {name}"
        with self._asking(doing) as client:
            answer = client.get_object(**request)
        self._told[found.key, found.version] = _kept(answer)
        with answer["Body"] as body:
            while True:
                # Each piece has a time of its own, so that an object of any size can be read.
                with self._asking(doing):
                    piece = body.read(READ_SIZE)
                if not piece:
                    return
                yield piece

    def _versions(self, beginning: str) -> Iterator[StoredVersion]:
        request: ListObjectVersionsRequestTypeDef = {
            "Bucket": self._connection.bucket,
            "Prefix": beginning,
            "MaxKeys": PAGE,
        }
        while True:
            with self._asking(f"listing the versions of {beginning}") as client:
                try:
                    page = client.list_object_versions(**request)
                except ClientError as error:
                    if code_of(error) in _NO_VERSIONS and "KeyMarker" not in request:
                        raise _VersionsUnknownError("this store has no versions") from error
                    raise
            yield from self._in_order(page)
            if not page.get("IsTruncated"):
                return
            request["KeyMarker"] = page["NextKeyMarker"]
            if page.get("NextVersionIdMarker"):
                request["VersionIdMarker"] = page["NextVersionIdMarker"]

    def _in_order(self, page: ListObjectVersionsOutputTypeDef) -> Iterator[StoredVersion]:
        """Versions and markers come in two lists, each in order; of one key the newest first."""
        found = [
            StoredVersion(
                key=self._key(each["Key"]),
                version=each["VersionId"],
                size=each["Size"],
                modified_at=each["LastModified"].astimezone(UTC),
                latest=each["IsLatest"],
            )
            for each in page.get("Versions", [])
        ]
        found += [
            StoredVersion(
                key=self._key(each["Key"]),
                version=each["VersionId"],
                modified_at=each["LastModified"].astimezone(UTC),
                deleted=True,
                latest=each["IsLatest"],
            )
            for each in page.get("DeleteMarkers", [])
        ]
        for _, group in groupby(sorted(found, key=_by_key), key=_by_key):
            yield from sorted(group, key=_newest_first)

    def _objects(self, beginning: str) -> Iterator[StoredVersion]:
        request: ListObjectsV2RequestTypeDef = {
            "Bucket": self._connection.bucket,
            "Prefix": beginning,
            "MaxKeys": PAGE,
        }
        while True:
            with self._asking(f"listing {beginning}") as client:
                page = client.list_objects_v2(**request)
            for each in page.get("Contents", []):
                yield StoredVersion(
                    key=self._key(each["Key"]),
                    size=each["Size"],
                    modified_at=each["LastModified"].astimezone(UTC),
                )
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]


class _VersionsUnknownError(MunimentError):
    """The store does not know what versions are."""


def _by_key(found: StoredVersion) -> bytes:
    """The order in which stores list: that of the bytes of the names."""
    return found.key.encode("utf-8", "surrogatepass")


def _newest_first(found: StoredVersion) -> tuple[bool, float]:
    return not found.latest, -found.modified_at.timestamp()


def _is_current(found: StoredVersion) -> bool:
    """Whether it can be asked for by its name alone, in any store."""
    return found.latest and found.version in {None, UNVERSIONED}


def _kept(shown: GetObjectOutputTypeDef | HeadObjectOutputTypeDef) -> KeptUntil | None:
    until: datetime | None = shown.get("ObjectLockRetainUntilDate")
    mode = shown.get("ObjectLockMode")
    if until is None or mode is None:
        return None
    return KeptUntil(until=until.astimezone(UTC), mode=mode.lower())


if TYPE_CHECKING:
    _: type[Evidence] = S3Evidence
